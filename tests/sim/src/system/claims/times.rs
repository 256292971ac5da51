//! Claims about durations: a door closes when it should, an order has the time that it was given, and none is carried
//! out after that. Times are true ones; whatever wall clocks show must not matter.

use gateway_core::event::HistoryRow;
use serde_json::Value as Json;
use wire::{Answer, GatewayId, UnixMillis};

use super::Order;
use crate::system::class::Class;
use crate::system::process::{EPOCH, Process};
use crate::system::world::{MS, World};
use crate::verdict::claim;

/// By how much a duration may be too short: what clocks may drift in it, and a look at what is due.
fn too_short(duration: u64) -> u64 {
    duration / 10 + 60 * MS
}

/// What wall clocks may add to that, of durations in which no gateway was there to count: the time of day may be off by
/// a second, unnoticed, and a clock that agrees with the right ones by another. Where most clocks are wrong, anything.
fn uncounted(world: &World, from: u64) -> u64 {
    match world.watch.gaps.iter().any(|at| (from..=world.now).contains(at)) {
        true if world.plan.clocks.mostly_right() => 2100 * MS,
        true => u64::MAX >> 2,
        false => 0,
    }
}

/// Whether nobody could date a time in which all were off, since then.
fn is_undated(world: &World, since: u64) -> bool {
    world.watch.undated.iter().any(|at| (since..=world.now).contains(at))
}

/// A leader that did not know how long the site has run knows it now. If nobody told it, the wall clocks did.
pub(super) fn note_gaps(world: &mut World, id: GatewayId) {
    let knows = |process: &Process| {
        let core = process.core.as_ref()?;
        core.time_of_day(process.clock.shows(world.now))
    };
    if knows(&world.processes[&id]).is_none() {
        world.watch.knowing.remove(&id);
        return;
    }
    let leads = world.processes[&id].core.as_ref().is_some_and(gateway_core::Gateway::is_leading);
    let others = world.processes.values().filter(|process| process.id() != id);
    let alone = !others.into_iter().any(|process| knows(process).is_some());
    if world.watch.knowing.insert(id) && leads && alone {
        world.watch.gaps.push(world.now);
        world.summary.system.gaps += 1;
    }
}

/// A gateway says something.
pub(crate) fn gateway_says(world: &mut World, words: &str) {
    if words.starts_with("Nobody knows how long") {
        world.watch.undated.push(world.now);
        world.summary.system.undated += 1;
    }
    world.summary.system.corrections += u64::from(words.starts_with("The home's time of day goes"));
}

/// By how many milliseconds a time of day is wrong.
pub(crate) fn off_by(time: UnixMillis, now: u64) -> i64 {
    (time.0 as i64) - (EPOCH + now / 1000) as i64
}

/// What the time of day may be wrong by where most clocks are right: a second, and how far clocks drift until that is
/// corrected.
pub(crate) const DAY_OFF: i64 = 1500;

/// The same just after a time in which nobody counted: a clock that has dated it may be off by another second.
const JUST_DATED: i64 = 2500;

/// Where most clocks are right, the time of day is: no single clock moves it.
fn the_time_of_day_is_right(world: &mut World, row: &HistoryRow, value: f64) {
    if !world.plan.clocks.mostly_right() {
        return;
    }
    let order = row.register == "desired";
    let letter = world.letters.by_value.get(&(order, value as u64)).filter(|_| value >= 10.0);
    let said = letter.map_or(0, |letter| world.letters.all[*letter].said);
    // A gap without a date is not in it, until it is corrected.
    let behind = is_undated(world, said.saturating_sub(8000 * MS));
    let (early, late) = (off_by(row.time, world.now), off_by(row.time, said));
    let right = early <= JUST_DATED && (late >= -JUST_DATED || said == 0 || behind);
    world.watch.day_was_right |= right;
    claim!(
        right || !world.watch.day_was_right,
        "the time of day follows the median of the clocks",
        "{row:?}, {early} ms ahead now and {late} ms when it was said"
    );
}

/// By how much an order may outlast its time on its way to the device: a round of the agreement that ends it, and the
/// network. Longer than any of that lasts in a home that is well.
const LATE: u64 = 1000 * MS;

/// A change is agreed.
pub(crate) fn a_row_is_agreed(world: &mut World, place: &str, row: &HistoryRow, value: f64) {
    let now = world.now;
    the_time_of_day_is_right(world, row, value);
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
        world.watch.closed.insert(place.to_owned(), now);
    }
}

fn a_door_closes_not_too_soon(world: &mut World, place: &str, row: &HistoryRow) {
    let (now, after) = (world.now, world.plan.door_closes_after.unwrap_or(0) * MS);
    let Some(opened) = world.watch.opened.get(place).copied() else {
        crate::verdict::broken("a door that is told to close is open", format!("{row:?}"))
    };
    claim!(
        now + uncounted(world, opened) >= opened + after.saturating_sub(too_short(after)),
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
    if is_undated(world, asked.called) {
        return;
    }
    claim!(
        lasted + too_short(expires) + uncounted(world, asked.called) >= expires,
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
    if is_undated(world, order.agreed) {
        return Some(0);
    }
    Some(order.agreed + expires * MS + too_short(expires * MS) + uncounted(world, order.agreed))
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
        world.now <= end + LATE && end > 0,
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
        world.now <= end + LATE && end > 0,
        "an expired order is not carried out",
        "{place} has order {number} {} ms after its end",
        (world.now - end) / MS
    );
}
