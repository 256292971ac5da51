//! One history: what is chosen stays chosen, and everyone has the same.

use std::collections::BTreeMap;

use paxos::{Ballot, Chosen, Config, Message, ReplicaId, Slot, Value, Voters};

use super::groups::{Groups, is_majority};
use crate::group::disk::Disk;
use crate::group::machine::Machine;
use crate::verdict::claim;

/// What a ballot proposed in a slot, and who has durably accepted it.
type Round = (Value, Vec<ReplicaId>);

pub(crate) struct Agreement {
    chosen: BTreeMap<Slot, Value>,
    rounds: BTreeMap<Slot, BTreeMap<Ballot, Round>>,
    /// The state after a slot, as the first replica had it.
    states: BTreeMap<Slot, u64>,
    pub(crate) groups: Groups,
    /// The most slots a leader may have in flight.
    window: u64,
    /// The highest ballot in which anything was chosen, whether anybody knows it or not.
    pub(crate) deciding: Ballot,
}

impl Agreement {
    pub(crate) const fn new(config: &Config) -> Self {
        Self {
            chosen: BTreeMap::new(),
            rounds: BTreeMap::new(),
            states: BTreeMap::new(),
            groups: Groups::new(),
            window: config.window,
            deciding: Ballot::ZERO,
        }
    }

    pub(crate) fn on_send(&mut self, from: ReplicaId, message: &Message) {
        if let Message::Accept { ballot, slot, value, chosen } = message {
            self.one_proposal_per_ballot_and_slot(*ballot, *slot, value);
            self.groups.propose(*slot, value);
            self.the_window_is_kept(from, *slot, *chosen);
            self.a_chosen_value_binds_higher_ballots(*slot);
        }
        if let Message::Accepted { ballot, from: first, to, .. } = message {
            for slot in (first.0..=to.0).map(Slot) {
                self.note_acceptance(from, *ballot, slot);
                self.a_chosen_value_binds_higher_ballots(slot);
            }
        }
    }

    /// Whoever knows a group knows the same, unless every disk that knew another one was lost before it did anything.
    pub(crate) fn one_group_is_founded<'a>(
        &mut self,
        founders: &Voters,
        mut known: impl Iterator<Item = &'a Voters>,
    ) {
        let other = known.find(|known| !known.is_empty() && *known != founders);
        let late = !self.chosen.is_empty() && !self.groups.were_founded_by(founders);
        claim!(
            other.is_none() && !late,
            "one group is founded",
            "by {founders}, but another one exists: {other:?}"
        );
        self.groups.found(founders.clone());
    }

    fn one_proposal_per_ballot_and_slot(&mut self, ballot: Ballot, slot: Slot, value: &Value) {
        let rounds = self.rounds.entry(slot).or_default();
        let first = rounds.entry(ballot).or_insert_with(|| (value.clone(), Vec::new()));
        claim!(
            first.0 == *value,
            "one proposal per ballot and slot",
            "ballot {ballot} proposes two values for slot {slot}"
        );
    }

    /// Paxos Made Simple, P2b; also for slots that nobody has reported as chosen yet.
    pub(crate) fn a_chosen_value_binds_higher_ballots(&self, slot: Slot) {
        let Some(rounds) = self.rounds.get(&slot).filter(|rounds| rounds.len() > 1) else {
            return;
        };
        let Some(voters) = self.groups.at(slot) else {
            return;
        };
        let is_chosen = |(_, by): &&Round| is_majority(by, voters);
        let mut from_first_chosen = rounds.values().skip_while(|round| !is_chosen(round));
        if let Some((chosen, _)) = from_first_chosen.next() {
            claim!(
                from_first_chosen.all(|(value, _)| value == chosen),
                "a chosen value binds higher ballots",
                "slot {slot} is chosen, and a higher ballot proposes another value"
            );
        }
    }

    fn note_acceptance(&mut self, by: ReplicaId, ballot: Ballot, slot: Slot) {
        let rounds = self.rounds.get_mut(&slot);
        let Some((_, accepted)) = rounds.and_then(|rounds| rounds.get_mut(&ballot)) else {
            return;
        };
        if !accepted.contains(&by) {
            accepted.push(by);
            let voters = self.groups.at(slot);
            if voters.is_some_and(|voters| is_majority(&*accepted, voters)) {
                self.deciding = self.deciding.max(ballot);
            }
        }
    }

    fn the_window_is_kept(&self, by: ReplicaId, slot: Slot, chosen: Slot) {
        let ahead = slot.above(chosen);
        claim!(
            ahead <= self.window,
            "the window is kept",
            "replica {by} is {ahead} slots ahead of what is chosen"
        );
    }

    /// True if nobody has reported this slot before.
    pub(crate) fn one_value_per_slot(&mut self, by: ReplicaId, entry: &Chosen) -> bool {
        let new = !self.chosen.contains_key(&entry.slot);
        let first = self.chosen.entry(entry.slot).or_insert_with(|| entry.value.clone());
        claim!(
            *first == entry.value,
            "one value per slot",
            "slot {} has two; replica {by} has the second",
            entry.slot
        );
        if new {
            self.groups.choose(entry.slot, &entry.value);
        }
        new
    }

    /// In one ballot, and of those who vote in this slot.
    pub(crate) fn a_majority_of_the_voters_accepted(&self, entry: &Chosen) {
        let (Some(rounds), Some(voters)) =
            (self.rounds.get(&entry.slot), self.groups.at(entry.slot))
        else {
            return;
        };
        // A leader that votes alone asks nobody.
        if voters.len() == 1 {
            return;
        }
        let chosen = |(value, by): &Round| *value == entry.value && is_majority(by, voters);
        claim!(
            rounds.values().any(chosen),
            "a majority of the voters accepted what is chosen",
            "not so in slot {}, where {voters} vote",
            entry.slot
        );
    }

    pub(crate) fn equal_states_at_equal_slots(&mut self, by: ReplicaId, machine: &Machine) {
        let slot = machine.applied_to();
        let first = self.states.entry(slot).or_insert(machine.hash);
        claim!(
            *first == machine.hash,
            "equal states at equal slots",
            "at slot {slot} replica {by} has another state than the first that came there"
        );
    }

    pub(crate) fn all_histories_are_equal(&self, top: Slot, disks: &[&Disk]) {
        for disk in disks {
            let reached = disk.applied_to();
            claim!(reached == top, "all histories are equal", "{reached} is not {top}");
            for (slot, value) in &self.chosen {
                let holds = disk.holds(*slot, value);
                claim!(holds, "all histories are equal", "slot {slot} was lost or changed");
            }
        }
    }
}

pub(crate) fn chosen_in_order_once(by: ReplicaId, before: Slot, chosen: &[Chosen], to: Slot) {
    for (entry, expected) in chosen.iter().zip(before.0 + 1..) {
        claim!(
            entry.slot.0 == expected,
            "chosen slots are reported in order, once",
            "replica {by} reported {} instead of {expected}",
            entry.slot
        );
    }
    let last = chosen.last().map_or(before, |entry| entry.slot);
    claim!(
        last == to,
        "chosen slots are reported in order, once",
        "replica {by} chose up to {to} but reported up to {last}"
    );
}
