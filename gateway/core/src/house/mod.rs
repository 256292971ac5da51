//! The replicated state of the home: everything apply needs to decide, equal on all replicas at
//! equal slot.
//!
//! The registers' values are not in here: they live in the replica's tables, which apply changes
//! through [`Change`]s, and in the owner's cache. What is in here is small: who is registered
//! where, who owns what, which orders are open, what was seen lately.
//!
//! Only [`House::apply`] changes a house, and it reads nothing but the house and the entry.

mod apply;
mod change;
mod devices;
mod digest;
mod outcome;
mod placement;
mod rules;
mod seen;

use std::collections::BTreeMap;

use paxos::Voters;
use wire::{
    Clock, Device, Epoch, GatewayId, Kind, NodeId, OrderNumber, Seq, State, UnixMillis, Version,
    Zone,
};

pub use change::{Change, Register, StatusRow};
pub use outcome::{Moved, Note, Outcome, Verdict, Written};
pub use rules::Presence;
pub use seen::{Receipt, Seen, SeenKey};

use crate::command::{Agreed, Leadership, TimerName};
use crate::id::Incarnation;

/// The replicated state of the home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct House {
    pub(crate) agreed: Agreed,
    pub(crate) counters: Counters,
    pub(crate) presence: Presence,
    /// Nobody as long as the founders vote.
    pub(crate) voters: Voters,
    pub(crate) gateways: BTreeMap<GatewayId, Member>,
    pub(crate) zones: BTreeMap<Zone, ZoneRow>,
    pub(crate) devices: BTreeMap<NodeId, DeviceRow>,
    pub(crate) by_name: BTreeMap<(Zone, Device), NodeId>,
    pub(crate) orders: BTreeMap<NodeId, OpenOrder>,
    pub(crate) timers: BTreeMap<TimerName, Timer>,
    pub(crate) seen: Seen,
}

/// What counts upwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// The last device change.
    pub seq: Seq,
    /// The latest agreed time.
    pub time: UnixMillis,
    /// The highest Lamport clock applied.
    pub clock: Clock,
    /// The last owner epoch given out.
    pub epoch: Epoch,
    /// The last generation of a timer given out.
    pub generation: u64,
    /// The last leadership that began where moves wait for leases.
    pub leadership: Leadership,
    /// The version of the site: what every gateway of it understands.
    pub version: Version,
    /// Of every change so far; 0 in a home that was begun before there were digests.
    pub digest: u64,
}

/// A gateway as the log knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    /// Whether it was last said to be here, or to be dead.
    pub alive: bool,
    /// Whether it owns zones while it lives.
    pub serves: bool,
    /// Whether it has a cache.
    pub caches: bool,
    /// Which life of it.
    pub incarnation: Incarnation,
}

impl Member {
    /// One that has just said that it is here.
    pub(crate) const fn living(incarnation: Incarnation, serves: bool, caches: bool) -> Self {
        Self { alive: true, serves, caches, incarnation }
    }
}

/// A zone and its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ZoneRow {
    /// The gateway that serves it now.
    pub owner: GatewayId,
    /// The gateway that it was placed on, and returns to.
    pub home: GatewayId,
    /// Epoch of the present owner.
    pub epoch: Epoch,
    /// Number of the next proposal that this epoch may apply.
    pub next: u64,
}

/// A registered device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceRow {
    /// Its zone.
    pub zone: Zone,
    /// Its name, unique in the zone.
    pub name: Device,
    /// What it is.
    pub kind: Kind,
    /// When it registered.
    pub registered: UnixMillis,
    /// Number of its last order.
    pub orders: OrderNumber,
    /// Whether an owner with a cache ever wrote it.
    pub cached: bool,
}

/// An order that no report has fulfilled yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenOrder {
    /// Its number.
    pub number: OrderNumber,
    /// What the device shall be.
    pub state: State,
    /// Lamport clock of the order.
    pub clock: Clock,
}

/// A timer of the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timer {
    /// Which setting of it this is.
    pub generation: u64,
    /// When the leader shall propose it.
    pub due: UnixMillis,
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
            devices: BTreeMap::new(),
            by_name: BTreeMap::new(),
            orders: BTreeMap::new(),
            timers: BTreeMap::new(),
            seen: Seen::default(),
        }
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
}

impl Default for House {
    fn default() -> Self {
        Self::new()
    }
}
