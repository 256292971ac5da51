//! What a client is sent, and what its acknowledgements mean.

mod planted;

use crate::codec::{Action, Alias, Outgoing};
use crate::id::{ConnId, SessionKey};
use crate::message::{Delivery, Hold, Message};
use crate::moment::Moment;
use crate::out::{Out, Pulled as Told};
use crate::packet::{Qos, Reason};
use crate::session::{Acked, Next};
use crate::sessions::Sessions;
use crate::zones::{Held, Zones};

/// Bytes that a PUBLISH counts for beside its message, about.
const HEAD: usize = 16;

/// The rooms that a message leaves by.
pub(crate) struct Egress<'r> {
    pub(crate) sessions: &'r mut Sessions,
    pub(crate) zones: &'r mut Zones,
    pub(crate) out: &'r mut Out,
}

/// Why nothing more was pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// There is nothing more.
    Everything,
    /// There was no more room.
    Full,
    /// The next message has so many bytes, more than there was room for at a time.
    Large(usize),
}

/// A PUBLISH as far as its session knows it.
struct Ready {
    pid: u16,
    dup: bool,
    delivery: Delivery,
}

impl Egress<'_> {
    /// Adds to `into` what the connection should send now, stopping after about `room` bytes, and before a message of
    /// more than `largest`.
    pub(crate) fn pull(
        &mut self,
        now: Moment,
        conn: ConnId,
        (room, largest): (usize, usize),
        into: &mut impl Extend<Action>,
    ) -> Pulled {
        let Out { links, counts, .. } = &mut *self.out;
        let key = match links.pull(conn, into, &mut counts.sent) {
            Told::Nothing => return Pulled::Everything,
            Told::Close(reason) => {
                into.extend([Action::Close(reason)]);
                return Pulled::Everything;
            }
            Told::Session(key) => key,
        };
        let mut left = room;
        let mut large = None;
        while left > 0 {
            let Some(session) = self.sessions.get_mut(key) else { return Pulled::Everything };
            let weight = session.outbox.next_weight();
            if weight > largest {
                large = Some(Pulled::Large(weight));
                break;
            }
            let action = match session.outbox.next(now, session.window) {
                None => break,
                Some(Next::Pubrel(pid)) => Some(Action::Pubrel(pid)),
                Some(Next::Publish { pid, dup, delivery }) => {
                    let outgoing = self.outgoing(now, key, Ready { pid, dup, delivery });
                    let size = outgoing.as_ref().map_or(0, |o| o.message.weight() + HEAD);
                    left = left.saturating_sub(size);
                    outgoing.map(Action::Publish)
                }
            };
            self.out.counts.sent += u64::from(action.is_some());
            into.extend(action);
        }
        self.keep_progress(key);
        large.unwrap_or(if left == 0 { Pulled::Full } else { Pulled::Everything })
    }

    /// PUBACK, or a PUBREC that refuses; `refusal` says why the client does not take the message.
    ///
    /// # Errors
    ///
    /// The reason to end the connection with, as with the other acknowledgements: it is not what this message waits
    /// for.
    pub(crate) fn acked(
        &mut self,
        key: SessionKey,
        pid: u16,
        qos: Qos,
        refusal: Option<Reason>,
    ) -> Result<(), Reason> {
        let Some(session) = self.sessions.get_mut(key) else { return Ok(()) };
        let acked = session.outbox.acked(pid, qos);
        self.settle(key, acked, refusal)
    }

    /// A PUBREC that takes the message.
    ///
    /// # Errors
    ///
    /// As for [`Egress::acked`].
    pub(crate) fn received(
        &mut self,
        conn: ConnId,
        key: SessionKey,
        pid: u16,
    ) -> Result<(), Reason> {
        let Some(session) = self.sessions.get_mut(key) else { return Ok(()) };
        let acked = session.outbox.received(pid);
        self.settle(key, acked, None)?;
        // Also for an unknown id, so that the client can finish.
        self.out.answer(conn, Action::Pubrel(pid));
        Ok(())
    }

    /// A PUBCOMP.
    ///
    /// # Errors
    ///
    /// As for [`Egress::acked`].
    pub(crate) fn completed(&mut self, key: SessionKey, pid: u16) -> Result<(), Reason> {
        let Some(session) = self.sessions.get_mut(key) else { return Ok(()) };
        let acked = session.outbox.completed(pid);
        self.settle(key, acked, None)
    }

    /// The packet of a delivery; none if its client takes none as large.
    fn outgoing(&mut self, now: Moment, key: SessionKey, ready: Ready) -> Option<Outgoing> {
        let Ready { pid, dup, delivery } = ready;
        let session = self.sessions.get_mut(key)?;
        let message = delivery.message;
        let mut extra = if session.zone.is_some() {
            self.zones.extra(&message, delivery.stored)
        } else {
            Box::default()
        };
        if let Some(replies) = &message.replies
            && self.zones.site().is_gateway(&session.client)
        {
            extra = [&extra, &replies[..]].concat().into();
        }
        let left = message.expires.map(|at| at.secs_from(now).max(1));
        let mut outgoing = Outgoing {
            pid,
            qos: delivery.qos,
            dup,
            retain: delivery.retain,
            expiry: planted::expiry(left),
            ids: delivery.ids,
            extra,
            alias: Alias::None,
            message,
        };
        if let Some(aliases) = &mut session.aliases {
            outgoing.alias = aliases.next(&outgoing.message.topic);
            // The three bytes that make an alias known may be too many.
            if outgoing.size(session.version) > session.largest {
                aliases.unsent(std::mem::take(&mut outgoing.alias));
            }
        }
        let fits = outgoing.size(session.version) <= session.largest;
        if !fits {
            tracing::warn!(client = %session.client, topic = %outgoing.message.topic, "a message is larger than the client takes");
            // As if it had been sent and acknowledged [MQTT-3.1.2-25].
            if pid != 0 {
                session.outbox.acked(pid, delivery.qos);
            }
        }
        if let Some(hold) = delivery.hold
            && (!fits || delivery.qos == Qos::AtMostOnce)
        {
            self.settle_at_once(key, hold, &outgoing.message, fits);
        }
        if !fits {
            return None;
        }
        self.out.counts.publishes_sent += 1;
        self.out.counts.payload_sent += outgoing.message.payload.len() as u64;
        Some(outgoing)
    }

    /// A publisher waits for a message that its zone's session will not acknowledge: at QoS 0 it never does, and what
    /// is larger than it takes it never gets.
    fn settle_at_once(&mut self, key: SessionKey, hold: Hold, message: &Message, fits: bool) {
        let Self { sessions, zones, out } = self;
        let Some(zone) = sessions.get(key).and_then(|session| session.zone.clone()) else { return };
        let held = Held { zone: &zone, hold, message };
        if fits {
            zones.settle(held, None, sessions, out);
        } else {
            zones.refuse(held, sessions, out);
        }
    }

    fn settle(
        &mut self,
        key: SessionKey,
        acked: Acked,
        refusal: Option<Reason>,
    ) -> Result<(), Reason> {
        let Self { sessions, zones, out } = self;
        let Some(session) = sessions.get(key) else { return Ok(()) };
        match acked {
            Acked::Done(Some(hold), message) => {
                if let Some(zone) = session.zone.clone() {
                    let held = Held { zone: &zone, hold, message: &message };
                    zones.settle(held, refusal, sessions, out);
                }
            }
            Acked::Done(None, _) | Acked::Unknown => {}
            Acked::Wrong => return Err(Reason::Protocol),
        }
        self.keep_progress(key);
        if let Some(conn) = self.sessions.get(key).and_then(|session| session.conn) {
            self.out.wake(conn);
        }
        Ok(())
    }

    /// The client may have taken something of what was kept for it.
    fn keep_progress(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.keep_progress(&mut self.out.effects.keep);
        }
        self.sessions.weigh_queue(key);
    }
}
