//! Where a publish that was accepted becomes a message and is sent everywhere.

use std::sync::Arc;

use bytes::Bytes;
use hearth_names::{
    MAKER_PROPERTY, REPLY_PROPERTY, RETAINED_PROPERTY, STAMP_PROPERTY, UP_TO_PROPERTY,
};

use crate::access::Payer;
use crate::id::SessionKey;
use crate::keep::Keep;
use crate::message::{Hold, Message};
use crate::moment::Moment;
use crate::out::Complaint;
use crate::packet::{Properties, Publish, Qos, user_property, without_user_properties};
use crate::retained::Full;
use crate::rooms::Rooms;
use crate::route::Route;
use crate::shares::maker;
use crate::site::{OWN, is_set};
use crate::zones::{Handed, Held, Knocking};

/// A publish that was accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) publish: Publish,
    /// Where it goes.
    pub(crate) route: Route,
    /// Whose it is; none for the broker's own.
    pub(crate) publisher: Option<SessionKey>,
    /// Whose acknowledgement waits for it.
    pub(crate) hold: Option<Hold>,
}

/// Makes a message of a publish and sends it everywhere.
pub(crate) fn take_in(rooms: &mut Rooms, now: Moment, accepted: Accepted) {
    let Accepted { publish, route, publisher, hold } = accepted;
    let zone = route.zone();
    // Nothing delivers a publish at QoS 0 again, so no gateway has to recognise it.
    let stamp = (zone.is_some() && hold.is_some()).then(|| rooms.zones.stamp());
    let asks = rooms.zones.site().asks(&publish.topic);
    let session = publisher.and_then(|key| rooms.sessions.get_mut(key));
    let payer = session.as_ref().map_or(Payer::House, |session| session.payer.clone());
    let replies = session.filter(|_| asks).map(|session| session.rights.replies());
    let mut message = Message {
        publisher,
        payer: if zone.is_some() { payer.clone() } else { Payer::House },
        owner: payer.user().filter(|_| publish.retain).cloned(),
        stamp,
        zone,
        handed: route.is_held(),
        replies,
        ..Message::new(publish, now, rooms.next_order())
    };
    if (zone.is_some() || asks) && !message.properties.is_empty() {
        let ours = [STAMP_PROPERTY, RETAINED_PROPERTY, REPLY_PROPERTY];
        message.properties = without_user_properties(&message.properties, &ours);
    }
    if rooms.zones.site().is_registration(&message.topic) {
        let mut properties =
            without_user_properties(&message.properties, &[MAKER_PROPERTY]).into_vec();
        let maker = maker(&payer, &rooms.settings.limits).to_string();
        properties.extend(user_property(MAKER_PROPERTY, &maker));
        message.properties = properties.into();
    }
    let message = Arc::new(message.weighed(rooms.sessions.scales()));
    // A set that is kept would be obeyed again and again, so its owner refuses it. It may clear what there was.
    let order = route.is_held() && is_set(&message.topic);
    if message.retain && (!order || message.payload.is_empty()) {
        retain(rooms, &message, payer);
    }
    // Before the zone, whose name may be announced: messages enter the router in their order.
    let (fanout, mut boxes) = rooms.fanout();
    fanout.send(&message, &mut boxes);
    if route.is_held() {
        hand(rooms, now, route, &message, hold);
    }
}

/// A publish that nobody waits for: a will or one of the broker's own.
pub(crate) fn publish_for(
    rooms: &mut Rooms,
    now: Moment,
    publisher: Option<SessionKey>,
    publish: Publish,
) {
    let route = rooms.zones.route(&publish.topic, &rooms.sessions);
    if publisher.is_some() && matches!(route, Route::Own | Route::Request | Route::Verdict) {
        return tracing::debug!(topic = %publish.topic, "a will on a topic of the broker's own goes nowhere");
    }
    let limits = &rooms.settings.limits;
    let session = publisher.and_then(|key| rooms.sessions.get(key));
    let payer = session.map_or(&Payer::House, |session| &session.payer);
    if rooms.zones.full(&publish, route, payer, limits) {
        tracing::warn!(topic = %publish.topic, "no room for the will of a client of this zone");
        return;
    }
    let promised = publish.qos > Qos::AtMostOnce;
    let qos = publish.qos;
    let number = rooms.next_hold();
    let hold = publisher.filter(|_| promised);
    let hold = hold.map(|publisher| Hold { number, publisher, pid: 0, qos });
    take_in(rooms, now, Accepted { publish, route, publisher, hold });
}

