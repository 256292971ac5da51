//! What an observer who sees everything would write down, and what must hold of it.

use std::collections::{BTreeMap, BTreeSet};

use paxos::{Ballot, Chosen, Record, ReplicaId, Slot, Value, Voters};

/// What was accepted, reported and answered since the beginning, whatever crashed since.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Who has ever had a value on disk under a ballot.
    votes: BTreeMap<(Slot, Ballot), Votes>,
    /// What replicas said is chosen.
    reported: BTreeMap<Slot, Vec<Value>>,
    /// Two values under one ballot.
    torn: bool,
    /// The highest ballot for which a promise or an acceptance has left.
    answered: BTreeMap<ReplicaId, Ballot>,
    /// A replica found one of its own invariants broken, and stopped.
    pub(crate) stopped: Option<String>,
}

#[derive(Clone, Debug)]
struct Votes {
    value: Value,
    by: BTreeSet<ReplicaId>,
}

/// A history, judged.
pub(crate) struct Judged {
    pub(crate) history: History,
    /// No slot has two values, each accepted by a majority in a ballot.
    pub(crate) one_value: bool,
    /// What is reported was accepted by a majority, on disk.
    pub(crate) reports_hold: bool,
    /// A client's request is chosen.
    pub(crate) request_chosen: bool,
    /// What one leader began is chosen in another's ballot.
    pub(crate) completed_by_another: bool,
    /// A request is chosen behind a change of voters.
    pub(crate) chosen_after_a_change: bool,
}

impl History {
    pub(crate) fn write(&mut self, by: ReplicaId, records: &[Record]) {
        for record in records {
            if let Record::Accepted { slot, ballot, value } = record {
                let new = || Votes { value: value.clone(), by: BTreeSet::new() };
                let votes = self.votes.entry((*slot, *ballot)).or_insert_with(new);
                votes.by.insert(by);
                self.torn |= votes.value != *value;
            }
        }
    }

    pub(crate) fn report(&mut self, chosen: &[Chosen]) {
        for entry in chosen {
            let reports = self.reported.entry(entry.slot).or_default();
            if !reports.contains(&entry.value) {
                reports.push(entry.value.clone());
            }
        }
    }

    pub(crate) fn answer(&mut self, by: ReplicaId, ballot: Ballot) {
        let answered = self.answered.entry(by).or_insert(ballot);
        *answered = (*answered).max(ballot);
    }

    pub(crate) fn answered(&self, by: ReplicaId) -> Ballot {
        self.answered.get(&by).copied().unwrap_or(Ballot::ZERO)
    }

    pub(crate) fn judge(self, founders: &Voters) -> Judged {
        let chosen = self.chosen(founders);
        let values = |slot: Slot| chosen.iter().filter(move |(at, ..)| *at == slot);
        let same = |(slot, _, value): &(Slot, Ballot, &Value)| {
            values(*slot).all(|(_, _, other)| other == value)
        };
        let holds = |slot: Slot, value: &Value| values(slot).any(|(_, _, other)| *other == value);
        let mut reports = self.reported.iter();
        let requests = || chosen.iter().filter(|(_, _, value)| !value.requests().is_empty());
        let change = chosen.iter().find(|(.., value)| value.voters().is_some());
        let changed = change.map(|(slot, ..)| *slot);
        Judged {
            one_value: !self.torn && chosen.iter().all(same),
            reports_hold: reports
                .all(|(slot, values)| values.len() == 1 && holds(*slot, &values[0])),
            request_chosen: requests().next().is_some(),
            completed_by_another: requests().any(|(_, ballot, value)| {
                value.requests().iter().all(|request| request.session.0 != ballot.replica.0)
            }),
            chosen_after_a_change: requests()
                .any(|(slot, ..)| changed.is_some_and(|at| at < *slot)),
            history: self,
        }
    }

    /// Every value that a majority has accepted in one ballot: of those who vote in its slot.
    fn chosen(&self, founders: &Voters) -> Vec<(Slot, Ballot, &Value)> {
        let mut chosen: Vec<(Slot, Ballot, &Value)> = Vec::new();
        for ((slot, ballot), votes) in &self.votes {
            let before = chosen.iter().rev().filter(|(at, ..)| at < slot);
            let voters = before.filter_map(|(.., value)| value.voters()).next().unwrap_or(founders);
            let count = voters.iter().filter(|id| votes.by.contains(id)).count();
            if count >= voters.majority() {
                chosen.push((*slot, *ballot, &votes.value));
            }
        }
        chosen
    }
}
