//! The last station of a message before it is sent: the queues of the sessions that get it.

use std::sync::Arc;

use broker_settings::Limits;

use crate::id::SessionKey;
use crate::keep::Keep;
use crate::message::{Delivery, Message};
use crate::moment::Moment;
use crate::out::{Complaint, Effects, Out, Timer};
use crate::packet::{Qos, Reason};
use crate::session::{Offer, Via};
use crate::sessions::Sessions;

/// The queues, with what putting a message into one may touch.
pub(crate) struct Outboxes<'r> {
    pub(crate) sessions: &'r mut Sessions,
    out: &'r mut Out,
    limits: &'r Limits,
    /// Bytes of messages that have bounds of their own.
    elsewhere: usize,
}

impl<'r> Outboxes<'r> {
    pub(crate) fn new(
        sessions: &'r mut Sessions,
        out: &'r mut Out,
        limits: &'r Limits,
        elsewhere: usize,
    ) -> Self {
        Self { sessions, out, limits, elsewhere }
    }

    /// What the caller has to do.
    pub(crate) fn effects(&mut self) -> &mut Effects {
        &mut self.out.effects
    }

    /// Delivers a message to a session as its subscriptions say, unless it comes on another way, or has come.
    pub(crate) fn deliver(&mut self, key: SessionKey, message: &Arc<Message>, via: Via) {
        let Some(session) = self.sessions.get(key) else { return };
        let handed = message.handed && session.zone.as_deref() == message.zone();
        let had = matches!(via, Via::Router(_)) && message.order <= session.settled;
        if handed || had {
            return;
        }
        let Some(pick) = session.pick(message, key, via) else { return };
        if session.conn.is_none() && pick.qos == Qos::AtMostOnce {
            return;
        }
        let message = message.clone();
        let (qos, retain, ids) = (pick.qos, pick.retain, pick.ids);
        self.give(key, Delivery { qos, retain, ids, ..Delivery::new(message) });
    }

    /// Puts a delivery into a session's queue and deals with a full one.
    pub(crate) fn give(&mut self, key: SessionKey, delivery: Delivery) {
        let free = self.sessions.free(key, self.elsewhere, self.limits);
        let Some(session) = self.sessions.get_mut(key) else { return };
        if session.doomed && delivery.hold.is_none() {
            return;
        }
        let offer = session.outbox.offer(delivery, self.limits, free);
        match (offer, session.conn) {
            (Offer::Queued, Some(conn)) => self.out.wake(conn),
            (Offer::Queued, None) => session.keep_waiting(&mut self.out.effects.keep),
            (Offer::Dropped, _) => self.out.counts.dropped += 1,
            (Offer::Overflow, _) => {
                self.out.counts.dropped += 1;
                self.doom(key);
            }
        }
        self.sessions.weigh_queue(key);
    }

    /// Puts a delivery into a session's queue if that is not full; otherwise it is lost.
    pub(crate) fn give_if_it_fits(&mut self, key: SessionKey, delivery: Delivery) {
        let free = self.sessions.free(key, self.elsewhere, self.limits);
        let session = self.sessions.get(key);
        if session.is_some_and(|session| session.outbox.fits(&delivery, self.limits, free)) {
            self.give(key, delivery);
        }
    }

    /// Ends a session that cannot keep what it was promised, at the next tick: this may be in the middle of a delivery
    /// to many. Its client learns of it: by the reason if it is there, and in any case by the next CONNACK, which says
    /// that there is no session.
    pub(crate) fn doom(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        if std::mem::replace(&mut session.doomed, true) {
            return;
        }
        if session.conn.is_none() {
            let culprit = session.rights.user().unwrap_or(&session.client).into();
            let about = format!("client {}", session.client);
            let why = "more waits for a session than there is room for, and the session ends";
            self.out.effects.complain(Complaint { culprit, why, about });
        }
        let at = Moment::default();
        self.out.timers.cancel(session.ends_at.replace(at), Timer::SessionEnds(key));
        self.out.timers.set(at, Timer::SessionEnds(key));
        if session.kept {
            self.out.keep(Keep::Session(session.lasting()));
        }
        if let Some(conn) = session.conn {
            self.out.end(conn, Reason::Quota);
        }
    }
}
