//! Orders: numbered per device, replaced by newer ones, closed by reports, dropped when they expire.

use gateway_core::house::Verdict;
use wire::Kind;

use crate::home::{Home, done, obeyed, off, on, spoken};

const BULB: &str = "bedroom/smartBulb";
const OUTLET: &str = "kitchen/smartOutlet";

#[test]
fn every_device_numbers_its_own_orders() {
    let mut home = Home::seed();
    assert_eq!(home.set(BULB, spoken("1"), None).verdict, done(5, 1, Some(1), false));
    assert_eq!(home.set(OUTLET, spoken("1"), None).verdict, done(3, 2, Some(1), false));
    assert_eq!(home.set(BULB, spoken("0"), None).verdict, done(5, 3, Some(2), false));
}

#[test]
fn an_order_for_an_unknown_device_is_refused() {
    let mut home = Home::seed();
    let outcome = home.set("bedroom/nothing", spoken("1"), None);
    assert!(matches!(outcome.verdict, Verdict::Refused(..)));
    assert_eq!(outcome.written, []);
}

#[test]
fn a_newer_order_replaces_an_open_one() {
    let mut home = Home::seed();
    home.set(BULB, spoken("1"), None);
    home.set(BULB, spoken("0"), None);
    assert_eq!(home.open(BULB), Some((2, spoken("0"))));
    home.report(BULB, obeyed(spoken("1"), 1));
    assert_eq!(home.open(BULB), Some((2, spoken("0"))), "the older number fulfils nothing");
    home.report(BULB, obeyed(spoken("0"), 2));
    assert_eq!(home.open(BULB), None);
}

#[test]
fn a_report_with_the_orders_number_closes_it_whatever_its_state() {
    let mut home = Home::seed();
    home.set(BULB, spoken("50"), None);
    home.report(BULB, obeyed(spoken("49"), 1));
    assert_eq!(home.open(BULB), None);
}

#[test]
fn a_stock_device_closes_its_order_with_a_plain_echo() {
    let mut home = Home::seed();
    home.set(BULB, spoken("1"), None);
    home.report(BULB, off());
    assert_eq!(home.open(BULB), Some((1, spoken("1"))));
    home.report(BULB, on());
    assert_eq!(home.open(BULB), None);
}

#[test]
fn an_order_that_expires_is_dropped() {
    let mut home = Home::seed();
    home.set(BULB, spoken("1"), Some(300));
    assert_eq!(home.wait(299).len(), 0);
    assert_eq!(home.wait(1).len(), 1);
    assert_eq!(home.open(BULB), None);
}

#[test]
fn a_fulfilled_order_does_not_expire() {
    let mut home = Home::seed();
    home.set(BULB, spoken("1"), Some(300));
    home.report(BULB, on());
    assert_eq!(home.wait(1000).len(), 0);
}

#[test]
fn a_newer_order_does_not_inherit_the_older_ones_expiry() {
    let mut home = Home::seed();
    home.set(BULB, spoken("1"), Some(300));
    home.set(BULB, spoken("0"), None);
    assert_eq!(home.wait(1000).len(), 0);
    assert_eq!(home.open(BULB), Some((2, spoken("0"))));
}

#[test]
fn a_rules_order_replaces_a_users_and_takes_its_own_number() {
    let mut home = Home::seed();
    home.set(BULB, spoken("0"), Some(300));
    home.report("landing/motionSensor", on());
    assert_eq!(home.open(BULB), Some((2, spoken("1"))));
    assert_eq!(home.wait(1000).len(), 0);
}

#[test]
fn a_device_may_say_later_what_it_is() {
    let mut home = Home::with(1);
    home.place("attic");
    home.report("attic/lamp", off());
    let mut said = off();
    said.kind = Some(Kind::Bulb);
    home.report("attic/lamp", said);
    assert_eq!(home.house.devices()[&wire::NodeId(2)].kind, Kind::Bulb);
}
