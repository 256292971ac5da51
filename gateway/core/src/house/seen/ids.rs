//! The ids that clients gave their requests, each for ten minutes of elapsed time.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use wire::{Device, UnixMillis, Zone};

use super::key::{Receipt, SeenKey};
use crate::planted::house as planted;

/// How long an id is remembered, in milliseconds of elapsed time. Ten minutes: a client that has no answer after that
/// long has been told so, or asks a person.
const KEPT_FOR: u64 = 10 * 60 * 1000;

/// Ids remembered of one device. 16,384: 27 a second for ten minutes, and 61 devices may have as many before the site
/// has no room.
const OF_A_DEVICE: usize = 16_384;

/// Ids remembered of a site. 1,000,000: about 200 MB of memory on each gateway, if ever so many come.
const OF_A_SITE: usize = 1_000_000;

/// The newest ids of the site, which are remembered however old they are: what dates a time in which all gateways were
/// off are wall clocks, and wrong ones could make all ids old at once. 4,096: less than a device may have, so that a
/// device that has used up its share gets room again.
const NEWEST: usize = 4096;

/// Ids forgotten at once. Each new one makes at least as much room as it takes, in an entry that stays short.
const AT_ONCE: usize = 4;

/// There is no room for one more id. Forgetting another one early would apply its retry again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The device has used up its share.
    Device,
    /// All devices together have.
    Site,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self {
            Self::Device => format!("this device's last {OF_A_DEVICE} requests"),
            Self::Site => format!("the site's last {OF_A_SITE} requests"),
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

    pub(super) fn has_room(&self, zone: &Zone, device: &Device) -> Result<(), NoRoom> {
        let of_device = self.of_device.get(&(zone.clone(), device.clone())).copied().unwrap_or(0);
        if self.keys.len() >= OF_A_SITE {
            return Err(NoRoom::Site);
        }
        if of_device >= OF_A_DEVICE {
            return Err(NoRoom::Device);
        }
        Ok(())
    }

    /// Forgets some whose time is over.
    pub(super) fn expire(&mut self, now: UnixMillis) -> Vec<SeenKey> {
        let mut forgotten = Vec::new();
        while forgotten.len() < AT_ONCE && self.keys.len() > planted::newest_ids(NEWEST) {
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
