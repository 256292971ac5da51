//! What apply writes: rows of the replica's tables.
//!
//! A house is rebuilt from these rows at start ([`House::restore`]), so a change that is not
//! written is a change that a restart forgets.

use paxos::Voters;
use wire::{Clock, Device, GatewayId, NodeId, OrderNumber, Seq, State, UnixMillis, Zone};

use super::{Counters, DeviceRow, House, Member, OpenOrder, Presence, SeenKey, Timer, ZoneRow};
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
        /// Agreed time of the change.
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
    Saw(SeenKey, u64, super::seen::Receipt),
    /// Something was seen so long ago that it cannot come again.
    Forgot(SeenKey),
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
    /// Time of the last change.
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

impl House {
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
            Change::Device(node, row) => self.index_device(node, row),
            Change::Order(node, Some(order)) => drop(self.orders.insert(node, order)),
            Change::Timer(name, Some(timer)) => drop(self.timers.insert(name, timer)),
            Change::Saw(key, at, receipt) => self.seen.restore(key, at, receipt),
            Change::Order(_, None)
            | Change::Timer(_, None)
            | Change::Forgot(_)
            | Change::Status { .. } => {}
        }
    }

    pub(crate) fn index_device(&mut self, node: NodeId, row: DeviceRow) {
        let name: (Zone, Device) = (row.zone.clone(), row.name.clone());
        self.by_name.insert(name, node);
        self.devices.insert(node, row);
    }
}
