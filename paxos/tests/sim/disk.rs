//! A disk as the driver sees it: whatever is here survives a crash. What is not yet written is a step that
//! waits in the node; a crash forgets it, or not, as a whole.

use std::collections::BTreeMap;

use paxos::{Ballot, Chosen, Entry, Record, Recovered, Slot, Value};

#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) promised: Ballot,
    pub(crate) accepted: BTreeMap<Slot, (Ballot, Value)>,
    pub(crate) chosen: Slot,
    /// The state machine: everything it applied, from slot 1.
    pub(crate) applied: Vec<Value>,
}

impl Disk {
    pub(crate) const fn new() -> Self {
        Self {
            promised: Ballot::ZERO,
            accepted: BTreeMap::new(),
            chosen: Slot::ZERO,
            applied: Vec::new(),
        }
    }

    pub(crate) const fn applied_to(&self) -> Slot {
        Slot(self.applied.len() as u64)
    }

    pub(crate) fn write(&mut self, records: &[Record], snapshot: &[Value]) {
        for record in records {
            match record {
                Record::Promised(ballot) => self.promised = *ballot,
                Record::Accepted { slot, ballot, value } => {
                    self.accepted.insert(*slot, (*ballot, value.clone()));
                }
                Record::Chosen(slot) => self.chosen = *slot,
                Record::Installed(slot) => {
                    self.applied = snapshot[..slot.0 as usize].to_vec();
                    self.accepted = self.accepted.split_off(&slot.next());
                }
            }
        }
    }

    /// Applies what the written step chose. A snapshot may have come first.
    pub(crate) fn apply(&mut self, chosen: Vec<Chosen>) {
        for Chosen { slot, value, .. } in chosen {
            if slot == self.applied_to().next() {
                self.applied.push(value);
            }
        }
    }

    /// Forgets the log up to `keep` slots below what is applied.
    pub(crate) fn trim(&mut self, keep: u64) {
        let from = Slot(self.applied_to().0.saturating_sub(keep) + 1);
        self.accepted = self.accepted.split_off(&from);
    }

    pub(crate) fn recover(&self, below: u64) -> Recovered {
        let from = Slot(self.applied_to().0.saturating_sub(below) + 1);
        Recovered {
            promised: self.promised,
            accepted: self.accepted.range(from..).map(entry).collect(),
            chosen: self.chosen,
            applied: self.applied_to(),
        }
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
        let applied = self.applied.get(slot.0 as usize - 1);
        let accepted = self.accepted.get(&slot).map(|(_, value)| value);
        applied.or(accepted) == Some(value)
    }
}

fn entry((slot, (ballot, value)): (&Slot, &(Ballot, Value))) -> Entry {
    Entry { slot: *slot, ballot: *ballot, value: value.clone() }
}
