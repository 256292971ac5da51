//! What must always be so: one claim, one function.

use std::collections::BTreeMap;

use gateway_core::event::{HistoryRow, Session};
use gateway_core::house::House;
use paxos::Slot;
use wire::{Answer, Epoch, GatewayId, NodeId, Zone};

use crate::broker::Life;
use crate::world::World;

/// What the claims remember.
#[derive(Default)]
pub(crate) struct Watch {
    houses: BTreeMap<Slot, House>,
    /// Up to where each life of a gateway was looked at.
    applied: BTreeMap<GatewayId, (Life, Slot)>,
    /// Rows of history that were looked at, per replica.
    looked: BTreeMap<GatewayId, usize>,
    /// Last value and order number per replica, device and register.
    last: BTreeMap<(GatewayId, NodeId, String), (f64, u64)>,
    /// When an epoch of a zone was first applied anywhere.
    epochs: BTreeMap<(Zone, Epoch), u64>,
    /// When a gateway was thrown out, and under which epoch it had been the owner.
    thrown_out: BTreeMap<(GatewayId, Zone), (Epoch, u64)>,
}

impl Watch {
    /// A gateway has lost its disk.
    pub(crate) fn forget(&mut self, id: GatewayId) {
        self.looked.remove(&id);
        self.last.retain(|(of, ..), _| *of != id);
    }
}

pub(crate) fn after_a_step(world: &mut World, id: GatewayId) {
    let Some(core) = &world.nodes[&id].core else { return };
    let seen = (world.nodes[&id].life(), core.applied());
    if world.watch.applied.insert(id, seen) == Some(seen) {
        return;
    }
    replicas_at_the_same_slot_are_equal(world, id);
    note_epochs(world, id);
}

pub(crate) fn after_a_write(world: &mut World, id: GatewayId) {
    let looked = world.watch.looked.get(&id).copied().unwrap_or(0);
    let history = &world.nodes[&id].store.history;
    for at in looked..history.len() {
        let (row, before) = (&history[at], at.checked_sub(1).map(|at| &history[at]));
        seq_has_no_holes(row, before);
        agreed_time_never_goes_back(row, before);
        let key = (id, row.node, row.register.clone());
        let last = world.watch.last.get(&key).copied();
        let value: f64 = row.value.parse().expect("values here are numbers");
        a_publish_is_applied_once_and_in_order(row, value, last);
        orders_of_a_device_are_numbered_without_holes(row, last);
        world.watch.last.insert(key, (value, row.ordered.unwrap_or(0)));
    }
    world.watch.looked.insert(id, history.len());
}

fn replicas_at_the_same_slot_are_equal(world: &mut World, id: GatewayId) {
    let Some(core) = &world.nodes[&id].core else { return };
    let (slot, house) = (core.applied(), core.house());
    let known = world.watch.houses.entry(slot).or_insert_with(|| house.clone());
    assert_eq!(known, house, "gateway {id} differs from another at slot {slot}");
}

fn seq_has_no_holes(row: &HistoryRow, before: Option<&HistoryRow>) {
    assert_eq!(row.seq.0, before.map_or(0, |row| row.seq.0) + 1, "{row:?}");
}

fn agreed_time_never_goes_back(row: &HistoryRow, before: Option<&HistoryRow>) {
    assert!(before.is_none_or(|before| before.time <= row.time), "{before:?} {row:?}");
}

/// Every value is said once, and the later the greater.
fn a_publish_is_applied_once_and_in_order(row: &HistoryRow, value: f64, last: Option<(f64, u64)>) {
    assert!(last.is_none_or(|(before, _)| before < value), "{before:?} {row:?}", before = last);
}

fn orders_of_a_device_are_numbered_without_holes(row: &HistoryRow, last: Option<(f64, u64)>) {
    if row.register == "desired" {
        let next = last.map_or(0, |(_, order)| order) + 1;
        assert_eq!(row.ordered, Some(next), "{row:?}");
    }
}

pub(crate) fn an_acknowledged_publish_is_on_a_majoritys_disks(world: &World, stamp: u64) {
    let Some(said) = world.people.said.get(&stamp) else { return };
    let answers = said.question.as_ref().map(|question| &world.people.asked[question].answers);
    let refused = answers.is_some_and(|a| a.iter().any(|answer| answer.failure().is_some()));
    if said.value.is_none() || refused {
        assert!(answers.is_some_and(|a| !a.is_empty()), "{stamp} is dropped without an answer");
        return;
    }
    let on_disk = world.nodes.values().filter(|node| node.store.holds(stamp)).count();
    assert!(on_disk > world.nodes.len() / 2, "{stamp} is acknowledged and on {on_disk} disks");
}

