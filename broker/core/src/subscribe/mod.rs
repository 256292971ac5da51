//! SUBSCRIBE and UNSUBSCRIBE.

mod planted;

use crate::access::Reading;
use crate::codec::{Action, codes_size};
use crate::fanout::{Way, inner};
use crate::id::{Sender, SessionKey};
use crate::message::Delivery;
use crate::moment::Moment;
use crate::packet::{Filter, Reason, RetainHandling, topic};
use crate::rooms::Rooms;
use crate::session::{Ended, Session, Sub};
use crate::shares::open_to;

/// Reason code of an UNSUBACK for a filter that was not subscribed.
const NO_SUBSCRIPTION: u8 = 0x11;

/// Subscriptions of one session with wildcards. 512: each is looked at for every message that one of them matches.
const WILDCARDS: usize = 512;

/// A SUBSCRIBE.
#[derive(Debug)]
pub(crate) struct Subscribe {
    pub(crate) pid: u16,
    /// Subscription identifier.
    pub(crate) id: Option<u32>,
    pub(crate) filters: Vec<Filter>,
}

/// What became of one filter of a SUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Granted {
    New,
    /// There before, with new options now.
    Again,
    /// Nothing is sent of what is retained [MQTT 5, 4.8.2].
    Shared,
}

/// Takes a SUBSCRIBE.
///
/// # Errors
///
/// The reason to end the connection with.
pub(crate) fn subscribe(
    rooms: &mut Rooms,
    now: Moment,
    from: Sender,
    subscribe: Subscribe,
) -> Result<(), Reason> {
    let Subscribe { pid, id, filters } = subscribe;
    // [MQTT-3.8.3-4]
    if filters.iter().any(|filter| filter.no_local && inner(&filter.path).is_some()) {
        return Err(Reason::Protocol);
    }
    let mut codes = Vec::with_capacity(filters.len());
    let mut granted = Vec::with_capacity(filters.len());
    for filter in filters {
        match add_or_change(rooms, from.key, &filter, id) {
            Ok(how) => {
                if let Some(session) = rooms.sessions.get(from.key) {
                    session.keep_subscription(&filter, id, &mut rooms.out.effects.keep);
                }
                codes.push(filter.qos as u8);
                granted.push((filter, how));
            }
            Err(reason) => codes.push(reason as u8),
        }
    }
    answer_codes(rooms, from, codes.len(), Action::Suback(pid, codes));
    // What was held comes before the retained values of the same topics, which may be newer.
    release_held(rooms, from.key);
    for (filter, how) in granted {
        let new = how == Granted::New;
        let wanted = match filter.retain_handling {
            _ if how == Granted::Shared => false,
            RetainHandling::Always => planted::retained_again(true, new),
            RetainHandling::IfNew => new,
            RetainHandling::Never => false,
        };
        if wanted {
            send_retained(rooms, now, from.key, &filter, id);
        }
    }
    rooms.out.wake(from.conn);
    Ok(())
}

/// Adds one subscription of an earlier life of the broker.
///
/// # Errors
///
/// Why it is refused now.
pub(crate) fn restore(
    rooms: &mut Rooms,
    key: SessionKey,
    filter: &Filter,
    id: Option<u32>,
) -> Result<(), Reason> {
    add_or_change(rooms, key, filter, id).map(drop)
}

/// Takes an UNSUBSCRIBE.
pub(crate) fn unsubscribe(rooms: &mut Rooms, from: Sender, pid: u16, filters: &[String]) {
    let mut codes = Vec::with_capacity(filters.len());
    for path in filters {
        codes.push(unsubscribe_one(rooms, from.key, path));
        if let Some(session) = rooms.sessions.get(from.key) {
            session.forget_subscription(path, &mut rooms.out.effects.keep);
        }
    }
    rooms.sessions.weigh(from.key);
    answer_codes(rooms, from, codes.len(), Action::Unsuback(pid, codes));
}

/// A subscription of a session is over: it gets nothing of it any more.
pub(crate) fn forget(rooms: &mut Rooms, key: SessionKey, ended: Ended) {
    match ended {
        Ended::Exact(path) => rooms.fanout.remove(&Way::Exact(path), key),
        Ended::Wild(Some(id)) => rooms.fanout.remove(&Way::Wild(id), key),
        Ended::Wild(None) => {}
        Ended::Shared(group) => rooms.fanout.leave(key, group),
    }
}

fn add_or_change(
    rooms: &mut Rooms,
    key: SessionKey,
    filter: &Filter,
    id: Option<u32>,
) -> Result<Granted, Reason> {
    let shared = inner(&filter.path).transpose()?.is_some();
    if !shared && !topic::valid_filter(&filter.path) {
        return Err(Reason::Filter);
    }
    let since = rooms.next_order();
    let session = rooms.sessions.get(key).ok_or(Reason::NotAuthorized)?;
    let reading = session.rights.may_subscribe(&filter.path);
    if reading == Reading::Nothing {
        tracing::info!(client = %session.client, filter = %filter.path, "may not subscribe to this filter");
        return Err(Reason::NotAuthorized);
    }
    let sub = Sub {
        qos: filter.qos,
        no_local: filter.no_local,
        retain_as_published: filter.retain_as_published,
        id,
        filtered: reading == Reading::Filtered,
        since,
        filter: None,
    };
    let known = session.subscriptions.shares(&filter.path);
    if !known && let Some(old) = session.subscriptions.find(&filter.path) {
        let changed = Sub { since: old.since, filter: old.filter, ..sub };
        if *old != changed {
            change(rooms, key, &filter.path, changed);
        }
        return Ok(Granted::Again);
    }
    if !known && !has_room(rooms, session, &filter.path, shared) {
        return Err(Reason::Quota);
    }
    add(rooms, key, &filter.path, sub, shared)
}

