//! What survives a crash.

use std::collections::BTreeMap;

use paxos::{Ballot, Entry, Record, Recovered, Slot, Value, Voters};

#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) promised: Ballot,
    accepted: BTreeMap<Slot, (Ballot, Value)>,
    chosen: Slot,
}

impl Disk {
    pub(crate) const fn blank() -> Self {
        Self { promised: Ballot::ZERO, accepted: BTreeMap::new(), chosen: Slot::ZERO }
    }

    pub(crate) fn write(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Promised(ballot) => self.promised = *ballot,
                Record::Accepted { slot, ballot, value } => {
                    self.accepted.insert(*slot, (*ballot, value.clone()));
                }
                Record::Chosen(slot) => self.chosen = *slot,
                Record::Founded(_) | Record::Installed(_) => {
                    panic!("the model begins with a group and has no snapshots: {record:?}")
                }
            }
        }
    }

    /// What a replica finds. The state machine is written together with the commit mark.
    pub(crate) fn recovered(&self, founders: Voters) -> Recovered {
        let entry = |(slot, (ballot, value)): (&Slot, &(Ballot, Value))| Entry {
            slot: *slot,
            ballot: *ballot,
            value: value.clone(),
        };
        let applied = self.accepted.range(..=self.chosen).rev();
        let voters = applied.filter_map(|(_, (_, value))| value.voters()).next();
        Recovered {
            promised: self.promised,
            accepted: self.accepted.iter().map(entry).collect(),
            chosen: self.chosen,
            applied: self.chosen,
            voters: voters.unwrap_or(&founders).clone(),
            founders,
        }
    }
}
