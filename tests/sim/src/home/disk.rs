//! A replica's disk: what is in it has survived every crash.
//!
//! A write is one transaction: a storage call per record and row, one that ends it, and a sync. SQLite promises that
//! after a crash a transaction is there as a whole or not at all, so the disk takes whole steps; the driver decides
//! how many calls of the one under way a crash has left, and whether that is all of them.

use std::collections::BTreeMap;

use gateway_core::command::{Entry, Op};
use gateway_core::event::{HistoryRow, Read, Stored};
use gateway_core::house::{Change, House, SeenKey};
use gateway_core::settings::File;
use gateway_core::witness::Witness;
use gateway_core::{Step, Write};
use paxos::{Ballot, Record, Recovered, ReplicaId, Slot, Voters};

use super::shelf::Shelf;
use super::tables::Tables;
use crate::verdict::claim;

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    pub(crate) promised: Option<Ballot>,
    pub(crate) accepted: BTreeMap<Slot, paxos::Entry>,
    pub(crate) chosen: Slot,
    founders: Voters,
    pub(crate) applied: Slot,
    pub(crate) tables: Tables,
    /// Applied slots that the log keeps.
    pub(crate) keep: u64,
    pub(crate) shelf: Shelf,
    /// Tells this file from others, and the lives that used it.
    pub(crate) number: u64,
    pub(crate) incarnation: u64,
    /// Commits so far.
    pub(crate) age: u64,
    /// What is remembered of the other gateways' files.
    witnesses: BTreeMap<ReplicaId, Witness>,
}

/// What a write brought, for the claims.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Orders and reports in the slots that were accepted.
    pub(crate) said: Vec<(bool, u64)>,
    pub(crate) history: Vec<HistoryRow>,
    /// How far the slots were known to be chosen before.
    pub(crate) chosen: Slot,
    pub(crate) applied: bool,
    /// Others vote from here on.
    pub(crate) voters: bool,
    pub(crate) installed: bool,
    /// Something that was seen is not remembered any more: by its stamp, and by its id.
    pub(crate) forgot_stamps: bool,
    pub(crate) forgot_ids: bool,
}

impl Disk {
    /// An empty disk whose log keeps so many applied slots.
    pub(crate) fn new(keep: u64, number: u64) -> Self {
        Self { keep, number, ..Self::default() }
    }

    /// Writes a step; gives what rested on it, and what is new.
    pub(crate) fn persist(&mut self, step: Step, history: &[HistoryRow]) -> (Vec<Stored>, News) {
        let mut news = News { chosen: self.chosen, ..News::default() };
        let stored: Result<_, std::convert::Infallible> =
            step.persist(|write| Ok(self.write(&write, history, &mut news)));
        (stored.unwrap_or_else(|never| match never {}), news)
    }

    /// What a life that begins knows of its disk's age, and of the others'.
    pub(crate) fn begin_life(&self, life: u64) -> (File, BTreeMap<ReplicaId, Witness>) {
        let file = File { life, found: self.age, trusted: false };
        (file, self.witnesses.clone())
    }

    /// What a gateway finds when it starts.
    pub(crate) fn recover(&self) -> (House, Recovered) {
        let house = self.tables.restore();
        let recovered = Recovered {
            promised: self.promised.unwrap_or(Ballot::ZERO),
            accepted: self.accepted.values().cloned().collect(),
            chosen: self.chosen,
            applied: self.applied,
            founders: self.founders.clone(),
            voters: self.voters(),
        };
        (house, recovered)
    }

    /// Who votes behind what is applied.
    pub(crate) fn voters(&self) -> Voters {
        self.tables.voters().unwrap_or(&self.founders).clone()
    }

    fn write(&mut self, write: &Write<'_>, history: &[HistoryRow], news: &mut News) -> Vec<Stored> {
        write.records.iter().for_each(|record| self.record(record, news));
        let installed = write.records.iter().any(|record| matches!(record, Record::Installed(_)));
        assert_eq!(installed, write.install.is_some(), "a snapshot and its record come together");
        if let Some(id) = write.install {
            let (sound, tables) = self.shelf.sound.clone().expect("a snapshot is here");
            assert_eq!(sound, id);
            assert!(tables.seq >= self.tables.seq, "a snapshot takes nothing back");
            self.tables = tables;
            news.installed = true;
        }
        news.voters = write.changes.iter().any(|change| matches!(change, Change::Voters(_)));
        let forgot = |stamp: bool| {
            let stamps = write.changes.iter().filter_map(|change| match change {
                Change::Forgot(key) => Some(matches!(key, SeenKey::Stamp(..))),
                _ => None,
            });
            stamps.into_iter().any(|of_stamp| of_stamp == stamp)
        };
        (news.forgot_stamps, news.forgot_ids) = (forgot(true), forgot(false));
        let changed = write.changes.iter().filter_map(|change| self.tables.change(change));
        let (rows, status): (Vec<_>, Vec<_>) = changed.unzip();
        news.history = rows;
        news.applied = write.applied.is_some();
        self.applied = write.applied.unwrap_or(self.applied);
        self.trim();
        for (file, witness) in write.witnesses {
            match witness {
                Some(witness) => self.witnesses.insert(*file, *witness),
                None => self.witnesses.remove(file),
            };
        }
        let mut stored = vec![Stored::Rows(status)];
        stored.extend(write.reads.iter().map(|read| self.read(read, history)));
        // How far everything is chosen forces no commit.
        let fact = |record: &Record| !matches!(record, Record::Chosen(_));
        if news.applied || !write.changes.is_empty() || write.records.iter().any(fact) {
            self.age += 1;
            stored.push(Stored::Aged(self.age));
        }
        stored
    }

    fn record(&mut self, record: &Record, news: &mut News) {
        match record {
            Record::Promised(ballot) => {
                let before = self.promised.unwrap_or(Ballot::ZERO);
                claim!(*ballot >= before, "a promise never falls", "{before} to {ballot}");
                self.promised = Some(*ballot);
            }
            Record::Accepted { slot, ballot, value } => {
                let (slot, ballot, value) = (*slot, *ballot, value.clone());
                let entries = value.requests().iter();
                let entries = entries.filter_map(|request| Entry::decode(&request.payload).ok());
                news.said.extend(entries.filter_map(|entry| said(&entry)));
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
        while self.accepted.first_key_value().is_some_and(|(slot, _)| *slot <= old) {
            self.accepted.pop_first();
        }
    }

    /// The lowest slot of the log.
    #[cfg(test)]
    pub(crate) fn log_from(&self) -> Slot {
        self.accepted.first_key_value().map_or(self.applied.next(), |(slot, _)| *slot)
    }

    fn read(&self, read: &Read, history: &[HistoryRow]) -> Stored {
        match read {
            Read::Status(node, ticket) => {
                Stored::Status(self.tables.status.get(node).cloned(), *ticket)
            }
            Read::Zone(zone) => Stored::Zone(zone.clone(), self.tables.zone(zone)),
            Read::Everything(ticket) => {
                Stored::Everything(self.tables.status.values().cloned().collect(), *ticket)
            }
            Read::History { ticket, .. } => {
                let own = history.len().min(self.tables.seq.0 as usize);
                Stored::History(history[..own].to_vec(), *ticket)
            }
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

/// Whether it is an order, and the value that names it.
fn said(entry: &Entry) -> Option<(bool, u64)> {
    let (order, state) = match &entry.op {
        Op::Report { report, .. } => (false, &report.state),
        Op::Set { state, .. } => (true, state),
        _ => return None,
    };
    state.as_str().parse().ok().map(|value| (order, value))
}
