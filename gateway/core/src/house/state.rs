//! The house itself: what it holds, how it is read, and how it is rebuilt from its rows.

use std::collections::BTreeMap;

use paxos::Voters;
use wire::{Device, GatewayId, Kind, NodeId, Zone};

use super::change::Change;
use super::digest;
use super::presence::Presence;
use super::rows::{Counters, DeviceRow, Made, Member, OpenOrder, Timer, ZoneRow};
use super::seen::{Memory, Seen};
use crate::command::{Agreed, TimerName};

/// The replicated state of the home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct House {
    pub(super) agreed: Agreed,
    pub(super) counters: Counters,
    pub(super) presence: Presence,
    /// Nobody as long as the founders vote.
    pub(super) voters: Voters,
    pub(super) gateways: BTreeMap<GatewayId, Member>,
    pub(crate) zones: BTreeMap<Zone, ZoneRow>,
    /// Of zones that were made since they are counted.
    pub(super) made: BTreeMap<Zone, Made>,
    pub(super) devices: BTreeMap<NodeId, DeviceRow>,
    pub(super) by_name: BTreeMap<(Zone, Device), NodeId>,
    pub(super) orders: BTreeMap<NodeId, OpenOrder>,
    pub(super) timers: BTreeMap<TimerName, Timer>,
    pub(crate) seen: Seen,
}

impl House {
    /// A home in which nothing has happened. The agreed settings are those of the configuration's
    /// defaults until the first leader proposes its own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            agreed: Agreed { threshold: 3, door_closes_after: None },
            counters: Counters { digest: digest::FIRST, ..Counters::default() },
            presence: Presence::default(),
            voters: Voters::none(),
            gateways: BTreeMap::new(),
            zones: BTreeMap::new(),
            made: BTreeMap::new(),
            devices: BTreeMap::new(),
            by_name: BTreeMap::new(),
            orders: BTreeMap::new(),
            timers: BTreeMap::new(),
            seen: Seen::default(),
        }
    }

    /// Remembers as much from now on of the requests that may come again.
    pub fn remember_within(&mut self, memory: Memory) {
        self.seen.within(memory);
    }

    /// The agreed settings.
    #[must_use]
    pub fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// What counts upwards.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Who votes, if the log ever said so; else the founders do.
    #[must_use]
    pub fn voters(&self) -> &Voters {
        &self.voters
    }

    /// Every gateway that ever joined.
    #[must_use]
    pub fn gateways(&self) -> &BTreeMap<GatewayId, Member> {
        &self.gateways
    }

    /// Every zone.
    #[must_use]
    pub fn zones(&self) -> &BTreeMap<Zone, ZoneRow> {
        &self.zones
    }

    /// Every device, by node id.
    #[must_use]
    pub fn devices(&self) -> &BTreeMap<NodeId, DeviceRow> {
        &self.devices
    }

    /// The orders that no report has fulfilled yet.
    #[must_use]
    pub fn orders(&self) -> &BTreeMap<NodeId, OpenOrder> {
        &self.orders
    }

    /// The timers that are set.
    #[must_use]
    pub fn timers(&self) -> &BTreeMap<TimerName, Timer> {
        &self.timers
    }

    /// Node id of a device.
    #[must_use]
    pub fn node(&self, zone: &Zone, device: &Device) -> Option<NodeId> {
        // The map's key is a pair of owned names; a home has few enough devices for two clones.
        self.by_name.get(&(zone.clone(), device.clone())).copied()
    }

    /// What a device is; what a state of it means depends on that.
    pub(crate) fn kind(&self, node: NodeId) -> Kind {
        self.devices.get(&node).map_or(Kind::default(), |row| row.kind)
    }

    /// The devices of a zone.
    pub fn devices_of<'a>(
        &'a self,
        zone: &'a Zone,
    ) -> impl Iterator<Item = (NodeId, &'a DeviceRow)> {
        self.devices
            .iter()
            .filter(move |(_, row)| row.zone == *zone)
            .map(|(node, row)| (*node, row))
    }

    /// The devices that a gateway serves, as the registration table shows them.
    pub fn devices_at(&self, gateway: GatewayId) -> impl Iterator<Item = (NodeId, &DeviceRow)> {
        self.devices
            .iter()
            .filter(move |(_, row)| self.zones.get(&row.zone).is_some_and(|z| z.owner == gateway))
            .map(|(node, row)| (*node, row))
    }

    /// Load of a gateway: the devices in its zones.
    #[must_use]
    pub fn load(&self, gateway: GatewayId) -> u32 {
        u32::try_from(self.devices_at(gateway).count()).unwrap_or(u32::MAX)
    }

    /// Rebuilds the house from its rows, in any order. Rows of status and history are not part of
    /// a house and change nothing.
    pub fn restore(&mut self, row: Change) {
        match row {
            Change::House(counters, agreed, presence) => {
                (self.counters, self.agreed, self.presence) = (counters, agreed, presence);
            }
            Change::Voters(voters) => self.voters = voters,
            Change::Gateway(id, member) => drop(self.gateways.insert(id, member)),
            Change::Zone(zone, row) => drop(self.zones.insert(zone, row)),
            Change::Made(zone, made) => drop(self.made.insert(zone, made)),
            Change::Device(node, row) => self.index_device(node, row),
            Change::Order(node, Some(order)) => drop(self.orders.insert(node, order)),
            Change::Timer(name, Some(timer)) => drop(self.timers.insert(name, timer)),
            Change::Saw(key, at, receipt) => self.seen.restore(key, at, receipt),
            Change::Order(_, None)
            | Change::Timer(_, None)
            | Change::Forgot(_)
            | Change::Removed(_)
            | Change::Status { .. } => {}
        }
    }

    pub(super) fn index_device(&mut self, node: NodeId, row: DeviceRow) {
        let name: (Zone, Device) = (row.zone.clone(), row.name.clone());
        self.by_name.insert(name, node);
        self.devices.insert(node, row);
    }
}

impl Default for House {
    fn default() -> Self {
        Self::new()
    }
}
