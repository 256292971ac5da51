//! Rows of what was seen.
//!
//! `gateway-core` shows what a request led to, but not the name of its type, so a row starts as
//! one that a small house of its own gave for a request of its own.

use gateway_core::command::{Entry, Op, Origin, Said};
use gateway_core::house::{Change, House, SeenKey};
use wire::{
    Clock, Device, Epoch, GatewayId, NameError, NodeId, OrderNumber, Seq, Stamp, State, UnixMillis,
    Zone,
};

/// What a request led to.
pub(super) struct LedTo {
    pub(super) node: NodeId,
    pub(super) seq: Seq,
    pub(super) order: Option<OrderNumber>,
}

/// A row as [`House::restore`] takes it; none if houses have stopped to give such rows.
pub(super) fn row(key: SeenKey, place: u64, led_to: &LedTo) -> Option<Change> {
    let mut row = pattern().ok()??;
    if let Change::Saw(its_key, its_place, receipt) = &mut row {
        (*its_key, *its_place) = (key, place);
        (receipt.node, receipt.seq, receipt.order) = (led_to.node, led_to.seq, led_to.order);
    }
    Some(row)
}

fn pattern() -> Result<Option<Change>, NameError> {
    let (gateway, zone, device) = (GatewayId(1), Zone::new("zone")?, Device::new("device")?);
    let join = Op::Join { gateway, incarnation: 1, serves: true, caches: false };
    let stamp = Some(Stamp { broker: 1, incarnation: 1, counter: 1 });
    let origin = Origin { epoch: Epoch(1), number: 1, id: None, stamp };
    let report =
        Said { state: State::ON, presence: None, kind: None, order: None, retained: false };
    let mut house = House::new();
    let mut changes = Vec::new();
    let place = Op::Place { zone: zone.clone() };
    for op in [join, place, Op::Report { zone, device, report, origin }] {
        let entry = Entry { time: UnixMillis(1), clock: Clock(1), by: gateway, op };
        changes.extend(house.apply(&entry).changes);
    }
    Ok(changes.into_iter().find(|change| matches!(change, Change::Saw(..))))
}