/// Publishes one of the broker's own values, retained; an empty one clears the topic.
pub(crate) fn tell(rooms: &mut Rooms, now: Moment, topic: &str, value: &str) {
    let topic = format!("{OWN}/broker/{topic}");
    let publish = own(topic.into(), Bytes::copy_from_slice(value.as_bytes()));
    publish_for(rooms, now, None, Publish { retain: true, ..publish });
}

/// Names every zone that waits.
pub(crate) fn announce(rooms: &mut Rooms, now: Moment) {
    let Rooms { zones, sessions, out, .. } = rooms;
    for (zone, knocking) in zones.announce(now, sessions, out) {
        announce_zone(rooms, now, &zone, knocking);
    }
    start_announcing(rooms, now);
}

/// Sees to it that zones which wait are named from time to time.
pub(crate) fn start_announcing(rooms: &mut Rooms, now: Moment) {
    let Rooms { zones, settings, out, .. } = rooms;
    zones.start_announcing(now, &settings.limits, out);
}

fn announce_zone(rooms: &mut Rooms, now: Moment, zone: &str, knocking: Knocking) {
    let site = rooms.zones.site();
    let publish = match &knocking {
        Knocking::Report { payer, order } => {
            let mut publish =
                own(site.waiting_topic().into(), Bytes::copy_from_slice(zone.as_bytes()));
            let maker = maker(payer, &rooms.settings.limits).to_string();
            let up_to = rooms.zones.moment(*order).to_string();
            let mut properties = user_property(MAKER_PROPERTY, &maker);
            properties.extend(user_property(UP_TO_PROPERTY, &up_to));
            publish.properties.forwarded = properties.into();
            publish
        }
        Knocking::Set => {
            own(site.asking_topic().into(), rooms.zones.knock(zone, rooms.order()).into())
        }
    };
    publish_for(rooms, now, None, publish);
}

fn own(topic: Box<str>, payload: Bytes) -> Publish {
    Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        pid: 0,
        topic,
        payload,
        properties: Properties::default(),
    }
}

/// Keeps a retained message, or clears the topic's; tells the store.
fn retain(rooms: &mut Rooms, message: &Arc<Message>, payer: Payer) {
    if !rooms.zones.site().retains(&message.topic, &message.payload) {
        let why = "published an answer with RETAIN, which is delivered but not retained";
        return complain(rooms, message, why);
    }
    match rooms.retained.keep(message, payer, &rooms.settings.limits) {
        Err(Full) => {
            let why = "published what is delivered but not retained: its part of the store is full";
            complain(rooms, message, why);
        }
        Ok(changed) if changed && rooms.outlives(&message.topic) => {
            rooms.out.keep(if message.payload.is_empty() {
                Keep::Cleared(message.topic.clone())
            } else {
                Keep::Retained(message.clone())
            });
        }
        Ok(_) => {}
    }
}

/// Tells the log, since nobody tells the client.
fn complain(rooms: &mut Rooms, message: &Message, why: &'static str) {
    let about = format!("topic {}", message.topic);
    let session = message.publisher.and_then(|key| rooms.sessions.get(key));
    let culprit = session.map(|session| session.rights.user().unwrap_or(&session.client));
    let culprit = culprit.unwrap_or("the broker").into();
    rooms.out.effects.complain(Complaint { culprit, why, about });
}

/// Gives a message to the zone's session or waiting room.
fn hand(rooms: &mut Rooms, now: Moment, route: Route, message: &Arc<Message>, hold: Option<Hold>) {
    let Route::Zone(name, place) = route else { return };
    let Rooms { zones, sessions, settings, out, .. } = rooms;
    match zones.hand(name, place, message, hold, sessions, &settings.limits) {
        Handed::Give(key, delivery) => rooms.outboxes().give(key, delivery),
        Handed::Flooded => rooms.out.counts.dropped += 1,
        Handed::Unwanted => {
            if let Some(hold) = hold {
                let zone = name.of(&message.topic);
                zones.settle(Held { zone, hold, message }, None, sessions, out);
            }
        }
        Handed::Waits { news } => {
            if let Some(knocking) = news {
                announce_zone(rooms, now, name.of(&message.topic), knocking);
            }
            start_announcing(rooms, now);
        }
    }
}
