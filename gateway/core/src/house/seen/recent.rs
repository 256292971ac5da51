//! The last requests of one zone, in their order of arrival.

use std::collections::BTreeMap;

use super::key::{Receipt, Remembered, SeenKey};
use crate::planted::house as planted;

/// Stamps remembered per zone. A zone session has at most 64 unacknowledged deliveries (its receive maximum), and only
/// those come again by their stamp. Publishes at QoS 0 have no stamp, for nothing delivers them again.
const REMEMBERED: usize = 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recent {
    last: u64,
    keys: BTreeMap<SeenKey, (u64, Receipt)>,
    order: BTreeMap<u64, SeenKey>,
}

impl Recent {
    pub(super) fn receipt(&self, key: &SeenKey) -> Option<Receipt> {
        self.keys.get(key).map(|(_, receipt)| *receipt)
    }

    pub(super) fn remember(&mut self, key: &SeenKey, receipt: Receipt) -> Remembered {
        let at = self.last + 1;
        self.insert(key.clone(), at, receipt);
        let full = self.keys.len() > planted::seen_forgotten(REMEMBERED);
        let forgotten = if full { self.forget_oldest().into_iter().collect() } else { Vec::new() };
        Remembered { at, forgotten }
    }

    pub(super) fn insert(&mut self, key: SeenKey, at: u64, receipt: Receipt) {
        self.last = self.last.max(at);
        self.order.insert(at, key.clone());
        self.keys.insert(key, (at, receipt));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Takes the ids out, oldest first.
    pub(super) fn take_ids(&mut self) -> Vec<(SeenKey, Receipt)> {
        let ids = self.order.extract_if(.., |_, key| matches!(key, SeenKey::Id(..)));
        let keys: Vec<SeenKey> = ids.map(|(_, key)| key).collect();
        // As a gateway counts on that starts from the rows that are left.
        self.last = self.order.last_key_value().map_or(0, |(at, _)| *at);
        let receipt = |key| self.keys.remove(&key).map(|(_, receipt)| (key, receipt));
        keys.into_iter().filter_map(receipt).collect()
    }

    fn forget_oldest(&mut self) -> Option<SeenKey> {
        let (_, key) = self.order.pop_first()?;
        self.keys.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use wire::{NodeId, Seq, Stamp, Zone};

    use super::*;

    #[test]
    fn memory_is_bounded_and_forgets_the_oldest() {
        let zone = Zone::new("hallway").unwrap();
        let key =
            |counter| SeenKey::Stamp(zone.clone(), Stamp { broker: 1, incarnation: 1, counter });
        let mut seen = Recent::default();
        for counter in 0..REMEMBERED as u64 {
            let receipt = Receipt { node: NodeId(2), seq: Seq(counter), order: None };
            assert_eq!(seen.remember(&key(counter), receipt).forgotten, []);
        }
        let receipt = Receipt { node: NodeId(2), seq: Seq(9), order: None };
        assert_eq!(seen.remember(&key(9999), receipt).forgotten, [key(0)]);
        assert_eq!(seen.receipt(&key(0)), None);
        assert_eq!(seen.receipt(&key(1)).map(|r| r.seq), Some(Seq(1)));
    }
}
