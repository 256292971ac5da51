//! A replica's disk: what is in it has survived every crash.

use std::collections::BTreeMap;
use std::convert::Infallible;

use gateway_core::command::{Entry, Op};
use gateway_core::event::{HistoryRow, Read, Stored};
use gateway_core::house::{Change, House, Register, StatusRow};
use gateway_core::{Step, Write};
use paxos::{Ballot, Record, Recovered, Slot, Voters};
use wire::{Desired, NodeId};

use crate::rows::Rows;
use crate::shelf::{Shelf, Tables};

#[derive(Clone, Default)]
pub(crate) struct Store {
    promised: Option<Ballot>,
    accepted: BTreeMap<Slot, paxos::Entry>,
    /// Counters of the stamps in each accepted slot, also of those that are in the tables only.
    stamps: BTreeMap<Slot, Vec<u64>>,
    chosen: Slot,
    founders: Voters,
    pub(crate) applied: Slot,
    rows: Rows,
    pub(crate) status: BTreeMap<NodeId, StatusRow>,
    pub(crate) history: Vec<HistoryRow>,
    /// Applied slots that the log keeps.
    pub(crate) keep: u64,
    pub(crate) shelf: Shelf,
}

impl Store {
    /// An empty disk whose log keeps so many applied slots.
    pub(crate) fn new(keep: u64) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Writes a step and gives what rested on it.
    pub(crate) fn persist(&mut self, step: Step) -> Vec<Stored> {
        let stored: Result<_, Infallible> = step.persist(|write| Ok(self.write(&write)));
        stored.unwrap_or_else(|never| match never {})
    }

    /// What a gateway finds when it starts.
    pub(crate) fn recover(&self) -> (House, Recovered) {
        let recovered = Recovered {
            promised: self.promised.unwrap_or(Ballot::ZERO),
            accepted: self.accepted.values().cloned().collect(),
            chosen: self.chosen,
            applied: self.applied,
            founders: self.founders.clone(),
            voters: Voters::none(),
        };
        let house = self.rows.restore();
        let voters = Some(house.voters()).filter(|voters| !voters.is_empty());
        let voters = voters.unwrap_or(&self.founders).clone();
        (house, Recovered { voters, ..recovered })
    }

    /// Whether the publish with this stamp is in the log on this disk.
    pub(crate) fn holds(&self, stamp: u64) -> bool {
        self.stamps.values().rev().any(|stamps| stamps.contains(&stamp))
    }

    fn write(&mut self, write: &Write<'_>) -> Vec<Stored> {
        write.records.iter().for_each(|record| self.record(record));
        let installed = write.records.iter().any(|record| matches!(record, Record::Installed(_)));
        assert_eq!(installed, write.install.is_some(), "a snapshot and its record come together");
        if let Some(id) = write.install {
            let (sound, tables) = self.shelf.sound.clone().expect("a snapshot is here");
            assert_eq!(sound, id);
            self.install(tables);
        }
        let changed = write.changes.iter().filter_map(|change| self.change(change)).collect();
        self.applied = write.applied.unwrap_or(self.applied);
        self.trim();
        let mut stored = vec![Stored::Rows(changed)];
        stored.extend(write.reads.iter().map(|read| self.read(read)));
        stored
    }

    fn record(&mut self, record: &Record) {
        match record {
            Record::Promised(ballot) => self.promised = Some(*ballot),
            Record::Accepted { slot, ballot, value } => {
                let (slot, ballot, value) = (*slot, *ballot, value.clone());
                let entries = value.requests().iter();
                let entries = entries.filter_map(|request| Entry::decode(&request.payload).ok());
                self.stamps.insert(slot, entries.filter_map(|entry| stamp(&entry)).collect());
                self.accepted.insert(slot, paxos::Entry { slot, ballot, value });
            }
            Record::Founded(founders) => self.founders = founders.clone(),
            Record::Chosen(slot) => self.chosen = *slot,
            Record::Installed(slot) => {
                self.accepted = self.accepted.split_off(&slot.next());
                self.chosen = *slot;
            }
        }
    }

    fn trim(&mut self) {
        let old = Slot(self.applied.0.saturating_sub(self.keep)).min(self.shelf.pinned());
        self.accepted = self.accepted.split_off(&old.next());
    }

    /// The lowest slot of the log.
    pub(crate) fn log_from(&self) -> Slot {
        self.accepted.first_key_value().map_or(self.applied.next(), |(slot, _)| *slot)
    }

    pub(crate) fn tables(&self) -> Tables {
        let stamps = self.stamps.range(..=self.applied).map(|(slot, all)| (*slot, all.clone()));
        Tables {
            rows: self.rows.clone(),
            status: self.status.clone(),
            history: self.history.clone(),
            stamps: stamps.collect(),
        }
    }

    fn install(&mut self, tables: Tables) {
        let Tables { rows, status, history, stamps } = tables;
        assert!(history.starts_with(&self.history), "a snapshot takes nothing back");
        (self.rows, self.status, self.history) = (rows, status, history);
        self.stamps.extend(stamps);
    }

    fn change(&mut self, change: &Change) -> Option<StatusRow> {
        self.rows.keep(change.clone());
        match change {
            Change::Device(node, row) => {
                self.status.entry(*node).or_insert(StatusRow::empty(*node, row.registered));
                None
            }
            Change::Status { node, seq, time, clock, owner, register, note } => {
                let row = self.status.get_mut(node).expect("a device registers before it changes");
                (row.seq, row.time, row.clock) = (*seq, *time, *clock);
                let (name, value, ordered) = match register {
                    Register::State(state, order) => {
                        row.state = Some(state.clone());
                        ("state", state, *order)
                    }
                    Register::Desired(state, order) => {
                        row.desired = Some(Desired { state: state.clone(), order: *order });
                        ("desired", state, Some(*order))
                    }
                };
                self.history.push(HistoryRow {
                    seq: *seq,
                    time: *time,
                    node: *node,
                    register: name.to_owned(),
                    value: value.to_string(),
                    ordered: ordered.map(|order| order.0),
                    clock: clock.0,
                    owner: *owner,
                    note: note.clone(),
                });
                Some(row.clone())
            }
            _ => None,
        }
    }

    fn read(&self, read: &Read) -> Stored {
        match read {
            Read::Status(node, ticket) => Stored::Status(self.status.get(node).cloned(), *ticket),
            Read::Zone(zone) => {
                let house = self.rows.restore();
                let rows = house.devices_of(zone).map(|(node, _)| self.status[&node].clone());
                Stored::Zone(zone.clone(), rows.collect())
            }
            Read::Everything(ticket) => {
                Stored::Everything(self.status.values().cloned().collect(), *ticket)
            }
            Read::History { ticket, .. } => Stored::History(self.history.clone(), *ticket),
            Read::Log(fetch) => {
                let entries = self.accepted.range(fetch.from..=self.chosen).take(fetch.limit);
                // Nothing, if the log is trimmed there.
                let whole = entries.zip(fetch.from.0..).take_while(|((at, _), slot)| at.0 == *slot);
                let entries = whole.map(|((_, entry), _)| entry.clone()).collect();
                Stored::Log { to: fetch.to, entries }
            }
        }
    }
}

fn stamp(entry: &Entry) -> Option<u64> {
    match &entry.op {
        Op::Report { origin, .. } | Op::Set { origin, .. } => Some(origin.stamp?.counter),
        _ => None,
    }
}
