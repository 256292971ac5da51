//! Phase 1: one replica gathers promises from a majority, for all slots at once (Paxos Made Simple, 3).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::config::Config;
use crate::id::{Ballot, Moment, ReplicaId, Slot};
use crate::message::{Entry, Message, Value};
use crate::quorum::Votes;
use crate::step::Step;

#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) ballot: Ballot,
    /// The first slot that everyone is asked to report.
    from: Slot,
    /// Who has reported everything.
    complete: Votes,
    /// Where each voter's next report starts.
    next: BTreeMap<ReplicaId, Slot>,
    /// Per slot the value with the highest ballot that anyone reported.
    best: BTreeMap<Slot, (Ballot, Value)>,
    /// When prepares were last sent.
    pub(crate) sent: Moment,
}

/// What a promise led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing new.
    Waiting,
    /// The voter has more to report.
    More,
    /// A majority has reported everything.
    Majority,
}

impl Candidate {
    pub(crate) const fn new(ballot: Ballot, chosen: Slot, now: Moment) -> Self {
        Self {
            ballot,
            from: chosen.next(),
            complete: Votes([0; 4]),
            next: BTreeMap::new(),
            best: BTreeMap::new(),
            sent: now,
        }
    }

    /// Asks everyone who has not reported everything. Rests on the candidate's own promise of this ballot.
    pub(crate) fn ask(&mut self, now: Moment, config: &Config, step: &mut Step) {
        self.sent = now;
        for voter in &config.voters {
            if !self.complete.contains(*voter) {
                self.ask_one(*voter, step);
            }
        }
    }

    pub(crate) fn ask_one(&self, voter: ReplicaId, step: &mut Step) {
        let from = self.next.get(&voter).copied().unwrap_or(self.from);
        let ballot = self.ballot;
        step.send_durable(voter, Message::Prepare { ballot, from });
    }

    /// Takes one promise of this ballot, covering `from ..= to`.
    pub(crate) fn promise(
        &mut self,
        by: ReplicaId,
        (from, to): (Slot, Slot),
        entries: Vec<Entry>,
        config: &Config,
    ) -> Progress {
        let next = self.next.entry(by).or_insert(self.from);
        if from != *next || self.complete.contains(by) {
            return Progress::Waiting;
        }
        *next = to.next();
        for entry in entries {
            self.report(entry);
        }
        if to != Slot(u64::MAX) {
            return Progress::More;
        }
        self.complete.insert(by);
        if self.complete.is_majority(config) { Progress::Majority } else { Progress::Waiting }
    }

    fn report(&mut self, entry: Entry) {
        let best = self.best.get(&entry.slot);
        if best.is_none_or(|(ballot, _)| *ballot < entry.ballot) {
            self.best.insert(entry.slot, (entry.ballot, entry.value));
        }
    }

    /// What the new leader must propose, from the slot after `chosen`: reported values, no-ops in the gaps, and
    /// one no-op of its own at the end, which tells it that everything before is chosen.
    pub(crate) fn inherit(mut self, chosen: Slot) -> VecDeque<Value> {
        let last = self.best.last_key_value().map_or(chosen, |(slot, _)| *slot);
        let mut values = VecDeque::new();
        let mut slot = chosen.next();
        while slot <= last {
            let reported = self.best.remove(&slot);
            values.push_back(reported.map_or(Value::NoOp, |(_, value)| value));
            slot = slot.next();
        }
        values.push_back(Value::NoOp);
        values
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;
    use crate::id::SessionId;
    use crate::message::Request;

    const ALL: (Slot, Slot) = (Slot(1), Slot(u64::MAX));

    fn ballot(round: u64) -> Ballot {
        Ballot { round, replica: ReplicaId(1) }
    }

    fn value(number: u64) -> Value {
        Value::Batch(Arc::from([Request { session: SessionId(1), number, payload: Arc::from([]) }]))
    }

    fn entry(slot: u64, round: u64, number: u64) -> Entry {
        Entry { slot: Slot(slot), ballot: ballot(round), value: value(number) }
    }

    fn candidate() -> (Candidate, Config) {
        let config = Config::new(ReplicaId(1), [1, 2, 3].map(ReplicaId));
        (Candidate::new(ballot(9), Slot::ZERO, Moment(0)), config)
    }

    #[test]
    fn the_highest_ballot_wins_in_any_order_and_gaps_get_no_ops() {
        for swap in [false, true] {
            let (mut candidate, config) = candidate();
            let mut reports = [
                alloc::vec![entry(1, 2, 21), entry(3, 5, 53)],
                alloc::vec![entry(1, 4, 41), entry(3, 1, 13)],
            ];
            if swap {
                reports.swap(0, 1);
            }
            let [first, second] = reports;
            assert_eq!(candidate.promise(ReplicaId(2), ALL, first, &config), Progress::Waiting);
            assert_eq!(candidate.promise(ReplicaId(3), ALL, second, &config), Progress::Majority);
            let expected = [value(41), Value::NoOp, value(53), Value::NoOp];
            assert_eq!(candidate.inherit(Slot::ZERO), expected);
        }
    }

    #[test]
    fn duplicates_and_partial_reports_make_no_majority() {
        let (mut candidate, config) = candidate();
        for _ in 0..3 {
            let progress = candidate.promise(ReplicaId(2), ALL, Vec::new(), &config);
            assert_eq!(progress, Progress::Waiting);
        }
        let part = (Slot(1), Slot(4));
        assert_eq!(candidate.promise(ReplicaId(3), part, Vec::new(), &config), Progress::More);
        assert_eq!(candidate.promise(ReplicaId(3), part, Vec::new(), &config), Progress::Waiting);
        let rest = (Slot(5), Slot(u64::MAX));
        assert_eq!(candidate.promise(ReplicaId(3), rest, Vec::new(), &config), Progress::Majority);
    }
}
