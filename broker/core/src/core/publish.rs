//! What a client sends: dispatch of packets, and the way of a publish.

use std::sync::Arc;

use hearth_names::{RETAINED_PROPERTY, STAMP_PROPERTY};

use super::Core;
use super::connect::Ended;
use super::durable_ack::Place;
use super::session::{Incoming, Print, Withheld};
use crate::access::Rights;
use crate::message::{ConnId, Hold, Message, SessionKey};
use crate::moment::Moment;
use crate::mutant::mutant;
use crate::protocol::{
    Action, Packet, Publish, Qos, Reason, Version, response_topic, without_user_properties,
};

/// What became of a packet.
#[derive(Debug)]
pub enum Received {
    /// It is taken; answers to it are pulled.
    Done,
    /// There is no room now: read nothing more from this client and give the packet again after a wake.
    Busy(Publish),
    /// DISCONNECT.
    Goodbye(Ended),
}

impl Core {
    /// Takes a packet from a connected client.
    ///
    /// # Errors
    ///
    /// The reason to end the connection with.
    pub fn receive(
        &mut self,
        now: Moment,
        conn: ConnId,
        packet: Packet,
    ) -> Result<Received, Reason> {
        let Some(key) = self.links.get(&conn).and_then(|link| link.session) else {
            return Ok(Received::Done);
        };
        self.counts.received += 1;
        match packet {
            Packet::Connect(_) => return Err(Reason::Protocol),
            Packet::Publish(publish) => {
                let bytes = publish.payload.len() as u64;
                let done = self.publish(now, conn, key, publish)?;
                if let Received::Busy(_) = done {
                    // It comes again.
                    self.counts.received -= 1;
                } else {
                    self.counts.publishes_received += 1;
                    self.counts.payload_received += bytes;
                }
                return Ok(done);
            }
            Packet::Puback(pid, refusal) => self.acked(key, pid, Qos::AtLeastOnce, refusal)?,
            Packet::Pubrec(pid, taken) => self.pubrec(conn, key, pid, taken)?,
            Packet::Pubrel(pid) => self.pubrel(conn, key, pid)?,
            Packet::Pubcomp(pid) => self.pubcomp(key, pid)?,
            Packet::Subscribe { pid, id, filters } => {
                self.subscribe(now, conn, key, (pid, id), filters)?;
            }
            Packet::Unsubscribe { pid, filters } => self.unsubscribe(conn, key, pid, &filters),
            Packet::Pingreq => self.answer(conn, Action::Pingresp),
            Packet::Disconnect { with_will, session_expiry } => {
                if let Some(seconds) = session_expiry {
                    self.change_expiry(key, seconds)?;
                }
                return Ok(Received::Goodbye(if with_will { Ended::Lost } else { Ended::Goodbye }));
            }
        }
        Ok(Received::Done)
    }

