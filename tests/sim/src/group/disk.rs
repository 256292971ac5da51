//! A disk with what is not yet safe on it.
//!
//! A write is several storage calls: one per record, one that ends the transaction, and a sync. Until the sync has
//! returned, a crash keeps any part of them from the beginning on, and the last of them perhaps in part. Whoever
//! reads the file then finds the torn record by its checksum and drops it, and with it everything of a transaction
//! whose end is missing: a transaction is there as a whole or not at all, and none is there without those before.

use std::collections::BTreeMap;

use paxos::{Ballot, Chosen, Entry, Record, Recovered, Slot, Value, Voters};

use super::machine::Machine;
use super::planted::{self, Mutant};
use crate::verdict::claim;

/// How long the log behind a snapshot is kept, from the last time that one was given. 2 s of true time, longer than
/// any message is under way in a calm world; a gateway keeps it for two minutes.
const GIVEN: u64 = 2_000_000;

/// What one storage call adds to the file.
#[derive(Debug)]
pub(crate) enum Frame {
    Record(Record),
    /// The rows of a copied state.
    Snapshot(Machine),
    /// The rows that an applied slot changes.
    Applied(Chosen),
    /// The transaction ends.
    End,
    /// A record that is there in part; its checksum does not fit.
    Torn,
}

/// What is safe.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) promised: Ballot,
    pub(crate) accepted: BTreeMap<Slot, (Ballot, Value)>,
    pub(crate) chosen: Slot,
    pub(crate) founders: Voters,
    pub(crate) machine: Machine,
    /// The lowest snapshot that somebody may still go on from, and until when.
    given: Option<(Slot, u64)>,
    unsynced: Vec<Frame>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self {
            promised: Ballot::ZERO,
            accepted: BTreeMap::new(),
            chosen: Slot::ZERO,
            founders: Voters::none(),
            machine: Machine::new(),
            given: None,
            unsynced: Vec::new(),
        }
    }

    pub(crate) const fn applied_to(&self) -> Slot {
        self.machine.applied_to()
    }

    /// One storage call. Not safe yet.
    pub(crate) fn append(&mut self, frame: Frame) {
        self.unsynced.push(frame);
    }

    pub(crate) const fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// Everything that was appended is safe.
    pub(crate) fn sync(&mut self) {
        self.read_back();
    }

    /// The power goes: of what was not synced, the first `kept` calls are there, and a part of the next.
    pub(crate) fn crash(&mut self, kept: usize, torn: bool) {
        let cut = kept < self.unsynced.len();
        if planted::is_active(Mutant::RottenRecordCutOff) {
            self.accepted.pop_last();
        }
        self.unsynced.truncate(kept);
        if cut && torn {
            self.unsynced.push(Frame::Torn);
        }
        self.read_back();
    }

    /// Takes over whole transactions, up to where the file ends or does not make sense.
    fn read_back(&mut self) {
        let mut transaction = Vec::new();
        for frame in std::mem::take(&mut self.unsynced) {
            match frame {
                Frame::Torn => break,
                Frame::End => transaction.drain(..).for_each(|frame| self.take(frame)),
                frame => transaction.push(frame),
            }
        }
    }

    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Record(Record::Promised(ballot)) => {
                self.a_promise_never_falls(ballot);
                self.promised = ballot;
            }
            Frame::Record(Record::Accepted { slot, ballot, value }) => {
                self.an_acceptance_never_falls(slot, ballot);
                self.accepted.insert(slot, (ballot, value));
            }
            Frame::Record(Record::Chosen(slot)) => self.chosen = slot,
            Frame::Record(Record::Founded(founders)) => {
                self.a_disk_is_founded_once(&founders);
                self.founders = founders;
            }
            Frame::Record(Record::Installed(slot)) => {
                self.accepted = self.accepted.split_off(&slot.next());
            }
            Frame::Snapshot(machine) => self.machine = machine,
            Frame::Applied(Chosen { slot, value, .. }) => {
                // A snapshot may have come first.
                if slot == self.applied_to().next() {
                    self.machine.apply(value);
                }
            }
            Frame::End | Frame::Torn => {}
        }
    }

    fn a_promise_never_falls(&self, to: Ballot) {
        let from = self.promised;
        claim!(to >= from, "a promise never falls", "on disk, from {from} to {to}");
    }

    fn a_disk_is_founded_once(&self, founders: &Voters) {
        let before = &self.founders;
        claim!(before.is_empty(), "a disk is founded once", "by {before} and by {founders}");
    }

    fn an_acceptance_never_falls(&self, slot: Slot, to: Ballot) {
        let from = self.accepted.get(&slot).map_or(Ballot::ZERO, |(ballot, _)| *ballot);
        claim!(to >= from, "an acceptance never falls", "slot {slot} on disk, from {from} to {to}");
    }

    /// A copy of the state machine. The log behind it is kept for a while, as gateways do, so that whoever takes it
    /// goes on with the log: else it might chase one snapshot after the other.
    pub(crate) fn give(&mut self, now: u64) -> Machine {
        let state = self.machine.snapshot();
        let before = self.given.filter(|(_, until)| now < *until);
        let from = before.map_or(state.applied_to(), |(slot, _)| slot.min(state.applied_to()));
        self.given = Some((from, now + GIVEN));
        state
    }

    /// Forgets the log up to `keep` slots below what is applied, but for what is behind a snapshot that was given.
    pub(crate) fn trim(&mut self, keep: u64, now: u64) {
        let given = self.given.filter(|(_, until)| now < *until);
        let mut from = Slot(self.applied_to().0.saturating_sub(keep) + 1);
        if let Some((slot, _)) = given {
            from = from.min(Slot(slot.0 + 1));
        }
        self.accepted = self.accepted.split_off(&from);
    }

    pub(crate) fn recover(&self, below: u64) -> Recovered {
        let from = Slot(self.applied_to().0.saturating_sub(below) + 1);
        Recovered {
            promised: self.promised,
            accepted: self.accepted.range(from..).map(entry).collect(),
            chosen: self.chosen,
            applied: self.applied_to(),
            founders: self.founders.clone(),
            voters: self.voters(),
        }
    }

    /// Who votes behind what is applied.
    pub(crate) fn voters(&self) -> Voters {
        self.machine.voters.clone().unwrap_or_else(|| self.founders.clone())
    }

    pub(crate) fn fetch(&self, from: Slot, limit: usize) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut slot = from;
        while let Some(held) = self.accepted.get(&slot).filter(|_| entries.len() < limit) {
            if slot > self.applied_to() {
                break;
            }
            entries.push(entry((&slot, held)));
            slot = slot.next();
        }
        entries
    }

    /// Holds this value in this slot for good.
    pub(crate) fn holds(&self, slot: Slot, value: &Value) -> bool {
        let applied = self.machine.values.get(slot.0 as usize - 1);
        let accepted = || self.accepted.get(&slot).map(|(_, value)| value);
        applied.or_else(accepted) == Some(value)
    }
}

