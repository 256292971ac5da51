//! The acceptor: what it promised, and what it may accept (Paxos Made Simple, 2.2).

use crate::config::Config;
use crate::event::Event;
use crate::id::{Ballot, ReplicaId, Slot};
use crate::log::Log;
use crate::message::{Message, Value};
use crate::planted::acceptor as planted;
use crate::record::Record;
use crate::step::Step;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Acceptor {
    promised: Ballot,
}

impl Acceptor {
    pub(crate) const fn new(promised: Ballot) -> Self {
        Self { promised }
    }

    pub(crate) const fn promised(&self) -> Ballot {
        self.promised
    }

    /// Promises `ballot` if it is new. Promising more than was asked for is always safe.
    pub(crate) fn raise(&mut self, ballot: Ballot, step: &mut Step) {
        let new = ballot > self.promised;
        if new {
            self.promised = ballot;
        }
        if planted::promise_is_written(new) {
            step.records.push(Record::Promised(ballot));
        }
    }

    /// Says no to a ballot below the promise; false if the ballot may go on.
    pub(crate) fn refuse(&self, to: ReplicaId, ballot: Ballot, log: &Log, step: &mut Step) -> bool {
        let refused = ballot < self.promised;
        if refused {
            let (promised, chosen) = (self.promised, log.chosen());
            step.send(to, Message::Nack { ballot, promised, chosen });
        }
        refused
    }

    /// Phase 1b. The promise waits for the write; true if it was given.
    pub(crate) fn prepare(
        &mut self,
        ballot: Ballot,
        from: Slot,
        log: &Log,
        config: &Config,
        step: &mut Step,
    ) -> bool {
        let to = ballot.replica;
        if self.refuse(to, planted::to_promise(ballot), log, step) {
            return false;
        }
        let chosen = log.chosen();
        if from < planted::reportable(log.floor()) {
            step.send(to, Message::TooFarBehind { ballot, chosen });
            return false;
        }
        self.raise(ballot, step);
        let start = planted::report_from(from, chosen);
        let (entries, last) = log.report(start.max(log.floor()), config);
        step.send_durable(to, Message::Promise { ballot, from, to: last, chosen, entries });
        planted::promise_waits(step);
        true
    }

    /// Phase 2b. The answer waits for the write, also for a duplicate: the first one's may still be under way.
    /// Slots above `bound` are left for later, so that a late replica's memory stays bounded.
    pub(crate) fn accept(
        &mut self,
        ballot: Ballot,
        slot: Slot,
        value: Value,
        bound: Slot,
        log: &mut Log,
        step: &mut Step,
    ) {
        let refused = self.refuse(ballot.replica, planted::to_accept(ballot), log, step);
        if refused || slot > bound {
            return;
        }
        // Nothing is lost by an answer that is not given.
        if log.contradicts(slot, ballot, &value) {
            return step.events.push(Event::Contradicted { by: ballot.replica, slot, ballot });
        }
        self.raise(ballot, step);
        if slot > log.chosen() {
            self.record(ballot, slot, value, log, step);
        }
        let accepted = Message::Accepted { ballot, from: slot, to: slot, chosen: log.chosen() };
        step.send_durable(ballot.replica, accepted);
        planted::acceptance_waits(step);
    }

    fn record(&self, ballot: Ballot, slot: Slot, value: Value, log: &mut Log, step: &mut Step) {
        if planted::acceptance_is_written(log.put(slot, ballot, &value)) {
            step.records.push(Record::Accepted { slot, ballot, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Recovered;

    const LOW: Ballot = Ballot { round: 1, replica: ReplicaId(2) };
    const HIGH: Ballot = Ballot { round: 2, replica: ReplicaId(3) };

    fn fresh() -> (Acceptor, Log, Config, Step) {
        (
            Acceptor::new(Ballot::ZERO),
            Log::recover(&Recovered::empty()),
            Config::new(ReplicaId(1), 1..=3),
            Step::default(),
        )
    }

    #[test]
    fn a_promise_keeps_lower_ballots_out_and_waits_for_the_write() {
        let (mut acceptor, mut log, config, mut step) = fresh();
        assert!(acceptor.prepare(HIGH, Slot(1), &log, &config, &mut step));
        assert_eq!(step.records, [Record::Promised(HIGH)]);
        assert!(step.immediate.is_empty());
        acceptor.accept(LOW, Slot(1), Value::NoOp, Slot(9), &mut log, &mut step);
        assert!(log.get(Slot(1)).is_none());
        assert!(matches!(step.immediate[0].message, Message::Nack { promised: HIGH, .. }));
    }

    #[test]
    fn a_promise_reports_what_was_accepted() {
        let (mut acceptor, mut log, config, mut step) = fresh();
        acceptor.accept(LOW, Slot(2), Value::NoOp, Slot(9), &mut log, &mut step);
        acceptor.prepare(HIGH, Slot(1), &log, &config, &mut step);
        let Some(Message::Promise { entries, .. }) = step.durable.pop().map(|out| out.message)
        else {
            panic!("no promise");
        };
        assert_eq!((entries[0].slot, entries[0].ballot), (Slot(2), LOW));
    }

    #[test]
    fn a_duplicate_is_answered_but_not_written_again() {
        let (mut acceptor, mut log, _, mut step) = fresh();
        for _ in 0..2 {
            acceptor.accept(LOW, Slot(1), Value::NoOp, Slot(9), &mut log, &mut step);
        }
        assert_eq!((step.records.len(), step.durable.len()), (2, 2));
    }

    #[test]
    fn slots_beyond_the_bound_are_left_for_later() {
        let (mut acceptor, mut log, _, mut step) = fresh();
        acceptor.accept(LOW, Slot(10), Value::NoOp, Slot(9), &mut log, &mut step);
        assert!(step.is_empty());
    }
}
