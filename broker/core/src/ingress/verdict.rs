//! The leader's word that what a zone without a session holds is refused for good: there is no such zone, or its maker
//! may make no more.
//!
//! ```text
//!  set ──▶ waiting room ──asking──▶ leader ──refuse──▶ its publisher is acknowledged, with the reason
//!                                                  └─▶ the leader's session gets a copy, and answers
//! ```

use crate::id::SessionKey;
use crate::message::{Delivery, Message};
use crate::out::Complaint;
use crate::packet::{Qos, Reason};
use crate::rooms::Rooms;
use crate::site::is_report;
use crate::zones::Held;
use hearth_names::Turned;

/// Copies that may wait for the leader, answers to the site's API included. 256: what is above is refused at the next
/// announcement, so whoever gives orders to zones that there are not cannot end the session of the API.
const COPIES: usize = 256;

/// Refuses what the leader says, as far as there is room for copies in its session.
pub(super) fn hear(rooms: &mut Rooms, leader: SessionKey, payload: &[u8]) {
    let turned = std::str::from_utf8(payload).ok().and_then(|text| text.parse::<Turned>().ok());
    let Some(turned) = turned else {
        return tracing::warn!("the leader's word on a zone cannot be read");
    };
    let waiting = rooms.sessions.get(leader).map_or(COPIES, |it| it.outbox.outstanding());
    for delivery in rooms.zones.turn_away(&turned, COPIES.saturating_sub(waiting)) {
        let Delivery { message, hold, .. } = &delivery;
        let report = is_report(&message.topic);
        let (why, reason) =
            if report { (NO_ROOM, Reason::Quota) } else { (NOWHERE, Reason::Topic) };
        complain(rooms, message, why);
        if let Some(hold) = *hold {
            let held = Held { zone: &turned.knock.zone, hold, message };
            let rooms = &mut *rooms;
            rooms.zones.settle(held, Some(reason), &mut rooms.sessions, &mut rooms.out);
        }
        let (qos, retain) = (message.qos.min(Qos::AtLeastOnce), message.retain);
        let copy = Delivery { qos, retain, ..Delivery::new(message.clone()) };
        rooms.outboxes().give_if_it_fits(leader, copy);
    }
}

/// What the log says of a culprit.
const NOWHERE: &str = "gives orders to a zone that there is not";
const NO_ROOM: &str = "may make no more zones: its part of broker.limits.zones is used up";

fn complain(rooms: &mut Rooms, message: &Message, why: &'static str) {
    let session = message.publisher.and_then(|key| rooms.sessions.get(key));
    let culprit = session.map(|session| session.rights.user().unwrap_or(&session.client));
    let culprit = culprit.unwrap_or("a client that is gone").into();
    rooms.out.effects.complain(Complaint {
        culprit,
        why,
        about: format!("topic {}", message.topic),
    });
}
