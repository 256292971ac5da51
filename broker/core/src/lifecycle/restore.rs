//! What an earlier life of the broker left is taken up.
//!
//! The end of a broker is the end of every connection, and nobody said goodbye. So the next life publishes the wills; a
//! server may put them off until then. It waits with them: whoever comes back meanwhile did not die, and those who
//! should hear the others' wills are there by then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::connect::new_session;
use super::planted;
use crate::access::{Guest, Payer, Reading, Rights};
use crate::id::SessionKey;
use crate::keep::{Keep, Memory, StoredMessage, StoredSession, StoredWaiting, StoredWill, Waiting};
use crate::message::Message;
use crate::moment::Moment;
use crate::out::Timer;
use crate::packet::Version;
use crate::rooms::Rooms;
use crate::subscribe;

/// Messages of an earlier life by their order.
type Messages = HashMap<u64, Arc<Message>>;

/// Takes up what an earlier life left; `find` tells what a user may do now.
pub(crate) fn restore(
    rooms: &mut Rooms,
    now: Moment,
    memory: Memory,
    find: impl Fn(Option<&str>) -> Option<Guest>,
) {
    if planted::has_gateways(memory.gateways) {
        rooms.zones.gateways_are_known();
    }
    // What is new is newer than all that was kept.
    rooms.begin_after(memory.messages.iter().map(|message| message.order).max().unwrap_or(0));
    let messages = memory.messages.into_iter();
    let messages: Messages = messages
        .map(|stored| (stored.order, Arc::new(revive(rooms, now, stored, false))))
        .collect();
    let mut left_out = 0;
    for stored in memory.retained {
        let message = Arc::new(revive(rooms, now, stored, true));
        let payer = payer(message.owner.as_deref(), &rooms.settings.site, &find);
        let kept = rooms.retained.restore(&message, payer, &rooms.settings.limits);
        left_out += usize::from(kept.is_err());
    }
    if left_out > 0 {
        tracing::warn!(left_out, "retained messages of before are more than the limits allow now");
    }
    let mut over = Vec::new();
    for session in memory.sessions {
        let client: Arc<str> = session.client.as_ref().into();
        match rights(&session, &client, &find) {
            Some(rights) => over.extend(wake_up(rooms, now, session, rights, &messages)),
            None => over.push(Keep::SessionEnded(client)),
        }
    }
    over.extend(restore_wills(rooms, now, memory.wills, find));
    rooms.out.effects.keep = over;
}

fn revive(rooms: &mut Rooms, now: Moment, stored: StoredMessage, retain: bool) -> Message {
    let zone = rooms.zones.site().zone_of(&stored.topic);
    let message = Message {
        topic: stored.topic,
        payload: stored.payload,
        qos: stored.qos,
        retain,
        properties: stored.properties,
        expires: stored.left.map(|left| now.after(left)),
        publisher: None,
        payer: Payer::House,
        owner: stored.owner.map(Into::into),
        zone,
        stamp: zone.map(|_| rooms.zones.stamp()),
        order: if stored.order > 0 { stored.order } else { rooms.next_order() },
        handed: false,
        replies: None,
        weighed: Default::default(),
    };
    message.weighed(rooms.sessions.scales())
}

/// What the store does not know yet comes back: until when a session lasts that was connected to the end, or is to be
/// cut down now. Otherwise every start of the broker would give it its whole time again.
fn wake_up(
    rooms: &mut Rooms,
    now: Moment,
    stored: StoredSession,
    rights: Rights,
    messages: &Messages,
) -> Option<Keep> {
    if rooms.sessions.len() >= rooms.settings.limits.sessions {
        tracing::warn!(client = %stored.client, "a session of before is one too many for the limits now");
        return None;
    }
    let longest = rights.longest_session(&rooms.settings.site, &rooms.settings.limits);
    let client: Arc<str> = stored.client.into();
    let key = new_session(rooms, &client, Version::V5, rights);
    let seconds = stored.expiry.min(longest);
    let whole = Duration::from_secs(seconds.into());
    // One that was connected to the end has its whole time before it: nobody knows when the broker died.
    let left = stored.left.map_or(whole, |left| left.min(whole));
    let ends_at = (seconds < u32::MAX).then(|| now.after(left));
    if let Some(session) = rooms.sessions.get_mut(key) {
        session.expiry = seconds;
        session.ends_at = ends_at;
        session.away_since = Some(now);
        session.kept = true;
        for pid in stored.received {
            session.incoming.restore(pid);
        }
        session.incoming.count();
        let waiting = stored.waiting.into_iter();
        let waiting = waiting.filter_map(|waiting| with(waiting, messages)).collect();
        session.outbox.restore(waiting, rooms.settings.incarnation);
    }
    rooms.sessions.weigh(key);
    if let Some(at) = ends_at {
        rooms.out.timers.set(at, Timer::SessionEnds(key));
    }
    for (filter, id) in stored.subscriptions {
        if let Err(reason) = subscribe::restore(rooms, key, &filter, id) {
            tracing::warn!(%client, filter = %filter.path, %reason, "a subscription of before is refused now");
        }
    }
    let news = ends_at.is_some() && stored.left.is_none_or(|before| before > left);
    let session = rooms.sessions.get(key).filter(|_| news)?;
    Some(Keep::Session(session.lasting()))
}

