//! What must always hold, one claim per function, checked as it happens.

use std::collections::{BTreeMap, BTreeSet};

use paxos::{Ballot, Chosen, Event, Message, ReplicaId, RequestId, Slot, Value};

use crate::disk::Disk;

/// Everything the checker remembers of a run.
#[derive(Default)]
pub(crate) struct History {
    chosen: BTreeMap<Slot, Value>,
    /// Per slot what each ballot proposed there, and who has durably accepted it.
    proposed: BTreeMap<Slot, BTreeMap<Ballot, (Value, BTreeSet<ReplicaId>)>>,
    voters: usize,
    led: BTreeSet<Ballot>,
    /// The highest promise that left each replica.
    promised: BTreeMap<ReplicaId, Ballot>,
    /// Requests that some replica reported as chosen.
    pub(crate) reached: BTreeSet<RequestId>,
    /// The highest slot that anyone reported as chosen.
    pub(crate) top: Slot,
    /// Leave the checks of single messages out, to see what the outcome alone proves.
    blind: bool,
    /// The most slots a leader may have in flight.
    window: u64,
}

impl History {
    pub(crate) fn new(blind: bool, voters: usize, window: u64) -> Self {
        Self { blind, voters, window, ..Self::default() }
    }

    pub(crate) fn on_chosen(
        &mut self,
        by: ReplicaId,
        before: Slot,
        chosen: &[Chosen],
        disks: &[&Disk],
    ) {
        self.chosen_in_order_once(by, before, chosen);
        for entry in chosen {
            self.one_value_per_slot(by, entry);
            if !self.blind {
                chosen_is_on_a_majority(entry, disks);
            }
            self.top = self.top.max(entry.slot);
            let requests = entry.value.requests().iter();
            self.reached.extend(requests.map(paxos::Request::id));
        }
    }

    fn chosen_in_order_once(&self, by: ReplicaId, before: Slot, chosen: &[Chosen]) {
        for (entry, expected) in chosen.iter().zip(before.0 + 1..) {
            assert_eq!(entry.slot.0, expected, "replica {by} reported slots out of order");
        }
    }

    fn one_value_per_slot(&mut self, by: ReplicaId, entry: &Chosen) {
        let first = self.chosen.entry(entry.slot).or_insert_with(|| entry.value.clone());
        assert!(
            *first == entry.value,
            "slot {} has two values; replica {by} has the second",
            entry.slot
        );
    }

    /// Called as a message leaves, with what its sender has on disk then.
    pub(crate) fn on_send(&mut self, from: ReplicaId, message: &Message, disk: &Disk) {
        if let Message::Accept { ballot, slot, value, chosen } = message {
            self.one_proposal_per_ballot_and_slot(*ballot, *slot, value);
            self.the_window_is_kept(from, *slot, *chosen);
            self.a_chosen_value_binds_higher_ballots(*slot);
        }
        if let Message::Accepted { ballot, slot, .. } = message {
            self.note_acceptance(from, *ballot, *slot);
            self.a_chosen_value_binds_higher_ballots(*slot);
        }
        if self.blind {
            return;
        }
        nothing_rests_on_unsynced_state(from, message, disk);
        self.no_promise_is_forgotten(from, message);
    }

    fn one_proposal_per_ballot_and_slot(&mut self, ballot: Ballot, slot: Slot, value: &Value) {
        let rounds = self.proposed.entry(slot).or_default();
        let first = rounds.entry(ballot).or_insert_with(|| (value.clone(), BTreeSet::new()));
        assert!(first.0 == *value, "ballot {ballot} proposes two values for slot {slot}");
    }

    /// Paxos Made Simple, P2b; also for slots that nobody has reported as chosen yet.
    fn a_chosen_value_binds_higher_ballots(&self, slot: Slot) {
        let Some(rounds) = self.proposed.get(&slot) else {
            return;
        };
        let is_chosen = |(_, by): &&(Value, BTreeSet<ReplicaId>)| by.len() * 2 > self.voters;
        let mut from_first_chosen = rounds.values().skip_while(|round| !is_chosen(round));
        if let Some((chosen, _)) = from_first_chosen.next() {
            let bound = from_first_chosen.all(|(value, _)| value == chosen);
            assert!(bound, "slot {slot} is chosen, and a higher ballot proposes another value");
        }
    }

    fn note_acceptance(&mut self, by: ReplicaId, ballot: Ballot, slot: Slot) {
        let rounds = self.proposed.get_mut(&slot);
        if let Some((_, accepted)) = rounds.and_then(|rounds| rounds.get_mut(&ballot)) {
            accepted.insert(by);
        }
    }

    fn the_window_is_kept(&self, by: ReplicaId, slot: Slot, chosen: Slot) {
        let ahead = slot.above(chosen);
        assert!(ahead <= self.window, "replica {by} is {ahead} slots ahead of what is chosen");
    }

    fn no_promise_is_forgotten(&mut self, from: ReplicaId, message: &Message) {
        let promised = self.promised.entry(from).or_insert(Ballot::ZERO);
        match message {
            Message::Promise { ballot, .. } => *promised = (*promised).max(*ballot),
            Message::Accepted { ballot, .. } => {
                assert!(
                    ballot >= promised,
                    "replica {from} accepted {ballot} after it promised {promised}"
                );
            }
            _ => {}
        }
    }

    pub(crate) fn on_event(&mut self, by: ReplicaId, event: &Event) {
        if let Event::Leading { ballot } = event {
            assert_eq!(ballot.replica, by, "a replica leads another's ballot");
            assert!(self.led.insert(*ballot), "ballot {ballot} leads twice");
        }
    }

    /// Of a confirmed leader: it knows of all that was reported anywhere when it was asked.
    pub(crate) fn confirmed_leaders_are_fresh(
        &self,
        by: ReplicaId,
        asked_at_top: Slot,
        chosen: Slot,
    ) {
        assert!(
            chosen >= asked_at_top,
            "replica {by} was confirmed at slot {chosen}, but slot {asked_at_top} was chosen before it was asked"
        );
    }

    /// At the end: every replica applied everything that was ever reported as chosen.
    pub(crate) fn all_histories_are_equal(&self, disks: &[&Disk]) {
        for disk in disks {
            assert_eq!(disk.applied_to(), self.top, "a replica is late for ever");
            for (slot, value) in &self.chosen {
                assert!(disk.holds(*slot, value), "slot {slot} was lost or changed");
            }
        }
    }
}

fn chosen_is_on_a_majority(entry: &Chosen, disks: &[&Disk]) {
    let holders = disks.iter().filter(|disk| disk.holds(entry.slot, &entry.value));
    let count = holders.count();
    assert!(
        count * 2 > disks.len(),
        "slot {} was reported as chosen, but only {count} of {} disks hold it",
        entry.slot,
        disks.len()
    );
}

fn nothing_rests_on_unsynced_state(from: ReplicaId, message: &Message, disk: &Disk) {
    match message {
        Message::Promise { ballot, .. }
        | Message::Prepare { ballot, .. }
        | Message::Accept { ballot, .. } => {
            assert!(
                disk.promised >= *ballot,
                "replica {from} sends {message:?}, but its promise is not on disk"
            );
        }
        Message::Accepted { ballot, slot, .. } => {
            let held = disk.accepted.get(slot).is_some_and(|(held, _)| held >= ballot);
            let settled = *slot <= disk.chosen || *slot <= disk.applied_to();
            assert!(held || settled, "replica {from} sends {message:?}, but it is not on disk");
        }
        _ => {}
    }
}
