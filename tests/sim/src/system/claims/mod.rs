//! What must always be so: one claim, one function.

mod agreed;
mod heard;
mod times;

use std::collections::{BTreeMap, BTreeSet};

use paxos::ReplicaId;
use wire::{GatewayId, NodeId};

use super::world::World;
use crate::home::agreement::Agreement;

pub(crate) use self::agreed::{after_a_write, before_a_message, rests_on_a_write};
pub(crate) use self::heard::{
    a_state_arrives, an_answer_arrives, before_a_publish, histories_are_linearizable,
    what_is_acknowledged, what_is_refused_for_good,
};
pub(crate) use self::times::{DAY_OFF, an_order_arrives, an_order_is_sent, gateway_says, off_by};

/// What the claims remember.
pub(crate) struct Watch {
    pub(crate) agreement: Agreement,
    /// Number of the change that wrote a value, of an order or of a report; and when it was first written.
    pub(crate) seqs: BTreeMap<(bool, u64), (u64, u64)>,
    /// Which replicas ever had this order or report on disk.
    wrote: BTreeMap<(bool, u64), BTreeSet<ReplicaId>>,
    /// Last value and order number per device and register.
    last: BTreeMap<(NodeId, bool), (f64, u64)>,
    /// When a device was first known to anyone.
    pub(crate) registered: BTreeMap<String, u64>,
    /// Of each order: its device, its value, and when it was first written.
    orders: BTreeMap<(String, u64), Order>,
    /// When doors were told to close by themselves.
    pub(crate) closed: BTreeMap<String, u64>,
    /// When a leader learned how long the site has run, and nobody could tell it.
    gaps: Vec<u64>,
    /// When that had no date.
    undated: Vec<u64>,
    knowing: BTreeSet<GatewayId>,
    /// The time of day has been right, which it stays from then on.
    day_was_right: bool,
    /// When doors were opened that were not told to close since: as it was said.
    opened: BTreeMap<String, u64>,
    /// The last state of each device that the watcher's connection has brought.
    states: BTreeMap<(u64, String), u64>,
    majority: usize,
    leading: BTreeSet<GatewayId>,
}

/// An order that was agreed.
struct Order {
    value: Option<u64>,
    /// When it was first written.
    agreed: u64,
}

impl Watch {
    /// Of a home that so many found.
    pub(crate) fn new(founders: usize) -> Self {
        Self {
            agreement: Agreement::default(),
            seqs: BTreeMap::new(),
            wrote: BTreeMap::new(),
            last: BTreeMap::new(),
            registered: BTreeMap::new(),
            orders: BTreeMap::new(),
            closed: BTreeMap::new(),
            gaps: Vec::new(),
            undated: Vec::new(),
            knowing: BTreeSet::new(),
            day_was_right: false,
            opened: BTreeMap::new(),
            states: BTreeMap::new(),
            majority: founders / 2 + 1,
            leading: BTreeSet::new(),
        }
    }
}

pub(crate) fn after_a_step(world: &mut World, id: GatewayId) {
    times::note_gaps(world, id);
    let Some(core) = &world.processes[&id].core else { return };
    world.reach.flights |= core.dropped_qos0() > 0;
    if !core.is_leading() {
        world.watch.leading.remove(&id);
    } else if world.watch.leading.insert(id) {
        world.summary.leader_changes += 1;
    }
}
