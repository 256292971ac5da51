//! Requests on their way into the log.
//!
//! A request proposed here is kept until it is chosen or refused, and sent again until then; so a lost message
//! or a dead leader costs time, not the request. A leader drops what it already has in its queue or in flight.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::Config;
use crate::event::Event;
use crate::id::{Moment, ReplicaId, RequestId};
use crate::message::{Message, Request, Value};
use crate::planted::catchup as planted;
use crate::step::Step;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Pending {
    /// Proposed at this replica, with the time from which to send again. At most `config.queue`.
    own: BTreeMap<RequestId, (Request, Moment)>,
    /// Not later than the earliest time in `own`.
    due: Option<Moment>,
    /// A leader's queue. At most `config.queue`.
    queue: VecDeque<Request>,
    /// What a leader has in its queue or in flight: at most `queue + window * batch_requests`.
    taken: BTreeSet<RequestId>,
}

impl Pending {
    /// Keeps what was proposed here, as far as there is room, and refuses the rest.
    pub(crate) fn admit(
        &mut self,
        mut requests: Vec<Request>,
        config: &Config,
        step: &mut Step,
    ) -> Vec<Request> {
        let mut refused = Vec::new();
        requests.retain(|request| {
            let room = self.own.len() < config.queue;
            if room {
                self.own.insert(request.id(), (request.clone(), Moment(0)));
            } else {
                refused.push(request.id());
            }
            room
        });
        if !refused.is_empty() {
            step.events.push(Event::Refused(refused));
        }
        requests
    }

    /// Sends admitted requests to the leader, and again after two resend intervals.
    pub(crate) fn forward(
        &mut self,
        requests: Vec<Request>,
        leader: ReplicaId,
        now: Moment,
        config: &Config,
        step: &mut Step,
    ) {
        if requests.is_empty() {
            return;
        }
        let again = planted::forwards_again(now + config.resend * 2);
        for request in &requests {
            if let Some((_, due)) = self.own.get_mut(&request.id()) {
                *due = again;
            }
        }
        self.due = Some(self.due.map_or(again, |due| due.min(again)));
        step.send(leader, Message::Propose { requests });
    }

    /// Sends again what is due, at most one batch at a time.
    pub(crate) fn resend(
        &mut self,
        leader: ReplicaId,
        now: Moment,
        config: &Config,
        step: &mut Step,
    ) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let (mut late, mut bytes) = (Vec::new(), 0);
        for (request, due) in self.own.values() {
            let full = late.len() >= config.batch_requests || bytes >= config.batch_bytes;
            if *due <= now && !full {
                bytes += request.payload.len();
                late.push(request.clone());
            }
        }
        self.due = None;
        self.forward(late, leader, now, config, step);
        self.due = self.own.values().map(|(_, due)| *due).min();
    }

    /// There is a new leader: whatever the old one had may be lost.
    pub(crate) fn restart(&mut self, now: Moment) {
        for (_, due) in self.own.values_mut() {
            *due = now;
        }
        self.due = (!self.own.is_empty()).then_some(now);
        self.queue.clear();
        self.taken.clear();
    }

    pub(crate) const fn due(&self) -> Option<Moment> {
        self.due
    }

    /// This replica begins to lead: its own requests are the first in the queue.
    pub(crate) fn lead(&mut self, inherited: &VecDeque<Value>) {
        let requests = inherited.iter().flat_map(Value::requests);
        self.taken = requests.map(Request::id).collect();
        self.queue.clear();
        self.due = None;
        for (id, (request, _)) in &self.own {
            if self.taken.insert(*id) {
                self.queue.push_back(request.clone());
            }
        }
    }

    /// Queues requests at the leader; gives back the names of those for which there is no room.
    pub(crate) fn enqueue(&mut self, requests: Vec<Request>, config: &Config) -> Vec<RequestId> {
        let mut refused = Vec::new();
        for request in requests {
            let room = self.queue.len() < config.queue;
            if room && self.taken.insert(request.id()) {
                self.queue.push_back(request);
            } else if !room && !self.taken.contains(&request.id()) {
                refused.push(request.id());
            }
        }
        refused
    }

    /// Takes the next slot's value out of the queue: all that waits, up to the limits (group commit).
    pub(crate) fn batch(&mut self, config: &Config) -> Option<Value> {
        if self.queue.len() <= 1 {
            return Some(Value::Batch(Arc::from([self.queue.pop_front()?])));
        }
        let (mut count, mut bytes) = (0, 0);
        for request in self.queue.iter().take(config.batch_requests) {
            bytes += request.payload.len();
            if count > 0 && bytes > config.batch_bytes {
                break;
            }
            count += 1;
        }
        let batch: Vec<_> = self.queue.drain(..count).collect();
        Some(Value::Batch(Arc::from(batch)))
    }

    /// These were not proposed and will not be.
    pub(crate) fn refuse(&mut self, requests: Vec<RequestId>, step: &mut Step) {
        let known = requests.into_iter().filter(|id| self.own.remove(id).is_some());
        let known: Vec<_> = known.collect();
        if !known.is_empty() {
            step.events.push(Event::Refused(known));
        }
    }

    /// These reached the log.
    pub(crate) fn chosen(&mut self, value: &Value) {
        for request in value.requests() {
            self.own.remove(&request.id());
            self.taken.remove(&request.id());
        }
        if self.own.is_empty() {
            self.due = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;

    fn request(number: u64) -> Request {
        Request { session: SessionId(1), number, payload: Arc::from([0; 10]) }
    }

    fn config() -> Config {
        let mut config = Config::new(ReplicaId(1), 1..=3);
        config.queue = 3;
        config.batch_requests = 2;
        config
    }

    #[test]
    fn a_full_queue_refuses_and_duplicates_are_dropped() {
        let mut pending = Pending::default();
        let requests: Vec<_> = [1, 1, 2, 3, 4].map(request).into();
        let refused = pending.enqueue(requests, &config());
        assert_eq!(refused, [request(4).id()]);
        let sizes = [(); 3].map(|()| pending.batch(&config()).map(|value| value.requests().len()));
        assert_eq!(sizes, [Some(2), Some(1), None]);
    }

    #[test]
    fn a_large_request_goes_alone() {
        let mut pending = Pending::default();
        let mut config = config();
        config.batch_bytes = 5;
        pending.enqueue([1, 2].map(request).into(), &config);
        let value = pending.batch(&config);
        assert_eq!(value.map(|value| value.requests().len()), Some(1));
    }

    #[test]
    fn a_forwarded_request_is_sent_again_until_it_is_chosen() {
        let (mut pending, config, mut step) = (Pending::default(), config(), Step::default());
        let admitted = pending.admit(alloc::vec![request(1)], &config, &mut step);
        pending.forward(admitted, ReplicaId(2), Moment(0), &config, &mut step);
        let due = pending.due().unwrap_or_default();
        pending.resend(ReplicaId(2), due, &config, &mut step);
        assert_eq!(step.immediate.len(), 2);
        assert!(pending.due() > Some(due));
        pending.chosen(&Value::Batch(Arc::from([request(1)])));
        assert_eq!(pending.due(), None);
    }
}
