//! What the store is told of sessions and their wills, and all that it should have.

use crate::id::SessionKey;
use crate::keep::Keep;
use crate::rooms::Rooms;
use crate::session::Session;

/// A session has begun, or how long it lasts has changed.
///
/// A zone's session is not kept. All that is in it is unacknowledged, so its publishers have it too; and a zone
/// without a session is announced, which finds an owner also if the gateways began anew meanwhile.
pub(super) fn keep_session(rooms: &mut Rooms, key: SessionKey) {
    if !rooms.settings.store {
        return;
    }
    let Some(session) = rooms.sessions.get_mut(key) else { return };
    let was = session.kept;
    session.kept = session.expiry > 0 && session.zone.is_none();
    if !session.kept {
        if was {
            rooms.out.keep(Keep::SessionEnded(session.client.clone()));
        }
        return;
    }
    rooms.out.keep(Keep::Session(session.lasting()));
    if !was && let Some(session) = rooms.sessions.get(key) {
        let subscriptions = subscriptions(rooms, key, session);
        rooms.out.effects.keep.extend(subscriptions);
    }
}

/// Tells the store what has become of a session's will.
pub(super) fn keep_will(rooms: &mut Rooms, key: SessionKey) {
    let Some(session) = rooms.sessions.get(key) else { return };
    let will = session.will.will.as_ref();
    let outlives = will.is_some_and(|will| rooms.outlives(&will.publish.topic));
    if let Some(session) = rooms.sessions.get_mut(key) {
        session.keep_will(outlives, &mut rooms.out.effects.keep);
    }
}

/// All that is kept, for a store that begins anew.
pub(crate) fn everything(rooms: &Rooms) -> Vec<Keep> {
    let gateways = rooms.zones.has_gateways().then_some(Keep::Gateways);
    let retained = rooms.retained.all().filter(|message| rooms.outlives(&message.topic));
    let mut all: Vec<Keep> = gateways.into_iter().collect();
    all.extend(retained.cloned().map(Keep::Retained));
    let mut sessions: Vec<_> = rooms.sessions.iter().collect();
    sessions.sort_unstable_by_key(|(key, _)| *key);
    for (key, session) in sessions.iter().copied().filter(|(_, session)| session.kept) {
        all.push(Keep::Session(session.lasting()));
        all.extend(subscriptions(rooms, key, session));
        all.push(session.waiting());
    }
    all.extend(sessions.iter().filter_map(|(_, session)| session.last_will()));
    all
}

/// Every subscription of a session, the oldest first.
fn subscriptions(rooms: &Rooms, key: SessionKey, session: &Session) -> Vec<Keep> {
    let groups = rooms.fanout.groups();
    let shared = session.subscriptions.shared();
    let shared = shared.filter_map(|(path, id)| Some((path, groups.membership(id, key)?)));
    let mut all: Vec<_> = session.subscriptions.unshared().chain(shared).collect();
    all.sort_by_key(|(_, sub)| sub.since);
    all.into_iter().map(|(path, sub)| session.subscribed(path, sub)).collect()
}