fn entry((slot, (ballot, value)): (&Slot, &(Ballot, Value))) -> Entry {
    Entry { slot: *slot, ballot: *ballot, value: value.clone() }
}

#[cfg(test)]
mod tests {
    use paxos::ReplicaId;

    use super::*;

    const BALLOT: Ballot = Ballot { round: 3, replica: ReplicaId(1) };

    fn written() -> Disk {
        let mut disk = Disk::new();
        disk.append(Frame::Record(Record::Promised(BALLOT)));
        disk.append(Frame::End);
        let value = Value::NoOp;
        disk.append(Frame::Record(Record::Accepted { slot: Slot(1), ballot: BALLOT, value }));
        disk.append(Frame::Record(Record::Chosen(Slot(1))));
        disk.append(Frame::End);
        disk
    }

    #[test]
    fn a_crash_keeps_whole_transactions_from_the_beginning_on() {
        for kept in 0..=5 {
            for torn in [false, true] {
                let mut disk = written();
                disk.crash(kept, torn);
                assert_eq!(disk.promised == BALLOT, kept >= 2, "{kept}");
                assert_eq!(
                    (disk.accepted.len(), disk.chosen.0),
                    if kept < 5 { (0, 0) } else { (1, 1) }
                );
                assert_eq!(disk.unsynced(), 0);
            }
        }
    }

    #[test]
    fn what_is_synced_survives() {
        let mut disk = written();
        disk.sync();
        disk.crash(0, true);
        assert_eq!((disk.promised, disk.chosen), (BALLOT, Slot(1)));
    }
}
