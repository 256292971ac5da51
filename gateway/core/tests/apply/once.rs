//! Once: what comes again is answered as before and applied only once.

use gateway_core::command::{Op, Said};
use gateway_core::house::{Refusal, Verdict};
use wire::Version;

use crate::home::{Home, done, id, on, said, seqs, spoken};

const DOOR: &str = "hallway/doorSensor";
const BULB: &str = "bedroom/smartBulb";

#[test]
fn the_same_stamp_is_applied_once_with_the_same_answer() {
    let mut home = Home::seed();
    let first = home.origin(DOOR);
    let answer = home.report_from(DOOR, on(), first.clone()).verdict;
    assert_eq!(answer, done(4, 1, None, false));
    let mut again = home.origin(DOOR);
    again.stamp = first.stamp;
    let outcome = home.report_from(DOOR, on(), again);
    assert_eq!((outcome.verdict, outcome.written), (done(4, 1, None, true), vec![]));
}

#[test]
fn the_same_id_is_applied_once_whatever_its_stamp_and_content() {
    let mut home = Home::seed();
    let mut first = home.origin(BULB);
    first.id = id("tap-1");
    home.set_from(BULB, spoken("1"), None, first);
    let mut again = home.origin(BULB);
    again.id = id("tap-1");
    let outcome = home.set_from(BULB, spoken("0"), None, again);
    assert_eq!((outcome.verdict, outcome.written), (done(5, 1, Some(1), true), vec![]));
    assert_eq!(home.open(BULB), Some((1, spoken("1"))));
}

#[test]
fn the_same_id_for_another_device_is_another_request() {
    let mut home = Home::seed();
    home.register("bedroom/heater", wire::Kind::Device);
    for (place, seq) in [(BULB, 1), ("bedroom/heater", 2)] {
        let mut origin = home.origin(place);
        origin.id = id("tap-1");
        assert_eq!(seqs(&home.set_from(place, spoken("1"), None, origin)), [seq]);
    }
}

#[test]
fn equal_content_alone_is_no_repetition() {
    let mut home = Home::seed();
    assert_eq!(seqs(&home.report(DOOR, on())), [1]);
    assert_eq!(seqs(&home.report(DOOR, on())), [2]);
}

#[test]
fn what_comes_again_under_another_owners_epoch_is_recognised() {
    let mut home = Home::seed();
    let first = home.origin(DOOR);
    home.report_from(DOOR, on(), first.clone());
    home.dead(1, 1);
    assert_eq!(home.owner("hallway"), 2);
    let mut again = home.origin(DOOR);
    again.stamp = first.stamp;
    let outcome = home.report_from(DOOR, on(), again);
    assert_eq!((outcome.verdict, outcome.written), (done(4, 1, None, true), vec![]));
    assert_eq!(seqs(&home.report(DOOR, on())), [2], "the number of the repetition is used up");
}

#[test]
fn without_id_and_stamp_delivery_is_at_least_once() {
    let mut home = Home::seed();
    for seq in [1, 2] {
        let mut origin = home.origin(DOOR);
        origin.stamp = None;
        assert_eq!(seqs(&home.report_from(DOOR, on(), origin)), [seq]);
    }
}

#[test]
fn a_retained_report_registers_and_writes_nothing() {
    let mut home = Home::with(1);
    home.place("attic");
    let retained = Said { retained: true, ..said(spoken("1")) };
    let outcome = home.report("attic/lamp", retained.clone());
    assert_eq!(outcome.registered.len(), 1);
    assert_eq!((outcome.verdict, outcome.written), (done(2, 0, None, false), vec![]));
    let outcome = home.report("attic/lamp", retained);
    assert_eq!((outcome.verdict, outcome.written), (done(2, 0, None, true), vec![]));
    assert_eq!(home.house.counters().seq.0, 0);
}

#[test]
fn seq_counts_every_change_without_holes() {
    let mut home = Home::seed();
    home.settings(3, Some(0));
    let mut all = Vec::new();
    all.extend(seqs(&home.report("livingroom/tempSensor", said(spoken("21.5")))));
    all.extend(seqs(&home.report(DOOR, on())));
    all.extend(seqs(&home.set(BULB, spoken("0"), None)));
    home.dead(1, 1);
    all.extend(seqs(&home.report("landing/motionSensor", on())));
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!(all.len(), 6, "the door closed itself and motion lit the bulb");
}

#[test]
fn agreed_time_never_goes_back() {
    let mut home = Home::seed();
    home.now = 5000;
    home.report(DOOR, on());
    home.now = 3000;
    home.report(DOOR, on());
    assert_eq!(home.house.counters().time.0, 5000);
}

/// From version 5 of the site on.
fn raised() -> Home {
    let mut home = Home::seed();
    raise(&mut home);
    home
}

fn raise(home: &mut Home) {
    let voters = home.house.voters().clone();
    home.apply(Op::Raise { version: Version(5), voters });
}

fn set_with_id(home: &mut Home, place: &str, name: &str) -> Verdict {
    let mut origin = home.origin(place);
    origin.id = id(name);
    home.set_from(place, spoken("1"), None, origin).verdict
}

#[test]
fn an_id_is_remembered_for_ten_minutes_however_much_the_zone_says_meanwhile() {
    let mut home = raised();
    set_with_id(&mut home, BULB, "tap-1");
    for _ in 0..3000 {
        home.report(BULB, on());
    }
    home.now += 9 * 60 * 1000;
    assert_eq!(set_with_id(&mut home, BULB, "tap-1"), done(5, 1, Some(1), true));
}

#[test]
fn the_newest_ids_are_remembered_though_a_clock_leaps_and_older_ones_are_not() {
    let mut home = raised();
    set_with_id(&mut home, BULB, "tap-1");
    home.now += 24 * 60 * 60 * 1000;
    set_with_id(&mut home, BULB, "tap-2");
    assert_eq!(set_with_id(&mut home, BULB, "tap-1"), done(5, 1, Some(1), true));
    for number in 0..4097 {
        set_with_id(&mut home, BULB, &number.to_string());
    }
    let verdict = set_with_id(&mut home, BULB, "tap-1");
    assert!(matches!(verdict, Verdict::Done { again: false, .. }), "{verdict:?}");
}

#[test]
fn ids_of_before_are_remembered_when_the_site_is_raised() {
    let mut home = Home::seed();
    set_with_id(&mut home, BULB, "tap-1");
    raise(&mut home);
    for _ in 0..3000 {
        home.report(BULB, on());
    }
    assert_eq!(set_with_id(&mut home, BULB, "tap-1"), done(5, 1, Some(1), true));
}

#[test]
fn an_id_without_room_is_refused_and_other_devices_have_theirs() {
    let mut home = raised();
    for number in 0..16_384 {
        set_with_id(&mut home, BULB, &number.to_string());
    }
    let refused = set_with_id(&mut home, BULB, "one more");
    assert!(matches!(refused, Verdict::Refused(Refusal::Quota, _)), "{refused:?}");
    assert_eq!(set_with_id(&mut home, BULB, "0"), done(5, 1, Some(1), true));
    assert!(matches!(set_with_id(&mut home, DOOR, "0"), Verdict::Done { again: false, .. }));
    home.now += 10 * 60 * 1000;
    let later = set_with_id(&mut home, BULB, "later");
    assert!(matches!(later, Verdict::Done { again: false, .. }), "{later:?}");
}
