//! The last requests of one zone, in their order of arrival.

use std::collections::BTreeMap;

use super::key::{Receipt, Remembered, SeenKey};
use super::memory::Memory;
use crate::planted::house as planted;

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

    pub(super) fn remember(&mut self, key: &SeenKey, receipt: Receipt, most: usize) -> Remembered {
        let at = self.last + 1;
        self.insert(key.clone(), at, receipt);
        let forgotten = self.forget(planted::seen_forgotten(most)).into_iter().collect();
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

    /// One of too many. Ids without a date are of a site that is not raised yet: they count as all gateways there
    /// count.
    fn forget(&mut self, most: usize) -> Option<SeenKey> {
        let is_stamp = |(_, key): &(&u64, &SeenKey)| matches!(key, SeenKey::Stamp(..));
        let at = if self.keys.len() > most.max(Memory::USUAL.stamps) {
            self.order.first_key_value().map(|(at, _)| *at)
        } else if self.keys.len() > most && self.order.iter().filter(is_stamp).count() > most {
            self.order.iter().find(is_stamp).map(|(at, _)| *at)
        } else {
            None
        };
        let key = self.order.remove(&at?)?;
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
        for counter in 0..4 {
            let receipt = Receipt { node: NodeId(2), seq: Seq(counter), order: None };
            assert_eq!(seen.remember(&key(counter), receipt, 4).forgotten, []);
        }
        let receipt = Receipt { node: NodeId(2), seq: Seq(9), order: None };
        assert_eq!(seen.remember(&key(9999), receipt, 4).forgotten, [key(0)]);
        assert_eq!(seen.receipt(&key(0)), None);
        assert_eq!(seen.receipt(&key(1)).map(|r| r.seq), Some(Seq(1)));
    }
}
