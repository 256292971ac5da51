//! The fence: of a zone's proposals, only the current epoch's next one is applied.

use gateway_core::house::Verdict;
use wire::Epoch;

use crate::home::{Home, on, seqs, spoken};

const DOOR: &str = "hallway/doorSensor";

/// Tries a report whose fence is off, and shows that it changed nothing at all.
fn assert_fenced(home: &mut Home, epoch: u64, number: u64) {
    let mut origin = home.origin(DOOR);
    (origin.epoch, origin.number) = (Epoch(epoch), number);
    let before = home.house.clone();
    let outcome = home.report_from(DOOR, on(), origin);
    assert_eq!(outcome.verdict, Verdict::Fenced, "epoch {epoch}, number {number}");
    assert_eq!(outcome.written, []);
    assert_eq!(home.house, before);
}

#[test]
fn the_current_epochs_next_number_is_applied() {
    let mut home = Home::seed();
    assert_eq!(seqs(&home.report(DOOR, on())), [1]);
    assert_eq!(seqs(&home.report(DOOR, on())), [2]);
}

#[test]
fn a_stale_or_future_epoch_is_not_applied() {
    let mut home = Home::seed();
    let old = home.epoch("hallway");
    home.dead(1, 1);
    assert_fenced(&mut home, old, 1);
    let future = home.epoch("hallway") + 1;
    assert_fenced(&mut home, future, 1);
    assert_eq!(seqs(&home.report(DOOR, on())), [1]);
}

#[test]
fn a_repeated_number_is_not_applied() {
    let mut home = Home::seed();
    home.report(DOOR, on());
    let epoch = home.epoch("hallway");
    assert_fenced(&mut home, epoch, 1);
}

#[test]
fn a_skipped_number_is_not_applied_until_the_one_before_it_is() {
    let mut home = Home::seed();
    let epoch = home.epoch("hallway");
    assert_fenced(&mut home, epoch, 2);
    assert_eq!(seqs(&home.report(DOOR, on())), [1]);
    assert_eq!(seqs(&home.report(DOOR, on())), [2]);
}

#[test]
fn another_zones_epoch_is_not_applied() {
    let mut home = Home::seed();
    let epoch = home.epoch("bedroom");
    assert_fenced(&mut home, epoch, 1);
}

#[test]
fn a_refused_order_uses_up_its_number() {
    let mut home = Home::seed();
    let outcome = home.set("hallway/nothing", spoken("1"), None);
    assert!(matches!(outcome.verdict, Verdict::Refused(..)));
    assert_eq!(seqs(&home.report(DOOR, on())), [1]);
}
