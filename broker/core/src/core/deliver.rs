//! Messages reach sessions, and connections fetch what their session has for them.

use super::Core;
use super::outbox::{Acked, Next, Offer};
use super::session::Via;
use crate::message::{ConnId, Delivery, Hold, Message, SessionKey};
use crate::moment::Moment;
use crate::mutant::mutant;
use crate::protocol::{Action, Alias, Outgoing, Qos, Reason};
use crate::router::{FilterId, Routed, RouterOp};
use std::sync::Arc;

impl Core {
    /// Sends a message to everyone but the zone's session.
    pub(super) fn route(&mut self, message: &Arc<Message>) {
        if let Some(audience) = self.exact.get(&message.topic) {
            let groups = audience.groups.clone();
            let mut receivers = std::mem::take(&mut self.receivers);
            receivers.extend_from_slice(&audience.sessions);
            for key in receivers.drain(..) {
                self.deliver(key, message, Via::Exact);
            }
            self.receivers = receivers;
            for id in groups {
                self.share(id, message);
            }
        }
        if self.watchers.is_empty() {
            return;
        }
        let (filters, routed) = self.filters.matching(&message.topic);
        for filter in filters {
            self.fan_out(filter, message);
        }
        if !routed {
            return;
        }
        let fence = self.window.push(message.clone());
        self.effects.router.push(RouterOp::Publish(message.clone()));
        self.effects.router.extend(fence.map(RouterOp::Fence));
    }

    /// Takes what came out of the router.
    pub fn routed(&mut self, batch: &[Routed]) {
        for &routed in batch {
            match routed {
                Routed::Match(filter, order) => match self.window.pass(filter, order).cloned() {
                    Some(message) => self.fan_out(filter, &message),
                    None => self.lost(filter),
                },
                Routed::Gap(filter) => self.lost(filter),
                Routed::Fence(number) => {
                    let next = self.window.returned(number);
                    self.effects.router.extend(next.map(RouterOp::Fence));
                }
            }
        }
    }

    fn fan_out(&mut self, filter: FilterId, message: &Arc<Message>) {
        let Some(audience) = self.watchers.get_mut(&filter).map(std::mem::take) else { return };
        for &key in &audience.sessions {
            self.deliver(key, message, Via::Router(filter));
        }
        for &id in &audience.groups {
            self.share(id, message);
        }
        if let Some(place) = self.watchers.get_mut(&filter) {
            *place = audience;
        }
    }

    /// Delivers to one session what is still inside the router for it. Before its subscriptions change, so that every
    /// message is delivered as they were when it came.
    pub(super) fn settle_routed(&mut self, key: SessionKey) {
        let order = self.order;
        let Some(session) = self.sessions.get(&key) else { return };
        let filters: Vec<FilterId> = session
            .wild
            .iter()
            .filter_map(|(_, sub)| sub.filter.filter(|&id| self.filters.is_routed(id)))
            .collect();
        if filters.is_empty() || session.settled == order || mutant!(RoutedLost) {
            return;
        }
        let inside = self.window.after(session.settled).cloned().collect::<Vec<_>>();
        for message in &inside {
            for &filter in &filters {
                if self.window.passed(filter) < message.order {
                    self.deliver(key, message, Via::Router(filter));
                }
            }
        }
        if let Some(session) = self.sessions.get_mut(&key) {
            session.settled = order;
        }
    }

    /// The router outran its log: whoever was promised QoS 1 or 2 is told by the end of the session.
    fn lost(&mut self, filter: FilterId) {
        let sessions = self.watchers.get(&filter).map(|audience| audience.sessions.clone());
        for key in sessions.unwrap_or_default() {
            let Some(session) = self.sessions.get(&key) else { continue };
            let promised = session
                .wild
                .iter()
                .any(|(_, s)| s.filter == Some(filter) && s.qos > Qos::AtMostOnce);
            if promised {
                tracing::warn!(client = %session.client, "messages were lost in the router's log");
                self.doom(key);
            }
        }
    }

    fn deliver(&mut self, key: SessionKey, message: &Arc<Message>, via: Via) {
        let Some(session) = self.sessions.get(&key) else { return };
        let handed =
            message.handed && session.zone.as_deref() == self.zones.zone_of(&message.topic);
        let had = matches!(via, Via::Router(_)) && message.order <= session.settled;
        if handed || had {
            return;
        }
        let Some(pick) = session.pick(message, Some(key), via) else { return };
        if session.conn.is_none() && pick.qos == Qos::AtMostOnce {
            return;
        }
        let message = message.clone();
        self.give(
            key,
            Delivery {
                message,
                qos: pick.qos,
                retain: pick.retain,
                stored: false,
                ids: pick.ids,
                hold: None,
                kept: 0,
                group: None,
            },
        );
    }

    /// Puts a delivery into a session's queue and deals with a full one.
    pub(super) fn give(&mut self, key: SessionKey, delivery: Delivery) {
        let free = self.free();
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if session.doomed && delivery.hold.is_none() {
            return;
        }
        match (session.outbox.offer(delivery, &self.settings.limits, free), session.conn) {
            (Offer::Queued, Some(conn)) => self.effects.wake(conn),
            (Offer::Queued, None) => self.keep_waiting(key),
            (Offer::Dropped, _) => self.counts.dropped += 1,
            (Offer::Overflow, _) => {
                self.counts.dropped += 1;
                self.doom(key);
            }
        }
    }

