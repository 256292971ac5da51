//! Claims about durations: a door closes when it should, an order has the time that it was given, and none is carried
//! out after that. Times are true ones; whatever wall clocks show must not matter.

use gateway_core::event::HistoryRow;
use serde_json::Value as Json;
use wire::{Answer, GatewayId};

use super::Order;
use crate::system::class::Class;
use crate::system::world::{MS, World};
use crate::verdict::claim;

/// By how much a duration may be too short: what clocks may drift in it, and a look at what is due.
fn too_short(duration: u64) -> u64 {
    duration / 10 + 60 * MS
}

/// By how much an order may outlast its time on its way to the device: a round of the agreement that ends it, and the
/// network. Longer than any of that lasts in a home that is well.
const LATE: u64 = 1000 * MS;

/// A change is agreed.
pub(crate) fn a_row_is_agreed(world: &mut World, place: &str, row: &HistoryRow, value: f64) {
    let now = world.now;
    if let Some(number) = row.ordered.filter(|_| row.register == "desired") {
        let named = (value >= 10.0).then_some(value as u64);
        let order = Order { value: named, agreed: now };
        world.watch.orders.insert((place.to_owned(), number), order);
    }
    if !place.ends_with("door") {
        return;
    }
    if row.register == "state" && value == 1.0 {
        let said = world.client_named(place).and_then(|at| world.clients[at].opened.pop_front());
        if let Some(said) = said.or_else(|| world.watch.opened.get(place).copied()) {
            world.watch.opened.insert(place.to_owned(), said);
        }
    } else if row.note.as_deref() == Some("Closing Door Automatically.") {
        a_door_closes_not_too_soon(world, place, row);
    }
}

fn a_door_closes_not_too_soon(world: &mut World, place: &str, row: &HistoryRow) {
    let (now, after) = (world.now, world.plan.door_closes_after.unwrap_or(0) * MS);
    let Some(opened) = world.watch.opened.get(place).copied() else {
        crate::verdict::broken("a door that is told to close is open", format!("{row:?}"))
    };
    claim!(
        now >= opened + after.saturating_sub(too_short(after)),
        "a duration is as long as it was asked to be",
        "{place} is told to close {} ms after it opened, not {} ms",
        (now - opened) / MS,
        after / MS
    );
}

/// Somebody who waits for an order is told that it is over.
pub(crate) fn an_order_ends_unfulfilled(world: &World, question: &str, answer: &Answer) {
    let asked = &world.letters.asked[question];
    let number = answer.get("order").as_u64().unwrap_or(0);
    // Another order has taken its place.
    let replaced = world.watch.orders.contains_key(&(asked.place.clone(), number + 1));
    let Some(expires) = asked.expires.map(|millis| millis * MS).filter(|_| !replaced) else {
        claim!(replaced, "an order without an end has none", "{}: {answer:?}", asked.place);
        return;
    };
    let lasted = world.now - asked.called;
    claim!(
        lasted + too_short(expires) >= expires,
        "a duration is as long as it was asked to be",
        "an order to {} is over after {} ms, not {} ms",
        asked.place,
        lasted / MS,
        expires / MS
    );
}

/// When an order that names a value is over: some time after it was agreed.
fn end_of(world: &World, place: &str, number: u64) -> Option<u64> {
    let order = world.watch.orders.get(&(place.to_owned(), number))?;
    let letter = *world.letters.by_value.get(&(true, order.value?))?;
    let question = world.letters.all[letter].response.as_ref()?;
    let expires = world.letters.asked.get(question)?.expires?;
    Some(order.agreed + expires * MS + too_short(expires * MS))
}

/// An owner sends an order to a device: not one whose time is over.
pub(crate) fn an_order_is_sent(world: &World, id: GatewayId, topic: &str, payload: &[u8]) {
    if !world.plan.classes.has(Class::Expiry) {
        return;
    }
    let place = topic.strip_prefix("home/").and_then(|rest| rest.strip_suffix("/command"));
    let command = serde_json::from_slice::<Json>(payload).unwrap_or_default();
    let (Some(place), Some(number)) = (place, command["order"].as_u64()) else { return };
    let Some(end) = end_of(world, place, number) else { return };
    claim!(
        world.now <= end + LATE,
        "an expired order is not sent",
        "gateway {id} sends order {number} to {place} {} ms after its end",
        (world.now - end) / MS
    );
}

/// A device has an order that it has not had before: it is carried out now.
pub(crate) fn an_order_arrives(world: &World, at: usize, command: &Json) {
    if !world.plan.classes.has(Class::Expiry) {
        return;
    }
    let place = &world.clients[at].persona.name;
    let Some(number) = command["order"].as_u64() else { return };
    let Some(end) = end_of(world, place, number) else { return };
    claim!(
        world.now <= end + LATE,
        "an expired order is not carried out",
        "{place} has order {number} {} ms after its end",
        (world.now - end) / MS
    );
}
