//! Users and roles were loaded anew.

use super::end::end_session;
use crate::access::{Guest, Renewed};
use crate::id::SessionKey;
use crate::moment::Moment;
use crate::packet::Reason;
use crate::rooms::Rooms;

/// Looks up anew what everyone may do. A session whose user is gone ends, and so does one that holds a subscription
/// which its user may no longer have, with all that waited for it; a connection whose user has another password or
/// role ends, and may come back to its session.
pub(crate) fn renew(rooms: &mut Rooms, now: Moment, find: impl Fn(Option<&str>) -> Option<Guest>) {
    let mut over = Vec::new();
    let mut ended = Vec::new();
    let mut payers = Vec::new();
    for (key, session) in rooms.sessions.iter_mut() {
        let renewed = session.rights.renew(&find);
        payers.push((key, session.rights.payer(&rooms.settings.site)));
        let goes_on = renewed != Renewed::Gone && session.subscriptions.suits(&session.rights);
        if !goes_on {
            over.push(key);
        }
        if !goes_on || renewed == Renewed::Login {
            ended.extend(session.conn);
        }
    }
    for (key, payer) in payers {
        rooms.sessions.pay(key, payer);
    }
    // In an order that does not depend on the map's.
    over.sort_unstable();
    ended.sort_unstable();
    for conn in ended {
        rooms.out.end(conn, Reason::NotAuthorized);
    }
    for key in over {
        cut_off(rooms, now, key);
    }
}

/// Ends a session, also under its connection.
pub(crate) fn cut_off(rooms: &mut Rooms, now: Moment, key: SessionKey) {
    if let Some(conn) = rooms.sessions.get(key).and_then(|session| session.conn) {
        rooms.out.links.detach(conn);
    }
    end_session(rooms, now, key);
}