/// On whose account a retained message goes. One of before users were written down, or of a user who is gone, is on
/// nobody's.
fn payer(owner: Option<&str>, site: &str, find: impl Fn(Option<&str>) -> Option<Guest>) -> Payer {
    let rights = owner.and_then(|owner| Rights::new(find(Some(owner))?, "".into()).ok());
    rights.map_or(Payer::House, |rights| rights.payer(site))
}

fn with(waiting: StoredWaiting, messages: &Messages) -> Option<Waiting> {
    let StoredWaiting { number, order, qos, retain, stored, ids, sent } = waiting;
    let message = messages.get(&order)?.clone();
    Some(Waiting { number, message, qos, retain, stored, ids, sent })
}

/// What the user of a session may do now; none if the session is none of his any more, which is so as well when he may
/// no longer have one of its subscriptions.
fn rights(
    session: &StoredSession,
    client: &Arc<str>,
    find: impl Fn(Option<&str>) -> Option<Guest>,
) -> Option<Rights> {
    let rights = Rights::new(find(session.user.as_deref())?, client.clone()).ok()?;
    let mut filters = session.subscriptions.iter().map(|(filter, _)| &filter.path);
    filters.all(|path| rights.may_subscribe(path) != Reading::Nothing).then_some(rights)
}

/// Plans the wills of an earlier life; gives those that nobody may publish any more. The sessions are back already.
fn restore_wills(
    rooms: &mut Rooms,
    now: Moment,
    wills: Vec<StoredWill>,
    find: impl Fn(Option<&str>) -> Option<Guest>,
) -> Vec<Keep> {
    let mut over = Vec::new();
    for stored in wills {
        let client: Arc<str> = stored.client.into();
        let key = rooms.sessions.of_client(&client).or_else(|| {
            let guest = find(stored.user.as_deref())?;
            session_for_a_will(rooms, &client, Rights::new(guest, client.clone()).ok()?)
        });
        let found = key.and_then(|key| Some((key, rooms.sessions.get_mut(key)?)));
        let Some((key, session)) = found else {
            over.push(Keep::WillOver(client));
            continue;
        };
        let delay = Duration::from_secs(stored.will.delay.min(session.expiry).into());
        let come_back = rooms.settings.limits.come_back;
        let at = now.after(stored.left.unwrap_or(delay).max(come_back));
        session.will.will = Some(stored.will);
        session.will.kept = true;
        session.will.left_with_broker = stored.left.is_none();
        let timer = if session.expiry > 0 {
            session.will.due = Some(at);
            Timer::WillDue(key)
        } else {
            session.ends_at = Some(at);
            Timer::SessionEnds(key)
        };
        rooms.out.timers.set(at, timer);
        rooms.sessions.weigh(key);
    }
    over
}

/// The session that ended with its connection, for as long as its will waits. It can be of no other use.
fn session_for_a_will(rooms: &mut Rooms, client: &Arc<str>, rights: Rights) -> Option<SessionKey> {
    // A zone's session would take what is for its owner.
    let zone = rooms.zones.site().zone_of_client(client).is_some();
    let full = rooms.sessions.len() >= rooms.settings.limits.sessions;
    (!zone && !full).then(|| new_session(rooms, client, Version::V5, rights))
}
