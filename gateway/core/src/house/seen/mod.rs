//! What was applied lately, so that a redelivery or a retry is applied once.
//!
//! A request is known by its client's `id` where there is one, else by the broker's stamp.
//! Content is never compared. The two have separate memories, because they come again for different reasons: a stamp
//! comes again while the broker redelivers, an id while its client retries. Neither can push the other out.

mod ids;
mod key;
mod memory;
mod recent;

use std::collections::BTreeMap;

use wire::{UnixMillis, Version, Zone};

use ids::Ids;
pub use ids::NoRoom;
pub use key::{Receipt, Remembered, SeenKey};
pub use memory::Memory;
use recent::Recent;

/// The version of the site from which on ids have a memory of their own.
pub(crate) const DATED_IDS: Version = Version(5);

/// The requests that may come again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    memory: Memory,
    zones: BTreeMap<Zone, Recent>,
    ids: Ids,
}

impl Seen {
    /// What the request led to when it came first.
    #[must_use]
    pub fn receipt(&self, key: &SeenKey) -> Option<Receipt> {
        match key {
            SeenKey::Dated(..) => self.ids.receipt(key),
            key => self.zones.get(key.zone())?.receipt(key),
        }
    }

    /// Whether a request that was not seen can be remembered.
    ///
    /// # Errors
    /// When there is no room for its id. It must not be applied then: its retry would be applied again.
    pub fn has_room(&self, key: &SeenKey) -> Result<(), NoRoom> {
        match key {
            SeenKey::Dated(zone, device, ..) => self.ids.has_room(zone, device, &self.memory),
            SeenKey::Id(..) | SeenKey::Stamp(..) => Ok(()),
        }
    }

    /// Remembers a request that was applied at `now`.
    pub fn remember(&mut self, key: &SeenKey, now: UnixMillis, receipt: Receipt) -> Remembered {
        match key {
            SeenKey::Dated(..) => {
                self.ids.insert(key.clone(), now.0, receipt);
                Remembered { at: now.0, forgotten: Vec::new() }
            }
            key => {
                let zone = self.zones.entry(key.zone().clone()).or_default();
                zone.remember(key, receipt, self.memory.stamps)
            }
        }
    }

    /// Forgets ids whose time is over, some at a time, and says which.
    pub fn expire(&mut self, now: UnixMillis) -> Vec<SeenKey> {
        self.ids.expire(now, self.memory.newest_ids)
    }

    /// The site has got version [`DATED_IDS`]: the ids of before are remembered for a time from now on. Gives each
    /// old key with the new one and its receipt.
    pub fn date_ids(&mut self, now: UnixMillis) -> Vec<(SeenKey, SeenKey, Receipt)> {
        let mut dated = Vec::new();
        for recent in self.zones.values_mut() {
            for (old, receipt) in recent.take_ids() {
                let SeenKey::Id(zone, device, verb, id) = old.clone() else { continue };
                let new = SeenKey::Dated(zone, device, verb, id);
                self.ids.insert(new.clone(), now.0, receipt);
                dated.push((old, new, receipt));
            }
        }
        self.zones.retain(|_, recent| !recent.is_empty());
        dated
    }

    /// Remembers as much from now on.
    pub(super) fn within(&mut self, memory: Memory) {
        self.memory = memory;
    }

    pub(super) fn restore(&mut self, key: SeenKey, at: u64, receipt: Receipt) {
        match key {
            SeenKey::Dated(..) => self.ids.insert(key, at, receipt),
            key => self.zones.entry(key.zone().clone()).or_default().insert(key, at, receipt),
        }
    }
}
