//! The owner's cache: least recently used, written through, counted as the seed counts.

use core::num::NonZeroUsize;
use std::collections::BTreeSet;

use lru::LruCache;
use wire::{CacheCounts, CacheUse, NodeId, Zone};

use crate::context::Context;
use crate::house::StatusRow;
use crate::planted;
use crate::want::Wants;

/// Cache of the devices that this gateway owns.
#[derive(Debug)]
pub(crate) struct Cache {
    rows: Option<LruCache<NodeId, StatusRow>>,
    /// Every device that was ever in it. The log knows of writes alone; a query fills it too.
    cached: BTreeSet<NodeId>,
    counts: CacheCounts,
}

/// What putting a row into the cache did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    /// The cache has size 0.
    Off,
    /// There was room.
    Added,
    /// The device was in it.
    Updated,
    /// The least recently used device had to leave.
    Evicted,
}

impl Cache {
    /// A cache for `size` devices; none for 0.
    #[must_use]
    pub(crate) fn new(size: usize) -> Self {
        let rows = NonZeroUsize::new(size).map(LruCache::new);
        Self { rows, cached: BTreeSet::new(), counts: CacheCounts::default() }
    }

    /// Whether there is a cache at all.
    #[must_use]
    pub(crate) fn is_on(&self) -> bool {
        self.rows.is_some()
    }

    /// How often it helped.
    #[must_use]
    pub(crate) fn counts(&self) -> CacheCounts {
        self.counts
    }

    /// Puts a row that is in the table into the cache too, and tells of it.
    pub(crate) fn keep(&mut self, ctx: &Context, row: &StatusRow, out: &mut Wants) {
        let put = self.put(row.clone());
        let me = ctx.me();
        out.say(ctx, || match put {
            Put::Off => "Will Proceed Without Caching as cacheSize is 0".to_owned(),
            Put::Added => format!("Adding the cache in Gateway-{me}."),
            Put::Updated => format!("Updating the cache in Gateway-{me}."),
            Put::Evicted => format!(
                "Cache full in GATEWAY-{me} Evicting the cache using LRU and caching the current item"
            ),
        });
    }

    /// Forgets the devices of a zone that this gateway does not own any more.
    pub(crate) fn forget_zone(&mut self, ctx: &Context, zone: &Zone) {
        let nodes = ctx.house.devices_of(zone).map(|(node, _)| node).collect();
        for node in planted::cache::cache_kept(nodes) {
            self.forget(node);
        }
    }

    /// Write-through: the row has just been written to the table.
    fn put(&mut self, row: StatusRow) -> Put {
        let Some(rows) = &mut self.rows else { return Put::Off };
        self.cached.insert(row.node);
        let full = rows.len() == rows.cap().get();
        match rows.push(row.node, row.clone()) {
            Some((node, _)) if node == row.node => Put::Updated,
            Some(_) if full => Put::Evicted,
            _ => Put::Added,
        }
    }

    /// A query: counted, and answered from the cache if it can be. `known` says whether the log
    /// knows of a gateway that has cached the device before.
    pub(crate) fn query(&mut self, node: NodeId, known: bool) -> (CacheUse, Option<StatusRow>) {
        let Some(rows) = &mut self.rows else { return (CacheUse::Off, None) };
        if let Some(row) = rows.get(&node) {
            self.counts.hits += 1;
            return (CacheUse::Hit, Some(row.clone()));
        }
        if known || self.cached.contains(&node) {
            self.counts.misses += 1;
            (CacheUse::Miss, None)
        } else {
            self.counts.cold_misses += 1;
            (CacheUse::Cold, None)
        }
    }

    fn forget(&mut self, node: NodeId) {
        if let Some(rows) = &mut self.rows {
            rows.pop(&node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::UnixMillis;

    fn row(node: u32) -> StatusRow {
        StatusRow::empty(NodeId(node), UnixMillis(0))
    }

    #[test]
    fn the_least_recently_used_device_leaves() {
        let mut cache = Cache::new(2);
        assert_eq!(cache.put(row(2)), Put::Added);
        assert_eq!(cache.put(row(3)), Put::Added);
        assert_eq!(cache.query(NodeId(2), true).0, CacheUse::Hit);
        assert_eq!(cache.put(row(4)), Put::Evicted);
        assert_eq!(cache.query(NodeId(3), true).0, CacheUse::Miss);
        assert_eq!(cache.query(NodeId(2), true).0, CacheUse::Hit);
        assert_eq!(cache.put(row(4)), Put::Updated);
        assert_eq!(cache.query(NodeId(9), false).0, CacheUse::Cold);
        let counts = CacheCounts { hits: 2, misses: 1, cold_misses: 1 };
        assert_eq!(cache.counts(), counts);
    }

    #[test]
    fn size_0_counts_nothing() {
        let mut cache = Cache::new(0);
        assert_eq!(cache.put(row(2)), Put::Off);
        assert_eq!(cache.query(NodeId(2), true), (CacheUse::Off, None));
        assert_eq!(cache.counts(), CacheCounts::default());
    }
}