    /// Adds to `out` what the connection should send now, stopping after about `room` bytes. Tells whether it stopped
    /// because of that.
    pub fn pull(
        &mut self,
        now: Moment,
        conn: ConnId,
        room: usize,
        out: &mut impl Extend<Action>,
    ) -> bool {
        let Some(link) = self.links.get_mut(&conn) else { return false };
        self.counts.sent += link.answers.len() as u64;
        out.extend(link.answers.drain(..));
        let (close, key) = (link.close, link.session);
        if let Some(reason) = close {
            out.extend([Action::Close(reason)]);
            return false;
        }
        let Some(key) = key else { return false };
        let mut left = room;
        while left > 0 {
            let Some(session) = self.sessions.get_mut(&key) else { return false };
            let window = session.window;
            let action = match session.outbox.next(now, window) {
                None => break,
                Some(Next::Pubrel(pid)) => Some(Action::Pubrel(pid)),
                Some(Next::Publish { pid, dup, delivery }) => {
                    let outgoing = self.outgoing(now, key, (pid, dup), delivery);
                    let size = outgoing.as_ref().map_or(0, |o| o.message.weight() + 16);
                    left = left.saturating_sub(size);
                    outgoing.map(Action::Publish)
                }
            };
            self.counts.sent += u64::from(action.is_some());
            out.extend(action);
        }
        self.keep_progress(key);
        left == 0
    }

    fn outgoing(
        &mut self,
        now: Moment,
        key: SessionKey,
        (pid, dup): (u16, bool),
        delivery: Delivery,
    ) -> Option<Outgoing> {
        let session = self.sessions.get_mut(&key)?;
        let message = delivery.message;
        let extra = if session.zone.is_some() {
            self.zones.extra(&message, delivery.stored)
        } else {
            Box::default()
        };
        let mut outgoing = Outgoing {
            pid,
            qos: delivery.qos,
            dup,
            retain: delivery.retain,
            expiry: message
                .expires
                .filter(|_| !mutant!(ExpiryNotSent))
                .map(|at| at.secs_from(now).max(1)),
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
        if outgoing.size(session.version) > session.largest {
            // As if it had been sent and acknowledged [MQTT-3.1.2-25]; whoever waits for the real thing is told.
            tracing::warn!(client = %session.client, topic = %outgoing.message.topic, "a message is larger than the client takes");
            if pid != 0 {
                session.outbox.acked(pid, delivery.qos);
            }
            if let (Some(hold), Some(zone)) = (delivery.hold, session.zone.clone()) {
                self.refuse_in(hold, &zone, outgoing.message.weight());
            }
            return None;
        }
        if delivery.qos == Qos::AtMostOnce
            && let Some(hold) = delivery.hold
        {
            let weight = outgoing.message.weight();
            self.release(hold, &outgoing.message.topic.clone(), weight);
        }
        self.counts.publishes_sent += 1;
        self.counts.payload_sent += outgoing.message.payload.len() as u64;
        Some(outgoing)
    }

    /// PUBACK, or a PUBREC that refuses.
    ///
    /// # Errors
    /// The reason to end the connection with, as with the other acknowledgements: it is not what this message waits
    /// for.
    pub(super) fn acked(
        &mut self,
        key: SessionKey,
        pid: u16,
        qos: Qos,
        refusal: Option<Reason>,
    ) -> Result<(), Reason> {
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        let acked = session.outbox.acked(pid, qos);
        self.settle(key, acked, refusal)
    }

    pub(super) fn pubrec(
        &mut self,
        conn: ConnId,
        key: SessionKey,
        pid: u16,
        taken: bool,
    ) -> Result<(), Reason> {
        if !taken {
            return self.acked(key, pid, Qos::ExactlyOnce, Some(Reason::Undeliverable));
        }
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        let acked = session.outbox.received(pid);
        self.settle(key, acked, None)?;
        // Also for an unknown id, so that the client can finish.
        self.answer(conn, Action::Pubrel(pid));
        Ok(())
    }

    pub(super) fn pubcomp(&mut self, key: SessionKey, pid: u16) -> Result<(), Reason> {
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        let acked = session.outbox.completed(pid);
        self.settle(key, acked, None)
    }

    fn settle(
        &mut self,
        key: SessionKey,
        acked: Acked,
        refusal: Option<Reason>,
    ) -> Result<(), Reason> {
        let Some(session) = self.sessions.get(&key) else { return Ok(()) };
        match acked {
            Acked::Done(Some(hold), weight) => {
                if let Some(zone) = session.zone.clone() {
                    self.release_in(hold, &zone, weight, refusal);
                }
            }
            Acked::Done(None, _) | Acked::Unknown => {}
            Acked::Wrong => return Err(Reason::Protocol),
        }
        self.keep_progress(key);
        if let Some(conn) = self.sessions.get(&key).and_then(|session| session.conn) {
            self.effects.wake(conn);
        }
        Ok(())
    }

    fn release(&mut self, hold: Hold, topic: &str, weight: usize) {
        if let Some(zone) = self.zones.zone_of(topic).map(Box::<str>::from) {
            self.release_in(hold, &zone, weight, None);
        }
    }
}
