//! Durations and the time of day, while wall clocks show what they like and everybody may be off.

use gateway_core::house::House;
use serde_json::json;
use wire::UnixMillis;

use crate::home::world::{MS, World};

const DOOR: &str = "hallway/door";
const BULB: &str = "bedroom/bulb";

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR as i64;

/// The bulb is away, and the door closes itself after twenty seconds.
fn home() -> World {
    let mut world = World::new(3, 3, 0, |settings| {
        settings.agreed.door_closes_after = Some(20 * SECOND);
    });
    world.furnish(&[DOOR, BULB]);
    world.presence(BULB, false);
    world.run(50);
    world
}

fn order_that_waits(world: &mut World, seconds: u64) {
    world.set(BULB, json!({"expires": seconds}));
    world.until("the order is open", 500, |world| orders(world) == 1);
}

/// Whoever has applied most.
fn house(world: &World) -> &House {
    let cores = world.nodes.values().filter_map(|node| node.core.as_ref());
    cores.max_by_key(|core| core.applied()).expect("a gateway that lives").house()
}

fn orders(world: &World) -> usize {
    house(world).orders().len()
}

fn timers(world: &World) -> usize {
    house(world).timers().len()
}

fn set_clock(world: &mut World, id: u8, ahead: i64) {
    world.node(wire::GatewayId(id)).skew = ahead;
}

/// By how many milliseconds the time of day of gateway 1 is ahead of the true one.
fn day_is_off(world: &World) -> i64 {
    let node = &world.nodes[&wire::GatewayId(1)];
    let moment = node.clock.shows(world.now);
    let UnixMillis(time) =
        node.core.as_ref().and_then(|core| core.time_of_day(moment)).expect("known");
    time as i64 - (1_700_000_000_000 + world.now / 1000) as i64
}

fn all_off_for(world: &mut World, millis: u64) {
    for id in 1..=3 {
        world.kill(id);
    }
    world.run(millis);
    world.presence(BULB, true);
    for id in 1..=3 {
        world.start(id);
    }
}

#[test]
fn one_wrong_clock_changes_no_duration_and_dates_nothing_wrong() {
    for ahead in [67 * SECOND as i64, DAY, -(HOUR as i64)] {
        let mut world = home();
        let leader = world.leader().expect("someone leads");
        set_clock(&mut world, leader, ahead);
        order_that_waits(&mut world, 20);
        world.say_of_the_door(DOOR);
        world.until("the door's timer is set", 500, |world| timers(world) == 2);
        let took = world.until("both are over", 30_000, |world| timers(world) == 0);
        assert!((19_000..21_000).contains(&took), "{took} ms with a clock {ahead} ms ahead");
        assert!(day_is_off(&world).abs() < 200, "{} ms", day_is_off(&world));
    }
}

#[test]
fn a_duration_goes_on_when_the_leader_changes() {
    let mut world = home();
    order_that_waits(&mut world, 20);
    let began = world.now;
    for ahead in [DAY, -DAY] {
        let leader = world.leader().expect("someone leads");
        set_clock(&mut world, leader, ahead);
        world.run(5000);
        world.kill(leader);
        world.until("another leads", 2000, |world| {
            world.leader().is_some_and(|other| other != leader)
        });
        world.start(leader);
    }
    world.until("it is over", 20_000, |world| orders(world) == 0);
    let took = (world.now - began) / MS;
    assert!((19_500..21_000).contains(&took), "{took} ms");
}

#[test]
fn most_clocks_set_the_time_of_day_forward_and_back() {
    let mut world = home();
    for ahead in [DAY, 0, -DAY, 0] {
        set_clock(&mut world, 1, ahead);
        set_clock(&mut world, 2, ahead);
        world.run(4000);
        assert!((day_is_off(&world) - ahead).abs() < 200, "{} ms, not {ahead}", day_is_off(&world));
    }
}

#[test]
fn time_in_which_all_were_off_counts() {
    let mut world = home();
    order_that_waits(&mut world, 20);
    set_clock(&mut world, 3, DAY);
    all_off_for(&mut world, 7 * HOUR);
    world.until("the order is over", 3000, |world| orders(world) == 0);
    world.run(2000);
    assert_eq!(world.people.devices[BULB].commands, [0; 0], "no lamp at three in the night");
    assert!(day_is_off(&world).abs() < 1100, "{} ms", day_is_off(&world));
}

#[test]
fn an_order_that_is_not_over_outlives_that_time() {
    let mut world = home();
    order_that_waits(&mut world, 60);
    all_off_for(&mut world, 10 * SECOND);
    world.until("it is carried out", 5000, |world| world.people.devices[BULB].commands == [1]);
}

#[test]
fn an_order_that_cannot_be_dated_expires_and_a_door_closes_with_what_is_left() {
    let mut world = home();
    order_that_waits(&mut world, 60);
    world.say_of_the_door(DOOR);
    world.until("the door's timer is set", 500, |world| timers(world) == 2);
    world.run(12 * SECOND);
    set_clock(&mut world, 1, -DAY);
    set_clock(&mut world, 2, -2 * DAY);
    all_off_for(&mut world, HOUR);
    world.until("the order is over", 5000, |world| orders(world) == 0 && timers(world) == 1);
    let took = world.until("the door is told to close", 20_000, |world| timers(world) == 0);
    // The log knows ten of the twelve seconds.
    assert!((7000..11_000).contains(&took), "{took} ms");
    world.run(2000);
    assert_eq!(world.people.devices[BULB].commands, [0; 0]);
    for id in [1, 2] {
        set_clock(&mut world, id, 0);
    }
    world.run(4000);
    assert!(day_is_off(&world).abs() < 200, "{} ms", day_is_off(&world));
}

#[test]
fn who_ran_all_the_time_tells_those_who_come_back() {
    let mut world = home();
    order_that_waits(&mut world, 20);
    for id in [1, 2] {
        world.kill(id);
        set_clock(&mut world, id, if id == 1 { DAY } else { -DAY });
    }
    world.run(10_000);
    world.start(1);
    world.start(2);
    let took = world.until("it is over", 30_000, |world| orders(world) == 0);
    assert!((9000..11_000).contains(&took), "{took} ms");
}

#[test]
pub(super) fn an_order_that_is_over_is_not_sent_though_its_end_cannot_be_agreed() {
    let mut world = home();
    order_that_waits(&mut world, 20);
    let owner = world.server("bedroom").expect("an owner");
    for id in (1..=3).filter(|id| *id != owner) {
        world.kill(id);
    }
    world.run(25 * SECOND);
    world.presence(BULB, true);
    world.run(2000);
    assert_eq!((orders(&world), &*world.people.devices[BULB].commands), (1, &[] as &[u64]));
}
