//! What is applied and not yet in the tables.

use std::collections::VecDeque;

use paxos::Slot;
use wire::Epoch;

use crate::command::Entry;
use crate::house::{Outcome, StatusRow};
use crate::requests::waiters::OrderOf;

/// Applied entries that wait for the store, and the rows that it has given back for them. The store takes no more than
/// some steps at once, and a gateway that catches up asks for more only when it has applied what it has.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    entries: VecDeque<Applied>,
    rows: VecDeque<StatusRow>,
}

#[derive(Debug)]
struct Applied {
    slot: Slot,
    entry: Option<Entry>,
    outcome: Outcome,
}

/// An entry that is in the tables.
#[derive(Debug)]
pub(crate) struct Written {
    /// None for a change of voters.
    pub(crate) entry: Option<Entry>,
    pub(crate) outcome: Outcome,
    /// One for each register that it changed.
    pub(crate) rows: Vec<StatusRow>,
}

impl Unsettled {
    pub(crate) fn len(&self) -> usize {
        self.entries.len() + self.rows.len()
    }

    /// A snapshot took the place of everything.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.rows.clear();
    }

    /// An entry was applied; a change of voters has none.
    pub(crate) fn applied(&mut self, slot: Slot, entry: Option<Entry>, outcome: Outcome) {
        self.entries.push_back(Applied { slot, entry, outcome });
    }

    /// The store gives the rows that it has written, in order.
    pub(crate) fn add_rows(&mut self, rows: Vec<StatusRow>) {
        self.rows.extend(rows);
    }

    /// The next entry, if the tables are at its slot.
    pub(crate) fn next(&mut self, slot: Slot) -> Option<Written> {
        let Applied { entry, outcome, .. } = self.entries.pop_front_if(|next| next.slot <= slot)?;
        let rows = self.rows.drain(..outcome.written.len()).collect();
        Some(Written { entry, outcome, rows })
    }

    /// The first epoch that began and is not in the tables.
    pub(crate) fn first_epoch(&self) -> Option<Epoch> {
        let moved = self.entries.iter().find_map(|next| next.outcome.moved.first());
        moved.map(|moved| moved.epoch)
    }

    /// Whether the end of an order is applied and still to be told.
    pub(crate) fn ends(&self, order: OrderOf) -> bool {
        let is_it = |(node, number): &_| OrderOf { node: *node, number: *number } == order;
        self.entries
            .iter()
            .any(|next| next.outcome.closed.iter().chain(&next.outcome.dropped).any(is_it))
    }
}