/// Whether a session may have one more subscription.
fn has_room(rooms: &Rooms, session: &Session, path: &str, shared: bool) -> bool {
    let limits = &rooms.settings.limits;
    let subscriptions = &session.subscriptions;
    let wild = !shared && topic::has_wildcard(path);
    subscriptions.len() < limits.subscriptions
        && rooms.sessions.admits_filter(&session.payer, path, wild || shared, limits)
        && (!wild || subscriptions.wild().len() < WILDCARDS)
}

/// Adds a subscription that a session does not have, or changes its part in a group.
fn add(
    rooms: &mut Rooms,
    key: SessionKey,
    path: &str,
    sub: Sub,
    shared: bool,
) -> Result<Granted, Reason> {
    let Rooms { sessions, fanout, zones, settings, out, .. } = rooms;
    let session = sessions.get_mut(key).ok_or(Reason::NotAuthorized)?;
    let limits = &settings.limits;
    let most = open_to(&session.payer, limits.wildcard_filters, limits);
    let own = |zone: &str| zones.site().is_own_filter(zone, path);
    let granted = if shared {
        let group = fanout.join(key, path, sub, most, &mut out.effects)?;
        session.subscriptions.add_shared(path, group);
        Granted::Shared
    } else if session.zone.as_deref().is_some_and(own) {
        session.subscriptions.add_wild(path.into(), sub);
        Granted::New
    } else {
        let way = fanout.open(path, most, &mut out.effects)?;
        fanout.add(&way, key);
        match way {
            Way::Exact(path) => session.subscriptions.add_exact(path, sub),
            Way::Wild(id) => {
                session.subscriptions.add_wild(path.into(), Sub { filter: Some(id), ..sub });
            }
        }
        Granted::New
    };
    sessions.weigh(key);
    Ok(granted)
}

fn change(rooms: &mut Rooms, key: SessionKey, path: &str, changed: Sub) {
    settle(rooms, key);
    if let Some(session) = rooms.sessions.get_mut(key) {
        session.subscriptions.change(path, changed);
    }
}

/// Delivers what the router still has for a session, as its subscriptions were.
fn settle(rooms: &mut Rooms, key: SessionKey) {
    let order = rooms.order();
    let (fanout, mut boxes) = rooms.fanout();
    fanout.settle(key, order, &mut boxes);
}

/// What waited for a zone's session goes into its queue.
fn release_held(rooms: &mut Rooms, key: SessionKey) {
    let held = rooms.zones.release_held(key, &rooms.sessions);
    let mut boxes = rooms.outboxes();
    for delivery in held {
        boxes.give(key, delivery);
    }
}

fn send_retained(
    rooms: &mut Rooms,
    now: Moment,
    key: SessionKey,
    filter: &Filter,
    id: Option<u32>,
) {
    let found = rooms.retained.matching(&filter.path, now);
    let mut boxes = rooms.outboxes();
    for message in found {
        let own = filter.no_local && message.publisher == Some(key);
        let readable = |session: &Session| session.rights.may_read(&message.topic);
        if own || !boxes.sessions.get(key).is_some_and(readable) {
            continue;
        }
        let qos = message.qos.min(filter.qos);
        let ids = id.into_iter().collect();
        let delivery = Delivery { qos, retain: true, stored: true, ids, ..Delivery::new(message) };
        boxes.give(key, delivery);
    }
}

/// Answers, or ends the connection if its client takes no packet as large [MQTT-3.1.2-24].
fn answer_codes(rooms: &mut Rooms, from: Sender, codes: usize, answer: Action) {
    let largest = rooms.sessions.get(from.key).map_or(usize::MAX, |session| session.largest);
    if codes_size(codes) > largest {
        return rooms.out.end(from.conn, Reason::TooLarge);
    }
    rooms.out.answer(from.conn, answer);
}

fn unsubscribe_one(rooms: &mut Rooms, key: SessionKey, path: &str) -> u8 {
    let Some(session) = rooms.sessions.get(key) else { return NO_SUBSCRIPTION };
    let shared = session.subscriptions.shares(path);
    if !shared && session.subscriptions.find(path).is_none() {
        return NO_SUBSCRIPTION;
    }
    if !shared {
        settle(rooms, key);
    }
    let session = rooms.sessions.get_mut(key);
    let Some(ended) = session.and_then(|session| session.subscriptions.remove(path)) else {
        return NO_SUBSCRIPTION;
    };
    forget(rooms, key, ended);
    Reason::Normal as u8
}
