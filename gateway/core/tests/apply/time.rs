//! Elapsed time counts durations; the time of day is an agreed offset away from it.

use gateway_core::command::{Offset, Op};
use gateway_core::house::{Change, Outcome};
use wire::{Kind, NodeId, UnixMillis};

use crate::home::{Home, on, spoken};

const BULB: &str = "bedroom/smartBulb";

fn clock(home: &mut Home, offset: i64) {
    home.apply(Op::Clock { offset: Offset(offset) });
}

fn dated(outcome: &Outcome) -> Option<UnixMillis> {
    outcome.changes.iter().find_map(|change| match change {
        Change::Status { time, .. } => Some(*time),
        _ => None,
    })
}

#[test]
fn the_time_of_day_goes_forward_and_back_and_durations_do_not() {
    let mut home = Home::seed();
    home.now = 50_000;
    home.set(BULB, spoken("1"), Some(300));
    for (offset, day) in [(86_400_000, 86_450_100), (-49_000, 1200), (0, 50_300)] {
        home.now += 100;
        clock(&mut home, offset);
        assert_eq!(dated(&home.report("hallway/doorSensor", on())), Some(UnixMillis(day)));
        assert_eq!(home.house.counters().time, UnixMillis(home.now));
    }
    assert!(home.house.timers().values().all(|timer| timer.due == UnixMillis(50_300)));
}

#[test]
fn devices_register_at_the_time_of_day() {
    let mut home = Home::seed();
    clock(&mut home, 7000);
    home.register("attic/fan", Kind::Device);
    assert_eq!(home.house.devices()[&NodeId(7)].registered, UnixMillis(home.now + 7000));
}

#[test]
fn no_offset_is_too_large() {
    let mut home = Home::seed();
    for (offset, day) in [(i64::MAX, i64::MAX as u64 + home.now), (i64::MIN, 0)] {
        clock(&mut home, offset);
        assert_eq!(home.house.counters().time_of_day(), UnixMillis(day));
    }
}
