//! The end of a connection, and of a session.

use std::time::Duration;

use super::kept::{keep_session, keep_will};
use super::planted;
use super::wills::publish_will;
use crate::id::{ConnId, SessionKey};
use crate::intake::start_announcing;
use crate::keep::Keep;
use crate::moment::Moment;
use crate::out::Timer;
use crate::packet::Reason;
use crate::rooms::Rooms;
use crate::subscribe::forget;

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// DISCONNECT: the will is forgotten [MQTT-3.14.4-3].
    Goodbye,
    /// Anything else.
    Lost,
}

/// A connection is gone.
pub(crate) fn closed(rooms: &mut Rooms, now: Moment, conn: ConnId, how: Ended) {
    let Some(key) = rooms.out.links.close(conn) else { return };
    rooms.sessions.detach(key);
    let Some(session) = rooms.sessions.get_mut(key) else { return };
    session.away_since = Some(now);
    session.outbox.pause();
    let expiry = if session.doomed { 0 } else { session.expiry };
    if planted::will_forgotten(how == Ended::Goodbye) || rooms.stopping {
        session.will.will = None;
    }
    // Of the others it is for the next life to see who comes back.
    session.will.kept &= how == Ended::Goodbye || !rooms.stopping;
    let delay = session.will.will.as_ref().map(|will| will.delay.min(expiry));
    rooms.sessions.weigh(key);
    match delay.map(planted::will_waits) {
        None => {}
        Some(0) => publish_will(rooms, now, key),
        Some(delay) => {
            let at = now.after_secs(delay);
            if let Some(session) = rooms.sessions.get_mut(key) {
                session.will.due = Some(at);
            }
            rooms.out.timers.set(at, Timer::WillDue(key));
        }
    }
    keep_will(rooms, key);
    plan_end(rooms, now, key, expiry);
    hand_over(rooms, key);
    if let Some(session) = rooms.sessions.get_mut(key) {
        session.keep_asleep(&mut rooms.out.effects.keep);
    }
}

/// Changes the session expiry with DISCONNECT; a session that was to end cannot be kept [MQTT-3.14.2-2].
///
/// # Errors
///
/// The reason to end the connection with.
pub(crate) fn change_expiry(
    rooms: &mut Rooms,
    key: SessionKey,
    seconds: u32,
) -> Result<(), Reason> {
    let Rooms { sessions, settings, .. } = rooms;
    let Some(session) = sessions.get_mut(key) else { return Ok(()) };
    if session.expiry == 0 && seconds > 0 {
        return Err(Reason::Protocol);
    }
    session.expiry = seconds.min(session.rights.longest_session(&settings.site, &settings.limits));
    keep_session(rooms, key);
    Ok(())
}

/// Forgets a session; what a zone's session had not acknowledged is held again.
pub(crate) fn end_session(rooms: &mut Rooms, now: Moment, key: SessionKey) {
    publish_will(rooms, now, key);
    let Some(session) = rooms.sessions.end(key) else { return };
    rooms.out.timers.cancel(session.ends_at, Timer::SessionEnds(key));
    if let Some(conn) = session.conn {
        rooms.out.links.detach(conn);
    }
    if session.kept {
        rooms.out.keep(Keep::SessionEnded(session.client));
    }
    for ended in session.subscriptions.remove_all() {
        forget(rooms, key, ended);
    }
    let left = session.outbox.into_left();
    if let Some(zone) = &session.zone {
        rooms.zones.session_ends(zone, planted::held(left.held));
        start_announcing(rooms, now);
    }
    let (fanout, mut boxes) = rooms.fanout();
    fanout.share_again(planted::shared(left.shared), &mut boxes);
}

fn plan_end(rooms: &mut Rooms, now: Moment, key: SessionKey, expiry: u32) {
    if expiry == 0 {
        if planted::ends_at_once(true) {
            end_session(rooms, now, key);
        }
        return;
    }
    if expiry < u32::MAX
        && let Some(session) = rooms.sessions.get_mut(key)
    {
        let at = now.after(Duration::from_secs(u64::from(expiry)));
        session.ends_at = Some(at);
        rooms.out.timers.set(at, Timer::SessionEnds(key));
        keep_session(rooms, key);
    }
}

/// What a sleeping member of a group was not sent yet goes to one who is awake.
fn hand_over(rooms: &mut Rooms, key: SessionKey) {
    let Some(session) = rooms.sessions.get(key) else { return };
    let shared = session.subscriptions.shared().map(|(_, group)| group);
    let groups = rooms.fanout.groups();
    let awake: Vec<_> = shared.filter(|&id| groups.anyone_awake(id, &rooms.sessions)).collect();
    if awake.is_empty() {
        return;
    }
    let Some(session) = rooms.sessions.get_mut(key) else { return };
    let unsent = session.outbox.take_unsent(&awake);
    rooms.sessions.weigh_queue(key);
    let (fanout, mut boxes) = rooms.fanout();
    fanout.share_again(unsent, &mut boxes);
}
