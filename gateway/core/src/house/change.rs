//! What apply writes: rows of the replica's tables.
//!
//! A house is rebuilt from these rows at start ([`House::restore`](super::House::restore)), so a change that is not
//! written is a change that a restart forgets.

use paxos::Voters;
use wire::{Clock, GatewayId, NodeId, OrderNumber, Seq, State, UnixMillis, Zone};

use super::presence::Presence;
use super::rows::{Counters, DeviceRow, Made, Member, OpenOrder, Timer, ZoneRow};
use super::seen::{Receipt, SeenKey};
use crate::command::{Agreed, TimerName};

/// One row to write or to remove.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Counters, agreed settings and presence: one row each, replaced as a whole.
    House(Counters, Agreed, Presence),
    /// Who votes, replaced as a whole.
    Voters(Voters),
    /// A gateway.
    Gateway(GatewayId, Member),
    /// A zone.
    Zone(Zone, ZoneRow),
    /// A device; its status row exists from here on.
    Device(NodeId, DeviceRow),
    /// A register of a device changes: one row of history, and the status row, which the store
    /// returns as a whole ([`StatusRow`]).
    Status {
        /// The device.
        node: NodeId,
        /// Number of the change.
        seq: Seq,
        /// Agreed time of day of the change.
        time: UnixMillis,
        /// Lamport clock of the change.
        clock: Clock,
        /// The gateway that proposed it.
        owner: GatewayId,
        /// Which register, and its value.
        register: Register,
        /// What a rule concluded from it.
        note: Option<String>,
    },
    /// The open order of a device; none when it was fulfilled, replaced or dropped.
    Order(NodeId, Option<OpenOrder>),
    /// A timer; none when it fired or is not needed any more.
    Timer(TimerName, Option<Timer>),
    /// Something was seen, with its place in the zone's order of arrival.
    Saw(SeenKey, u64, Receipt),
    /// Something was seen so long ago that it cannot come again.
    Forgot(SeenKey),
    /// A zone was made.
    Made(Zone, Made),
    /// A zone is gone, with how it came about.
    Removed(Zone),
}

/// A register of a device with its new value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Register {
    /// The last agreed report, and the order that it fulfilled.
    State(State, Option<OrderNumber>),
    /// The last agreed order.
    Desired(State, OrderNumber),
}

/// Both registers of a device, as the store has them after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRow {
    /// The device.
    pub node: NodeId,
    /// Time of day of the last change.
    pub time: UnixMillis,
    /// Number of the last change.
    pub seq: Seq,
    /// Lamport clock of the last change.
    pub clock: Clock,
    /// Last agreed report.
    pub state: Option<State>,
    /// Last agreed order.
    pub desired: Option<wire::Desired>,
}

impl StatusRow {
    /// The row of a device that has only registered.
    #[must_use]
    pub fn empty(node: NodeId, time: UnixMillis) -> Self {
        Self { node, time, seq: Seq(0), clock: Clock(0), state: None, desired: None }
    }
}
