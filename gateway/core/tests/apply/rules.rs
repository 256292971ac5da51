//! The home's rules: the door, the lights, and who came and went.

use gateway_core::command::{Op, Said, TimerName};
use wire::{Kind, NodeId};

use crate::home::{Home, off, on, seqs, spoken, words};

const DOOR: &str = "hallway/doorSensor";
const MOTION: &str = "landing/motionSensor";
const BULB: &str = "bedroom/smartBulb";

fn open_with_presence() -> Said {
    Said { presence: Some(true), ..on() }
}

#[test]
fn with_delay_0_an_open_door_is_closed_in_the_same_entry() {
    let mut home = Home::seed();
    home.settings(3, Some(0));
    let outcome = home.report(DOOR, on());
    assert_eq!(words(&outcome), ["Closing Door Automatically."]);
    assert_eq!(seqs(&outcome), [1, 2]);
    assert_eq!(home.open(DOOR), Some((1, spoken("0"))));
    assert!(home.house.timers().is_empty());
}

#[test]
fn with_a_delay_the_door_is_closed_by_its_timer() {
    let mut home = Home::seed();
    home.settings(3, Some(500));
    assert_eq!(words(&home.report(DOOR, on())), [""; 0]);
    assert_eq!(home.wait(499).len(), 0);
    let fired = home.wait(1);
    assert_eq!(fired.iter().map(words).collect::<Vec<_>>(), [["Closing Door Automatically."]]);
    assert_eq!(home.open(DOOR), Some((1, spoken("0"))));
}

#[test]
fn a_door_that_was_closed_in_time_is_left_alone() {
    let mut home = Home::seed();
    home.settings(3, Some(500));
    home.report(DOOR, on());
    home.report(DOOR, off());
    assert_eq!(home.wait(1000).len(), 0);
    assert_eq!(home.open(DOOR), None);
}

#[test]
fn a_door_that_never_closes_itself_sets_no_timer() {
    let mut home = Home::seed();
    home.settings(3, None);
    home.report(DOOR, on());
    assert!(home.house.timers().is_empty());
}

#[test]
fn a_generation_of_a_timer_fires_once() {
    let mut home = Home::seed();
    home.settings(3, Some(500));
    home.report(DOOR, on());
    let timer = TimerName::CloseDoor(NodeId(4));
    let first = home.house.timers()[&timer].generation;
    home.report(DOOR, on());
    let second = home.house.timers()[&timer].generation;
    assert!(second > first, "opened again, it is set anew");
    let fired = [first, second, second].map(|generation| {
        let outcome = home.apply(Op::Fire { timer, generation });
        outcome.written.len()
    });
    assert_eq!(fired, [0, 1, 0]);
}

#[test]
fn motion_lights_every_bulb() {
    let mut home = Home::seed();
    home.register("kitchen/lamp", Kind::Bulb);
    let outcome = home.report(MOTION, on());
    assert_eq!(words(&outcome), ["unknown entry", "Turning on Lights."]);
    assert_eq!(seqs(&outcome), [1, 2, 3]);
    assert_eq!(home.open(BULB), Some((1, spoken("1"))));
    assert_eq!(home.open("kitchen/lamp"), Some((1, spoken("1"))));
    assert_eq!(home.open("kitchen/smartOutlet"), None);
}

#[test]
fn stillness_lights_nothing() {
    let mut home = Home::seed();
    assert_eq!(words(&home.report(MOTION, off())), [""; 0]);
    assert_eq!(home.open(BULB), None);
}

#[test]
fn door_with_presence_then_motion_is_an_entry() {
    let mut home = Home::seed();
    assert_eq!(words(&home.report(DOOR, open_with_presence())), [""; 0]);
    assert_eq!(words(&home.report(MOTION, on())), ["USER ENTERED", "Turning on Lights."]);
}

#[test]
fn stillness_then_door_with_presence_is_an_exit() {
    let mut home = Home::seed();
    home.report(DOOR, open_with_presence());
    home.report(MOTION, on());
    home.report(MOTION, off());
    assert_eq!(words(&home.report(DOOR, open_with_presence())), ["USER EXIT"]);
    home.report(DOOR, open_with_presence());
    assert_eq!(words(&home.report(MOTION, on())), ["USER ENTERED", "Turning on Lights."]);
}

#[test]
fn without_a_presence_sensor_it_is_an_unknown_entry_and_the_light_goes_on() {
    let mut home = Home::seed();
    assert_eq!(words(&home.report(DOOR, on())), [""; 0]);
    assert_eq!(words(&home.report(MOTION, on())), ["unknown entry", "Turning on Lights."]);
}

#[test]
fn a_presence_sensor_that_saw_nobody_counts_as_none() {
    let mut home = Home::seed();
    home.report(DOOR, Said { presence: Some(false), ..on() });
    assert_eq!(words(&home.report(MOTION, on())), ["unknown entry", "Turning on Lights."]);
}

#[test]
fn someone_inside_who_moves_is_no_second_entry() {
    let mut home = Home::seed();
    home.report(DOOR, open_with_presence());
    home.report(MOTION, on());
    home.report(MOTION, off());
    assert_eq!(words(&home.report(MOTION, on())), ["Turning on Lights."]);
    assert_eq!(words(&home.report(DOOR, on())), [""; 0], "moving, nobody has left");
}

#[test]
fn without_a_presence_sensor_nobody_is_seen_to_leave() {
    let mut home = Home::seed();
    home.report(DOOR, open_with_presence());
    home.report(MOTION, on());
    home.report(MOTION, off());
    assert_eq!(words(&home.report(DOOR, on())), [""; 0]);
}
