//! A replica's tables as a store keeps them: the newest row per key, and what was removed is gone.

use std::collections::BTreeMap;

use gateway_core::house::{Change, House};

/// The newest row per key.
#[derive(Clone, Default)]
pub(crate) struct Rows(BTreeMap<String, Change>);

impl Rows {
    pub(crate) fn keep(&mut self, change: Change) {
        let key = match &change {
            Change::House(..) => "house".to_owned(),
            Change::Voters(_) => "voters".to_owned(),
            Change::Gateway(id, _) => format!("gateway {id}"),
            Change::Zone(zone, _) => format!("zone {zone}"),
            Change::Device(node, _) => format!("device {node}"),
            Change::Order(node, _) => format!("order {node}"),
            Change::Timer(name, _) => format!("timer {name}"),
            Change::Saw(key, ..) | Change::Forgot(key) => format!("seen {key:?}"),
            Change::Made(zone, _) => format!("made {zone}"),
            Change::Removed(zone) => {
                self.0.remove(&format!("zone {zone}"));
                self.0.remove(&format!("made {zone}"));
                return;
            }
            Change::Status { .. } => return,
        };
        match change {
            Change::Order(_, None) | Change::Timer(_, None) | Change::Forgot(_) => {
                self.0.remove(&key);
            }
            other => drop(self.0.insert(key, other)),
        }
    }

    pub(crate) fn restore(&self) -> House {
        let mut house = House::new();
        self.0.values().for_each(|row| house.restore(row.clone()));
        house
    }
}
