//! What replicas must have in common: one value in a slot, the same tables at a slot, one history.

use std::collections::BTreeMap;

use gateway_core::event::HistoryRow;
use paxos::{Slot, Value};
use wire::GatewayId;

use super::disk::{Disk, News};
use crate::verdict::claim;

#[derive(Default)]
pub(crate) struct Agreement {
    /// Every change, in order, as the first replica wrote it.
    pub(crate) history: Vec<HistoryRow>,
    /// The highest slot that anyone applied.
    pub(crate) top: Slot,
    /// What was chosen in a slot.
    values: BTreeMap<Slot, Value>,
    /// The hash of the tables at a slot.
    hashes: BTreeMap<Slot, u64>,
}

impl Agreement {
    pub(crate) fn after_a_write(&mut self, id: GatewayId, disk: &Disk, news: &News) {
        let chosen = disk.accepted.range(..=disk.chosen).rev();
        for (_, entry) in chosen.take_while(|(slot, _)| **slot > news.chosen) {
            self.a_slot_has_one_value(id, entry);
        }
        if news.applied {
            self.replicas_at_the_same_slot_are_equal(id, disk);
            self.top = self.top.max(disk.applied);
        }
    }

    fn a_slot_has_one_value(&mut self, id: GatewayId, entry: &paxos::Entry) {
        let known = self.values.entry(entry.slot).or_insert_with(|| entry.value.clone());
        claim!(
            *known == entry.value,
            "a slot has one value",
            "slot {} at gateway {id}: {known:?} and {:?}",
            entry.slot,
            entry.value
        );
    }

    fn replicas_at_the_same_slot_are_equal(&mut self, id: GatewayId, disk: &Disk) {
        let hash = *self.hashes.entry(disk.applied).or_insert(disk.tables.hash);
        claim!(
            hash == disk.tables.hash,
            "replicas at the same slot are equal",
            "gateway {id} differs from another at slot {}",
            disk.applied
        );
    }

    /// Whether a row is the next of the history. One that is not the next must be known.
    pub(crate) fn replicas_have_the_same_history(&self, id: GatewayId, row: &HistoryRow) -> bool {
        let at = row.seq.0 as usize;
        claim!(
            at >= 1 && at <= self.history.len() + 1,
            "seq has no holes",
            "gateway {id} writes {row:?} after {} rows",
            self.history.len()
        );
        let Some(known) = self.history.get(at - 1) else { return true };
        claim!(
            known == row,
            "replicas have the same history",
            "gateway {id} writes {row:?}, another {known:?}"
        );
        false
    }
}
