//! A CONNECT: who may come, which session it gets, whose place it takes.

use std::sync::Arc;

use super::end::end_session;
use super::kept::{keep_session, keep_will};
use super::planted;
use super::wills::publish_will;
use crate::access::{Guest, Rights};
use crate::codec::welcome_size;
use crate::id::{ConnId, SessionKey};
use crate::moment::Moment;
use crate::out::{Complaint, Timer};
use crate::packet::{Connect, Reason, Version};
use crate::rooms::Rooms;
use crate::session::{Aliases, permitted};
use crate::settings::Settings;

/// What the log says of whoever has a client id that another user asked for.
const HAS_IT: &str = "has a session under a client id that another user asked for";

/// An accepted CONNECT.
#[derive(Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its client id, assigned if it gave none.
    pub client: Arc<str>,
    /// Whether it is back in its session.
    pub session_present: bool,
    /// How many seconds its session outlives its connection, if that is less than it asked for.
    pub session_expiry: Option<u32>,
}

/// Takes a CONNECT. An older connection with the same client id is ended [MQTT-3.1.4-3].
///
/// # Errors
///
/// The reason for the CONNACK.
pub(crate) fn connect(
    rooms: &mut Rooms,
    now: Moment,
    conn: ConnId,
    mut connect: Connect,
    guest: Guest,
) -> Result<Connected, Reason> {
    if rooms.stopping {
        return Err(Reason::Busy);
    }
    let client = client_id(rooms, &connect);
    let assigned = connect.client_id.is_empty().then_some(&*client);
    let old = rooms.sessions.of_client(&client);
    let rights = rights(rooms, guest, &client, &connect, old)?;
    if old.is_some_and(|key| has_moved(rooms, key, connect.epoch)) {
        tracing::info!(%client, epoch = connect.epoch, "its zone has an owner with a later epoch");
        return Err(Reason::NotAuthorized);
    }
    let limits = &rooms.settings.limits;
    let longest = rights.longest_session(&rooms.settings.site, limits);
    let session_expiry = (connect.session_expiry > longest).then_some(longest);
    if (connect.maximum_packet as usize) < welcome_size(assigned, session_expiry) {
        return Err(Reason::TooLarge);
    }
    connect.session_expiry = connect.session_expiry.min(longest);
    let payer = rights.payer(&rooms.settings.site);
    if old.is_none() && !rooms.sessions.has_place(&payer, limits) {
        return Err(Reason::Busy);
    }
    if !rooms.sessions.admits(&connect, (&client, &payer), old.is_none(), limits) {
        return Err(Reason::Quota);
    }
    // The owner of a client id takes it from somebody who had it before, but not what waits there.
    let suits = old.and_then(|key| rooms.sessions.get_mut(key)).is_some_and(|session| {
        rights.may_follow(&session.rights) && session.subscriptions.suits(&rights)
    });
    let kept = old.filter(|&key| take_over(rooms, now, key, connect.clean || !suits));
    let session_present = kept.is_some();
    let key = kept.unwrap_or_else(|| new_session(rooms, &client, connect.version, rights.clone()));
    attach(rooms, key, conn, connect, rights);
    let counts = &mut rooms.out.counts;
    counts.connections += 1;
    counts.most_connected = counts.most_connected.max(rooms.sessions.connected());
    if rooms.zones.seen(&client) {
        rooms.keep_gateways();
    }
    Ok(Connected { client, session_present, session_expiry })
}

/// Whether the session's connection is of a gateway that owns the zone since a later epoch. Whoever stood still when
/// the zone moved would otherwise take it from the new owner, and tell what the devices were before.
fn has_moved(rooms: &Rooms, key: SessionKey, epoch: u64) -> bool {
    let session = rooms.sessions.get(key).filter(|session| session.conn.is_some());
    // An older program does not say.
    session.is_some_and(|session| planted::has_moved(epoch > 0 && epoch < session.epoch))
}

/// Begins a session.
pub(super) fn new_session(
    rooms: &mut Rooms,
    client: &Arc<str>,
    version: Version,
    rights: Rights,
) -> SessionKey {
    let zone = rooms.zones.site().zone_of_client(client).map(Box::<str>::from);
    let payer = rights.payer(&rooms.settings.site);
    let key = rooms.sessions.begin(client, (rights, payer), zone.clone(), version);
    if let Some(zone) = zone {
        rooms.zones.session_starts(&zone, key);
    }
    key
}

