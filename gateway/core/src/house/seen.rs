//! What was applied lately, so that a redelivery or a retry is applied once.
//!
//! A request is known by its client's `id` where there is one, else by the broker's stamp.
//! Content is never compared.

use std::collections::BTreeMap;

use wire::{Device, NodeId, OrderNumber, RequestId, Seq, Stamp, Zone, ZoneVerb};

use crate::planted::house as planted;

/// By what a request is recognised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeenKey {
    /// The client's name of it, per device and kind of request.
    Id(Zone, Device, ZoneVerb, RequestId),
    /// The broker's stamp of it.
    Stamp(Zone, Stamp),
}

/// What its first coming led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The device.
    pub node: NodeId,
    /// Number of the change.
    pub seq: Seq,
    /// Number of the order, if it was one.
    pub order: Option<OrderNumber>,
}

/// The requests of every zone that may come again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    zones: BTreeMap<Zone, Recent>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Recent {
    last: u64,
    keys: BTreeMap<SeenKey, (u64, Receipt)>,
    order: BTreeMap<u64, SeenKey>,
}

/// Requests remembered per zone. A zone session has at most 64 unacknowledged deliveries
/// (its receive maximum), and only those come again by stamp; the rest is for clients that retry
/// with an id, about a thousand requests later at most.
const REMEMBERED: usize = 1024;

impl SeenKey {
    /// The zone of the request.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        match self {
            Self::Id(zone, ..) | Self::Stamp(zone, _) => zone,
        }
    }
}

impl Seen {
    /// What the request led to when it came first.
    #[must_use]
    pub fn receipt(&self, key: &SeenKey) -> Option<Receipt> {
        self.zones.get(key.zone())?.keys.get(key).map(|(_, receipt)| *receipt)
    }

    /// Remembers a request; gives its place and, when the zone's memory was full, what it forgot.
    pub fn remember(&mut self, key: &SeenKey, receipt: Receipt) -> (u64, Option<SeenKey>) {
        let recent = self.zones.entry(key.zone().clone()).or_default();
        let at = recent.last + 1;
        recent.insert(key.clone(), at, receipt);
        let full = recent.keys.len() > planted::seen_forgotten(REMEMBERED);
        let oldest = if full { recent.order.pop_first().map(|(_, key)| key) } else { None };
        if let Some(key) = &oldest {
            recent.keys.remove(key);
        }
        (at, oldest)
    }

    pub(super) fn restore(&mut self, key: SeenKey, at: u64, receipt: Receipt) {
        self.zones.entry(key.zone().clone()).or_default().insert(key, at, receipt);
    }
}

impl Recent {
    fn insert(&mut self, key: SeenKey, at: u64, receipt: Receipt) {
        self.last = self.last.max(at);
        self.order.insert(at, key.clone());
        self.keys.insert(key, (at, receipt));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let zone = Zone::new("hallway").unwrap();
        let key =
            |counter| SeenKey::Stamp(zone.clone(), Stamp { broker: 1, incarnation: 1, counter });
        let mut seen = Seen::default();
        for counter in 0..REMEMBERED as u64 {
            let receipt = Receipt { node: NodeId(2), seq: Seq(counter), order: None };
            assert_eq!(seen.remember(&key(counter), receipt).1, None);
        }
        let receipt = Receipt { node: NodeId(2), seq: Seq(9), order: None };
        assert_eq!(seen.remember(&key(9999), receipt).1, Some(key(0)));
        assert_eq!(seen.receipt(&key(0)), None);
        assert_eq!(seen.receipt(&key(1)).map(|r| r.seq), Some(Seq(1)));
    }
}
