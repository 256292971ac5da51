//! The rows that a house is made of.

use wire::{
    Account, Clock, Device, Epoch, GatewayId, Kind, OrderNumber, Seq, State, UnixMillis, Version,
    Zone,
};

use crate::command::{Leadership, Offset};
use crate::id::Incarnation;

/// What counts upwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// The last device change.
    pub seq: Seq,
    /// The elapsed time of the latest entry.
    pub time: UnixMillis,
    /// How far the time of day is from it.
    pub offset: Offset,
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

impl Counters {
    /// The agreed time of day.
    #[must_use]
    pub const fn time_of_day(&self) -> UnixMillis {
        UnixMillis(self.time.0.saturating_add_signed(self.offset.0))
    }
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

/// How a zone came about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Made {
    /// The elapsed time at which it was made.
    pub at: UnixMillis,
    /// On whose account; none where nobody's is kept.
    pub by: Option<Account>,
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
    /// The time of day at which it registered.
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
    /// The elapsed time at which the leader shall propose it.
    pub due: UnixMillis,
}