/// What this guest may do, if it may come as this client and with this will.
fn rights(
    rooms: &mut Rooms,
    guest: Guest,
    client: &Arc<str>,
    connect: &Connect,
    old: Option<SessionKey>,
) -> Result<Rights, Reason> {
    let mut rights = Rights::new(guest, client.clone())?;
    let old = old.and_then(|key| rooms.sessions.get(key));
    if let Some(old) = old.filter(|old| !rights.may_follow(&old.rights) && !rights.owns_client()) {
        let culprit = old.rights.user().unwrap_or("nobody who is known").into();
        let about = format!("client {client}, asked for by user {}", rights.user().unwrap_or("-"));
        rooms.out.effects.complain(Complaint { culprit, why: HAS_IT, about });
        return Err(Reason::ClientId);
    }
    match &connect.will {
        Some(will) if !permitted(&mut rights, &will.publish) => {
            tracing::info!(%client, topic = %will.publish.topic, "may not have a last will on this topic");
            Err(Reason::NotAuthorized)
        }
        _ => Ok(rights),
    }
}

fn client_id(rooms: &Rooms, connect: &Connect) -> Arc<str> {
    if connect.client_id.is_empty() {
        let Settings { broker_id, incarnation, .. } = &rooms.settings;
        let number = rooms.sessions.next_key().0;
        return format!("auto-{broker_id}-{incarnation}-{number}").into();
    }
    connect.client_id.as_str().into()
}

/// Ends whatever connection the session has; tells whether the session goes on.
fn take_over(rooms: &mut Rooms, now: Moment, key: SessionKey, clean: bool) -> bool {
    let was = rooms.sessions.detach(key);
    let Some(session) = rooms.sessions.get_mut(key) else { return false };
    let goes_on = !planted::clean(clean) && !session.doomed && session.expiry > 0;
    let timers = &mut rooms.out.timers;
    if planted::end_called_off(true) {
        timers.cancel(session.ends_at.take(), Timer::SessionEnds(key));
    }
    let will = &mut session.will;
    timers.cancel(will.due.take(), Timer::WillDue(key));
    // A will with a delay is for clients that do not come back [MQTT-3.1.3-9].
    let delayed = will.will.as_ref().is_some_and(|will| will.delay > 0);
    let back = will.left_with_broker || (goes_on && (was.is_none() || delayed));
    if planted::will_called_off(back) {
        will.will = None;
    }
    if let Some(old) = was {
        if planted::detached(true) {
            rooms.out.links.detach(old);
        }
        rooms.out.end(old, Reason::TakenOver);
    }
    keep_will(rooms, key);
    publish_will(rooms, now, key);
    if !goes_on {
        end_session(rooms, now, key);
    }
    goes_on
}

fn attach(rooms: &mut Rooms, key: SessionKey, conn: ConnId, connect: Connect, rights: Rights) {
    let window = connect.receive_maximum.min(rooms.settings.limits.inflight);
    rooms.sessions.attach(key, conn);
    rooms.sessions.pay(key, rights.payer(&rooms.settings.site));
    if let Some(session) = rooms.sessions.get_mut(key) {
        session.rights = rights;
        session.version = connect.version;
        session.epoch = connect.epoch;
        session.expiry = connect.session_expiry;
        session.will.will = connect.will;
        session.will.left_with_broker = false;
        session.window = usize::from(window);
        session.largest = connect.maximum_packet as usize;
        if planted::fresh_aliases(true, session.aliases.is_none()) {
            session.aliases = Aliases::new(connect.alias_maximum);
        }
        session.refusal_logged = false;
        session.outbox.resume();
    }
    rooms.sessions.weigh(key);
    keep_session(rooms, key);
    if let Some(session) = rooms.sessions.get(key) {
        session.keep_awake(&mut rooms.out.effects.keep);
    }
    keep_will(rooms, key);
    rooms.out.links.open(conn, key);
    rooms.out.wake(conn);
    // The will of the connection before may have been one message too many.
    if rooms.sessions.get(key).is_some_and(|session| session.doomed) {
        rooms.out.end(conn, Reason::Quota);
    }
}
