//! Phase 1: one replica gathers promises from a majority, for all slots at once (Paxos Made Simple, 3).

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::config::Group;
use crate::id::{Ballot, Moment, ReplicaId, Slot};
use crate::message::{Entry, Message, Value};
use crate::planted::candidate as planted;
use crate::step::Step;
use crate::voters::Voters;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Candidate {
    pub(crate) ballot: Ballot,
    /// The first slot that everyone is asked to report.
    from: Slot,
    /// Who was asked since prepares were last sent to all.
    asked: BTreeSet<ReplicaId>,
    /// Who has reported everything, with a vote or without.
    complete: BTreeSet<ReplicaId>,
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
    /// The voter has reported everything; whether that is enough depends on the groups it told of.
    Complete,
}

impl Candidate {
    pub(crate) const fn new(ballot: Ballot, chosen: Slot, now: Moment) -> Self {
        Self {
            ballot,
            from: chosen.next(),
            asked: BTreeSet::new(),
            complete: BTreeSet::new(),
            next: BTreeMap::new(),
            best: BTreeMap::new(),
            sent: now,
        }
    }

    /// Asks everyone who has not reported everything. Rests on the candidate's own promise of this ballot.
    pub(crate) fn ask(&mut self, now: Moment, chosen: Slot, group: &Group, step: &mut Step) {
        self.sent = now;
        self.asked.clear();
        self.ask_new(chosen, group, step);
    }

    /// Asks those who were not asked since: a report may have told of a group with new voters.
    pub(crate) fn ask_new(&mut self, chosen: Slot, group: &Group, step: &mut Step) {
        let voters: BTreeSet<_> = self.groups(chosen, group).flat_map(Voters::iter).collect();
        for voter in voters {
            if self.asked.insert(voter) && !self.complete.contains(&voter) {
                self.ask_one(voter, step);
            }
        }
    }

    pub(crate) fn ask_one(&self, voter: ReplicaId, step: &mut Step) {
        let from = self.next.get(&voter).copied().unwrap_or(self.from);
        let ballot = self.ballot;
        step.send_durable(voter, Message::Prepare { ballot, from });
        planted::prepare_waits(step);
    }

    /// Whether a promise of this replica was asked for; nobody else's is kept.
    pub(crate) fn asked(&self, voter: ReplicaId) -> bool {
        self.asked.contains(&voter)
    }

    /// Takes one promise of this ballot, covering `from ..= to`.
    pub(crate) fn promise(
        &mut self,
        by: ReplicaId,
        (from, to): (Slot, Slot),
        entries: Vec<Entry>,
    ) -> Progress {
        let next = self.next.entry(by).or_insert(self.from);
        if from != *next || self.complete.contains(&by) {
            return Progress::Waiting;
        }
        *next = to.next();
        for entry in entries {
            self.report(entry);
        }
        if planted::more(to != Slot(u64::MAX)) {
            return Progress::More;
        }
        self.complete.insert(by);
        Progress::Complete
    }

    /// Whether a majority has reported everything: of the group in force after the chosen prefix, and of every
    /// group that is reported to have been accepted behind it, because it may have been chosen.
    pub(crate) fn has_majority(&self, chosen: Slot, group: &Group) -> bool {
        self.groups(chosen, group).all(|voters| {
            let complete = voters.iter().filter(|voter| self.complete.contains(voter)).count();
            complete >= voters.majority()
        })
    }

    /// Whether the candidate needs this replica's vote, or may need it.
    pub(crate) fn asks(&self, id: ReplicaId, chosen: Slot, group: &Group) -> bool {
        self.groups(chosen, group).any(|voters| voters.contains(id))
    }

    fn groups<'a>(&'a self, chosen: Slot, group: &'a Group) -> impl Iterator<Item = &'a Voters> {
        let reported = self.best.range(chosen.next()..).filter_map(|(_, best)| best.1.voters());
        core::iter::once(&group.voters).chain(planted::reported(reported))
    }

    fn report(&mut self, entry: Entry) {
        let best = self.best.get(&entry.slot);
        let wins = |held: Ballot| planted::wins(held < entry.ballot, entry.ballot, held);
        if best.is_none_or(|(held, _)| wins(*held)) {
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
            let reported = planted::inherited(self.best.remove(&slot));
            if planted::is_filled(reported.is_some()) {
                values.push_back(reported.map_or(Value::NoOp, |(_, value)| value));
            }
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
    use crate::config::Config;
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

    fn candidate() -> (Candidate, Group) {
        let config = Config::new(ReplicaId(1), 1..=3);
        let voters = voters([1, 2, 3]);
        (Candidate::new(ballot(9), Slot::ZERO, Moment(0)), Group { config, voters })
    }

    fn voters<const N: usize>(numbers: [u64; N]) -> Voters {
        Voters::new(numbers.map(ReplicaId)).unwrap_or_default()
    }

    #[test]
    fn the_highest_ballot_wins_in_any_order_and_gaps_get_no_ops() {
        for swap in [false, true] {
            let (mut candidate, group) = candidate();
            let mut reports = [
                alloc::vec![entry(1, 2, 21), entry(3, 5, 53)],
                alloc::vec![entry(1, 4, 41), entry(3, 1, 13)],
            ];
            if swap {
                reports.swap(0, 1);
            }
            let [first, second] = reports;
            assert_eq!(candidate.promise(ReplicaId(2), ALL, first), Progress::Complete);
            assert!(!candidate.has_majority(Slot::ZERO, &group));
            assert_eq!(candidate.promise(ReplicaId(3), ALL, second), Progress::Complete);
            assert!(candidate.has_majority(Slot::ZERO, &group));
            let expected = [value(41), Value::NoOp, value(53), Value::NoOp];
            assert_eq!(candidate.inherit(Slot::ZERO), expected);
        }
    }

    #[test]
    fn duplicates_partial_reports_and_strangers_make_no_majority() {
        let (mut candidate, group) = candidate();
        for by in [2, 2, 2, 8, 9] {
            candidate.promise(ReplicaId(by), ALL, Vec::new());
        }
        let part = (Slot(1), Slot(4));
        assert_eq!(candidate.promise(ReplicaId(3), part, Vec::new()), Progress::More);
        assert_eq!(candidate.promise(ReplicaId(3), part, Vec::new()), Progress::Waiting);
        assert!(!candidate.has_majority(Slot::ZERO, &group));
        let rest = (Slot(5), Slot(u64::MAX));
        assert_eq!(candidate.promise(ReplicaId(3), rest, Vec::new()), Progress::Complete);
        assert!(candidate.has_majority(Slot::ZERO, &group));
    }

    #[test]
    fn a_group_that_a_promise_reports_has_to_promise_too() {
        let (mut candidate, group) = candidate();
        let change = Value::Voters(Arc::new(voters([3, 4, 5])));
        let report = alloc::vec![Entry { slot: Slot(2), ballot: ballot(3), value: change }];
        candidate.promise(ReplicaId(1), ALL, report);
        candidate.promise(ReplicaId(3), ALL, Vec::new());
        assert!(!candidate.has_majority(Slot::ZERO, &group));
        let mut step = Step::default();
        candidate.ask_new(Slot::ZERO, &group, &mut step);
        assert!(step.durable.iter().any(|out| out.to == ReplicaId(5)));
        candidate.promise(ReplicaId(5), ALL, Vec::new());
        assert!(candidate.has_majority(Slot::ZERO, &group));
        assert!(candidate.has_majority(Slot(2), &group), "what is chosen is in force already");
    }
}
