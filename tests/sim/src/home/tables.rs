//! A replica's tables: the newest row per key, and a hash of them all that is as cheap as the change.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use gateway_core::command::TimerName;
use gateway_core::event::HistoryRow;
use gateway_core::house::{Change, House, Register, SeenKey, StatusRow};
use paxos::Voters;
use wire::{Desired, GatewayId, NodeId, Seq, Zone};

/// Everything in the tables at one slot. History is the same for all, so each replica keeps only how much of it it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    rows: BTreeMap<Key, (Change, u64)>,
    /// Of all rows, in any order.
    pub(crate) hash: u64,
    pub(crate) status: BTreeMap<NodeId, StatusRow>,
    pub(crate) seq: Seq,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    House,
    Voters,
    Gateway(GatewayId),
    Zone(Zone),
    Device(NodeId),
    Order(NodeId),
    Timer(TimerName),
    Seen(SeenKey),
    Made(Zone),
}

impl Tables {
    pub(crate) fn restore(&self) -> House {
        let mut house = House::new();
        self.rows.values().for_each(|(row, _)| house.restore(row.clone()));
        house
    }

    /// Who votes, if the log ever said so.
    pub(crate) fn voters(&self) -> Option<&Voters> {
        match self.rows.get(&Key::Voters) {
            Some((Change::Voters(voters), _)) if !voters.is_empty() => Some(voters),
            _ => None,
        }
    }

    /// The rows of one zone.
    pub(crate) fn zone(&self, zone: &Zone) -> Vec<StatusRow> {
        let of_zone = |(row, _): &(Change, u64)| match row {
            Change::Device(node, row) if row.zone == *zone => Some(self.status[node].clone()),
            _ => None,
        };
        self.rows.values().filter_map(of_zone).collect()
    }

    /// Writes a row; gives the row of history and of status that a change of a register makes.
    pub(crate) fn change(&mut self, change: &Change) -> Option<(HistoryRow, StatusRow)> {
        match change {
            Change::House(..) => self.put(Key::House, Some(change)),
            Change::Voters(_) => self.put(Key::Voters, Some(change)),
            Change::Gateway(id, _) => self.put(Key::Gateway(*id), Some(change)),
            Change::Zone(zone, _) => self.put(Key::Zone(zone.clone()), Some(change)),
            Change::Device(node, row) => {
                self.status.entry(*node).or_insert(StatusRow::empty(*node, row.registered));
                self.put(Key::Device(*node), Some(change));
            }
            Change::Order(node, order) => {
                self.put(Key::Order(*node), order.as_ref().map(|_| change));
            }
            Change::Timer(name, timer) => self.put(Key::Timer(*name), timer.map(|_| change)),
            Change::Saw(key, ..) => self.put(Key::Seen(key.clone()), Some(change)),
            Change::Forgot(key) => self.put(Key::Seen(key.clone()), None),
            Change::Made(zone, _) => self.put(Key::Made(zone.clone()), Some(change)),
            Change::Removed(zone) => {
                self.put(Key::Zone(zone.clone()), None);
                self.put(Key::Made(zone.clone()), None);
            }
            Change::Status { .. } => return self.write(change),
        }
        None
    }

    fn put(&mut self, key: Key, row: Option<&Change>) {
        let before = match row {
            Some(row) => {
                let hash = hash(row);
                self.hash ^= hash;
                self.rows.insert(key, (row.clone(), hash))
            }
            None => self.rows.remove(&key),
        };
        self.hash ^= before.map_or(0, |(_, hash)| hash);
    }

    fn write(&mut self, change: &Change) -> Option<(HistoryRow, StatusRow)> {
        let Change::Status { node, seq, time, clock, owner, register, note } = change else {
            return None;
        };
        let row = self.status.get_mut(node)?;
        (row.seq, row.time, row.clock) = (*seq, *time, *clock);
        self.seq = *seq;
        let (name, state, ordered) = match register {
            Register::State(state, order) => {
                row.state = Some(state.clone());
                ("state", state, *order)
            }
            Register::Desired(state, order) => {
                row.desired = Some(Desired { state: state.clone(), order: *order });
                ("desired", state, Some(*order))
            }
        };
        let history = HistoryRow {
            seq: *seq,
            time: *time,
            node: *node,
            register: name.to_owned(),
            state: state.clone(),
            ordered: ordered.map(|order| order.0),
            clock: clock.0,
            owner: *owner,
            note: note.clone(),
        };
        Some((history, row.clone()))
    }
}

fn hash(row: &Change) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}
