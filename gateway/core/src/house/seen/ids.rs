//! The ids that clients gave their requests, each for ten minutes of elapsed time.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use wire::{Device, UnixMillis, Zone};

use super::key::{Receipt, SeenKey};
use super::memory::Memory;
use crate::planted::house as planted;

/// How long an id is remembered, in milliseconds of elapsed time. Ten minutes: a client that has no answer after that
/// long has been told so, or asks a person.
const KEPT_FOR: u64 = 10 * 60 * 1000;

/// Ids forgotten at once. Each new one makes at least as much room as it takes, in an entry that stays short.
const AT_ONCE: usize = 4;

/// There is no room for one more id. Forgetting another one early would apply its retry again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The device has used up its share, which is so many.
    Device(usize),
    /// All devices together have.
    Site(usize),
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self {
            Self::Device(most) => format!("this device's last {most} requests"),
            Self::Site(most) => format!("the site's last {most} requests"),
        };
        let minutes = KEPT_FOR / 60_000;
        write!(
            f,
            "the ids of {whose} are remembered for {minutes} minutes each; send fewer, or without id"
        )
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    keys: BTreeMap<SeenKey, (u64, Receipt)>,
    /// By the elapsed time at which they came, in milliseconds.
    oldest: BTreeSet<(u64, SeenKey)>,
    of_device: BTreeMap<(Zone, Device), usize>,
}

impl Ids {
    pub(super) fn receipt(&self, key: &SeenKey) -> Option<Receipt> {
        self.keys.get(key).map(|(_, receipt)| *receipt)
    }

    pub(super) fn has_room(
        &self,
        zone: &Zone,
        device: &Device,
        memory: &Memory,
    ) -> Result<(), NoRoom> {
        let of_device = self.of_device.get(&(zone.clone(), device.clone())).copied().unwrap_or(0);
        if self.keys.len() >= memory.ids_of_a_site {
            return Err(NoRoom::Site(memory.ids_of_a_site));
        }
        if of_device >= memory.ids_of_a_device {
            return Err(NoRoom::Device(memory.ids_of_a_device));
        }
        Ok(())
    }

    /// Forgets some whose time is over.
    pub(super) fn expire(&mut self, now: UnixMillis, newest: usize) -> Vec<SeenKey> {
        let mut forgotten = Vec::new();
        while forgotten.len() < AT_ONCE && self.keys.len() > planted::newest_ids(newest) {
            let over = self.oldest.first().is_some_and(|(at, _)| is_over(*at, now));
            let oldest = if over { self.oldest.pop_first() } else { None };
            let Some((_, key)) = oldest else { break };
            self.keys.remove(&key);
            self.count(&key, |ids| ids.saturating_sub(1));
            forgotten.push(key);
        }
        forgotten
    }

    pub(super) fn insert(&mut self, key: SeenKey, at: u64, receipt: Receipt) {
        self.count(&key, |ids| ids + 1);
        self.oldest.insert((at, key.clone()));
        self.keys.insert(key, (at, receipt));
    }

    fn count(&mut self, key: &SeenKey, change: impl FnOnce(usize) -> usize) {
        let SeenKey::Dated(zone, device, ..) = key else { return };
        let device = (zone.clone(), device.clone());
        match change(self.of_device.get(&device).copied().unwrap_or(0)) {
            0 => drop(self.of_device.remove(&device)),
            ids => drop(self.of_device.insert(device, ids)),
        }
    }
}

fn is_over(at: u64, now: UnixMillis) -> bool {
    at.saturating_add(planted::ids_kept_for(KEPT_FOR)) <= now.0
}