/// An owner speaks of an entry only once it is in its own tables too.
pub(crate) fn an_owner_acknowledges_what_is_in_its_tables(
    world: &World,
    id: GatewayId,
    stamp: u64,
) {
    let Some(said) = world.people.said.get(&stamp) else { return };
    let (node, register) =
        (&world.nodes[&id], said.question.as_ref().map_or("state", |_| "desired"));
    let (zone, device) = said.place.split_once('/').expect("a place is zone/device");
    let (zone, device) = (zone.parse().expect("a name"), device.parse().expect("a name"));
    let known = node.core.as_ref().is_some_and(|core| core.house().node(&zone, &device).is_some());
    let Some(value) = said.value.filter(|_| known || said.question.is_none()) else { return };
    let value = value.to_string();
    let mut rows = node.store.history.iter().rev();
    let written = rows.any(|row| row.register == register && row.value == value);
    assert!(written, "gateway {id} acknowledges {stamp} before its entry is in its tables");
}

pub(crate) fn a_state_is_published_after_it_is_stored(world: &World, id: GatewayId, json: &[u8]) {
    let state: serde_json::Value = serde_json::from_slice(json).expect("a state is JSON");
    let stored = world.nodes[&id].store.history.last().map_or(0, |row| row.seq.0);
    assert!(state["seq"].as_u64() <= Some(stored), "gateway {id} tells {state} at seq {stored}");
}

/// What a `get` is told holds whatever had been acknowledged to the device, and whatever order had
/// been answered, when it was asked.
pub(crate) fn an_answer_is_as_fresh_as_what_was_acknowledged(
    world: &World,
    topic: &str,
    payload: &[u8],
) {
    let Some(asked) = world.people.asked.get(topic) else { return };
    let Ok(answer) = Answer::parse(payload) else { return };
    if answer.failure().is_some() || answer.get("cache").is_null() {
        return;
    }
    let value = answer.get("state").as_u64().unwrap_or(0);
    let order = answer.get("desired")["order"].as_u64().unwrap_or(0);
    let (acknowledged, ordered) = asked.known;
    let place = &asked.place;
    assert!(value >= acknowledged, "{place}: {acknowledged} was acknowledged, told is {answer:?}");
    assert!(order >= ordered, "{place}: order {ordered} was answered, told is {answer:?}");
}

pub(crate) fn nobody_opens_a_zone_that_its_house_does_not_give_it(
    world: &World,
    id: GatewayId,
    session: &Session,
) {
    let (Session::Zone(zone) | Session::Query(zone)) = session else { return };
    let node = &world.nodes[&id];
    let Some(core) = &node.core else { return };
    let member = core.house().gateways().get(&id);
    assert!(
        member.is_some_and(|m| m.alive && m.incarnation == node.life().1),
        "gateway {id} opens {zone} before it joined"
    );
    let owner = core.house().zones().get(zone).map(|row| row.owner);
    assert_eq!(owner, Some(id), "gateway {id} opens {zone}");
}

/// A session ended, by a takeover or otherwise.
pub(crate) fn note_thrown_out(world: &mut World, id: GatewayId, session: &Session) {
    let (Session::Zone(zone) | Session::Query(zone)) = session else { return };
    let Some(epoch) = epoch(world, id, zone) else { return };
    let key = (id, zone.clone());
    world.watch.thrown_out.insert(key, (epoch, world.now));
}

/// A gateway that was thrown out asks the leader afterwards; one whose zone had moved by then
/// cannot be told that it still owns it.
pub(crate) fn nobody_reopens_a_zone_that_was_gone_before_it_asked(
    world: &World,
    id: GatewayId,
    session: &Session,
) {
    let (Session::Zone(zone) | Session::Query(zone)) = session else { return };
    let Some(current) = epoch(world, id, zone) else { return };
    let Some((held, since)) = world.watch.thrown_out.get(&(id, zone.clone())) else { return };
    let newer = (zone.clone(), current.next())..=(zone.clone(), Epoch(u64::MAX));
    let gone = world.watch.epochs.range(newer).any(|(_, applied)| applied < since);
    assert!(*held != current || !gone, "gateway {id} reopens {zone}, which had moved before");
}

fn epoch(world: &World, id: GatewayId, zone: &Zone) -> Option<Epoch> {
    let core = world.nodes[&id].core.as_ref()?;
    core.house().zones().get(zone).filter(|row| row.owner == id).map(|row| row.epoch)
}

fn note_epochs(world: &mut World, id: GatewayId) {
    let Some(core) = &world.nodes[&id].core else { return };
    for (zone, row) in core.house().zones() {
        let now = world.now;
        world.watch.epochs.entry((zone.clone(), row.epoch)).or_insert(now);
    }
}