    fn publish(
        &mut self,
        now: Moment,
        conn: ConnId,
        key: SessionKey,
        publish: Publish,
    ) -> Result<Received, Reason> {
        let (pid, qos) = (publish.pid, publish.qos);
        if Self::is_own(&publish.topic) {
            self.refuse_own(conn, key, &publish);
            return Ok(Received::Done);
        }
        if qos == Qos::AtMostOnce {
            if !self.permits(key, &publish) {
                return Ok(Received::Done);
            }
            if self.place(&publish.topic) != Place::Plain && self.zone_full(&publish) {
                tracing::debug!(topic = %publish.topic, "no room for a QoS 0 publish of this zone");
                return Ok(Received::Done);
            }
            self.take_in(now, Some(key), publish, None);
            return Ok(Received::Done);
        }
        let limit = usize::from(self.settings.limits.receive_maximum);
        let Some(session) = self.sessions.get(&key) else { return Ok(Received::Done) };
        let version = session.version;
        let withheld = self.place(&publish.topic) != Place::Plain;
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(Received::Done) };
        let away = session.acked_away.remove(&pid).filter(|_| qos == Qos::AtLeastOnce);
        // Of anything else no repetition has to be recognised.
        let compared = withheld || qos == Qos::ExactlyOnce || away.is_some();
        let print = if compared { Print::of(&publish) } else { Print::default() };
        let same = |other: Print| other == print || mutant!(PacketIdIsTheMessage);
        if let Some(away) = away.filter(|away| publish.dup && same(away.print)) {
            self.acknowledge(conn, pid, qos, away.reason);
            return Ok(Received::Done);
        }
        match session.incoming(pid) {
            Some(Incoming::Received(earlier))
                if qos == Qos::ExactlyOnce
                    && earlier.is_none_or(same)
                    && !mutant!(RepetitionIsNew) =>
            {
                self.answer(conn, Action::Pubrec(pid, Reason::Normal));
                return Ok(Received::Done);
            }
            // A repetition of what is already taken in; its acknowledgement is under way.
            Some(Incoming::Withheld(earlier))
                if (publish.dup || qos == Qos::ExactlyOnce)
                    && same(earlier.print)
                    && !mutant!(ReportTwice) =>
            {
                let again = Withheld { heard: conn, ..earlier };
                session.set_incoming(pid, Some(Incoming::Withheld(again)));
                return Ok(Received::Done);
            }
            None if session.incoming_count() >= limit => {
                return match version {
                    Version::V5 => Err(Reason::ReceiveMaximum),
                    Version::V311 => Ok(self.busy(conn, publish)),
                };
            }
            _ => {}
        }
        if !self.permits(key, &publish) {
            // MQTT 3.1.1 has no word for it, and an acknowledgement would be a lie [MQTT-3.3.5-2].
            if version == Version::V311 {
                return Err(Reason::NotAuthorized);
            }
            self.acknowledge(conn, pid, qos, Reason::NotAuthorized);
            return Ok(Received::Done);
        }
        if publish.retain && !self.retained.admits(&publish, &self.settings.limits) {
            // As above: MQTT 3.1.1 has no word for it.
            if version == Version::V311 {
                return Err(Reason::Quota);
            }
            self.acknowledge(conn, pid, qos, Reason::Quota);
            return Ok(Received::Done);
        }
        if withheld && self.zone_full(&publish) {
            if version == Version::V311 {
                return Ok(self.busy(conn, publish));
            }
            self.acknowledge(conn, pid, qos, Reason::Quota);
            return Ok(Received::Done);
        }
        let number = self.next_hold();
        let incoming = if withheld {
            Some(Incoming::Withheld(Withheld { heard: conn, number, print }))
        } else {
            (qos == Qos::ExactlyOnce).then_some(Incoming::Received(Some(print)))
        };
        self.remember(key, pid, incoming);
        self.take_in(now, Some(key), publish, Some(Hold { number, publisher: key, pid, qos }));
        if !withheld || mutant!(AcknowledgedAtOnce) {
            self.acknowledge(conn, pid, qos, Reason::Normal);
        }
        Ok(Received::Done)
    }

    /// Whether a client may publish this. A refusal is logged once per connection, so that none fills the log.
    fn permits(&mut self, key: SessionKey, publish: &Publish) -> bool {
        let Some(session) = self.sessions.get_mut(&key) else { return false };
        if permitted(&mut session.rights, publish) {
            return true;
        }
        if !std::mem::replace(&mut session.refusal_logged, true) {
            tracing::info!(client = %session.client, topic = %publish.topic, "may not publish this; further refusals are not logged");
        }
        false
    }

    /// A publish to a topic of the broker's own. MQTT 3.1.1 has no word for no: it is taken and goes nowhere.
    fn refuse_own(&mut self, conn: ConnId, key: SessionKey, publish: &Publish) {
        let Publish { pid, qos, topic, .. } = publish;
        let version = self.sessions.get(&key).map(|session| session.version);
        tracing::debug!(%topic, "nobody but the broker publishes below $SYS");
        if *qos == Qos::AtMostOnce {
            return;
        }
        if version == Some(Version::V5) {
            return self.acknowledge(conn, *pid, *qos, Reason::NotAuthorized);
        }
        let print = Print::of(publish);
        let received = (*qos == Qos::ExactlyOnce).then_some(Incoming::Received(Some(print)));
        self.remember(key, *pid, received);
        self.acknowledge(conn, *pid, *qos, Reason::Normal);
    }

    fn busy(&mut self, conn: ConnId, publish: Publish) -> Received {
        self.paused.insert(conn);
        Received::Busy(publish)
    }

    /// Notes where the handshake of a publish stands. An earlier publish under the same packet id is not waited for
    /// any more: what becomes of it says nothing about this one.
    fn remember(&mut self, key: SessionKey, pid: u16, incoming: Option<Incoming>) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.set_incoming(pid, incoming);
        }
    }

    const fn next_hold(&mut self) -> u64 {
        self.holds += 1;
        self.holds
    }

    pub(super) fn acknowledge(&mut self, conn: ConnId, pid: u16, qos: Qos, reason: Reason) {
        let action = match qos {
            Qos::ExactlyOnce => Action::Pubrec(pid, reason),
            _ => Action::Puback(pid, reason),
        };
        self.answer(conn, action);
    }

    /// # Errors
    /// The reason to end the connection with: the client was not told yet that its publish is received.
    fn pubrel(&mut self, conn: ConnId, key: SessionKey, pid: u16) -> Result<(), Reason> {
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        let reason = match session.incoming(pid) {
            Some(Incoming::Received(_)) => Reason::Normal,
            Some(Incoming::Withheld(_)) => return Err(Reason::Protocol),
            None => Reason::PidUnknown,
        };
        session.set_incoming(pid, None);
        self.answer(conn, Action::Pubcomp(pid, reason));
        if self.paused.remove(&conn) {
            self.effects.wake(conn);
        }
        Ok(())
    }

    /// A publish that nobody waits for: a will or one of the broker's own.
    pub(super) fn publish_for(
        &mut self,
        now: Moment,
        publisher: Option<SessionKey>,
        publish: Publish,
    ) {
        if publisher.is_some() && Self::is_own(&publish.topic) {
            return tracing::debug!(topic = %publish.topic, "a will below $SYS goes nowhere");
        }
        let zone = self.place(&publish.topic) != Place::Plain;
        if zone && self.zone_full(&publish) {
            tracing::warn!(topic = %publish.topic, "no room for the will of a client of this zone");
            return;
        }
        let promised = publish.qos > Qos::AtMostOnce;
        let number = self.next_hold();
        let hold = publisher.filter(|_| promised).map(|publisher| Hold {
            number,
            publisher,
            pid: 0,
            qos: publish.qos,
        });
        self.take_in(now, publisher, publish, hold);
    }

    /// Makes a message of a publish and sends it everywhere.
    fn take_in(
        &mut self,
        now: Moment,
        publisher: Option<SessionKey>,
        publish: Publish,
        hold: Option<Hold>,
    ) {
        let place = self.place(&publish.topic);
        let of_zone = self.zones.zone_of(&publish.topic).is_some();
        // Nothing delivers a publish at QoS 0 again, so no gateway has to recognise it.
        let stamp = (of_zone && hold.is_some()).then(|| self.zones.stamp());
        let mut message = Message {
            publisher,
            stamp,
            handed: place != Place::Plain,
            ..Message::new(publish, now, self.next_order())
        };
        if of_zone && !message.properties.is_empty() {
            message.properties =
                without_user_properties(&message.properties, &[STAMP_PROPERTY, RETAINED_PROPERTY]);
        }
        let message = Arc::new(message.weighed(&self.room.scales));
        if message.retain {
            self.retain(&message);
        }
        // Before the zone, whose name may be announced: messages enter the router in their order.
        self.route(&message);
        if place != Place::Plain {
            self.hand(now, place, &message, hold);
        }
    }
}

/// Whether a publish is within somebody's rights: its topic, and where it asks an answer to be sent. Whoever answers
/// has rights of its own, and must not be made to publish where the one who asks may not.
pub(super) fn permitted(rights: &mut Rights, publish: &Publish) -> bool {
    rights.may_publish(&publish.topic)
        && (publish.properties.forwarded.is_empty()
            || rights.are_all()
            || response_topic(&publish.properties.forwarded)
                .is_none_or(|topic| rights.may_publish(topic)))
}
