//! Who owns which zone.

use gateway_core::command::{Leadership, Move, Op};
use gateway_core::house::Verdict;
use gateway_core::id::Incarnation;
use wire::{GatewayId, Kind};

use crate::home::{Home, SEED, moves, off, on, seqs, spoken, zone};

#[test]
fn node_ids_run_from_2_in_order_of_registration() {
    let home = Home::seed();
    let ids = SEED.map(|(place, _)| home.node(place));
    assert_eq!(ids, [2, 3, 4, 5, 6].map(Some));
}

#[test]
fn the_seeds_devices_land_three_on_gateway_1_and_two_on_gateway_2() {
    let home = Home::seed();
    assert_eq!(home.devices_at(1), ["tempSensor", "smartOutlet", "doorSensor"]);
    assert_eq!(home.devices_at(2), ["smartBulb", "motionSensor"]);
}

#[test]
fn zones_that_are_all_placed_before_any_device_reports_land_the_same() {
    let mut home = Home::with(2);
    for (place, _) in SEED {
        home.place(place.split('/').next().expect("a zone"));
    }
    for (place, _) in SEED {
        home.report(place, on());
    }
    assert_eq!(home.devices_at(1), ["tempSensor", "smartOutlet", "doorSensor"]);
    assert_eq!(home.devices_at(2), ["smartBulb", "motionSensor"]);
}

#[test]
fn above_the_threshold_a_new_zone_goes_to_the_least_loaded() {
    let mut home = Home::with(2);
    home.settings(1, None);
    for name in ["a", "b", "c", "d"] {
        home.place(name);
    }
    assert_eq!(["a", "b", "c", "d"].map(|name| home.owner(name)), [1, 2, 1, 2]);
}

#[test]
fn a_zone_is_placed_once() {
    let mut home = Home::with(1);
    assert_eq!(moves(&home.place("attic")), [("attic", None, 1)]);
    assert_eq!(moves(&home.place("attic")), []);
}

#[test]
fn nobody_can_own_a_zone_before_a_gateway_joined() {
    let mut home = Home::with(0);
    let outcome = home.register("attic/lamp", Kind::Bulb);
    assert!(matches!(outcome.verdict, Verdict::Refused(..)), "{outcome:?}");
    assert_eq!(home.node("attic/lamp"), None);
}

#[test]
fn a_standby_owns_nothing_while_a_serving_gateway_lives() {
    let mut home = Home::with(0);
    home.standby(1);
    home.join(2, 1);
    home.settings(1, None);
    for name in ["a", "b", "c"] {
        home.place(name);
        assert_eq!(home.owner(name), 2);
    }
    home.join(3, 1);
    home.dead(2, 1);
    assert_eq!(["a", "b", "c"].map(|name| home.owner(name)), [3, 3, 3]);
}

#[test]
fn a_standby_takes_the_zones_when_nobody_serves_and_gives_them_up_when_one_joins() {
    let mut home = Home::with(1);
    home.standby(3);
    home.place("attic");
    home.dead(1, 1);
    assert_eq!(home.owner("attic"), 3);
    home.place("cellar");
    assert_eq!(home.owner("cellar"), 3);
    let outcome = home.join(2, 1);
    assert_eq!(moves(&outcome), [("attic", Some(3), 2), ("cellar", Some(3), 2)]);
}

#[test]
fn when_nobody_lives_a_zone_stays_where_it_is_until_someone_joins() {
    let mut home = Home::with(1);
    home.place("attic");
    assert_eq!(moves(&home.dead(1, 1)), []);
    assert_eq!(moves(&home.standby(2)), [("attic", Some(1), 2)]);
}

#[test]
fn a_dead_gateways_zones_move_in_one_entry_with_new_epochs() {
    let mut home = Home::seed();
    let old = home.house.zones().clone();
    let outcome = home.dead(1, 1);
    let moved: Vec<_> = outcome.moved.iter().map(|moved| (moved.from, moved.to.0)).collect();
    assert_eq!(moved.len(), 3);
    assert!(moved.iter().all(|(from, to)| from.map(|id| id.0) == Some(1) && *to == 2));
    assert_eq!(home.devices_at(2).len(), 5);
    let highest = old.values().map(|row| row.epoch).max();
    let mut epochs: Vec<_> = outcome.moved.iter().map(|moved| moved.epoch).collect();
    assert!(epochs.iter().all(|epoch| Some(*epoch) > highest));
    epochs.dedup();
    assert_eq!(epochs.len(), 3, "every move has an epoch of its own");
}

#[test]
fn the_death_of_an_earlier_life_does_nothing() {
    let mut home = Home::seed();
    home.join(1, 2);
    let before = home.house.clone();
    assert_eq!(moves(&home.dead(1, 1)), []);
    assert_eq!(home.house, before);
}

#[test]
fn a_second_death_does_nothing() {
    let mut home = Home::seed();
    home.dead(1, 1);
    let before = home.house.clone();
    let outcome = home.dead(1, 1);
    assert_eq!((moves(&outcome), outcome.notes.len()), (vec![], 0));
    assert_eq!(home.house, before);
}

#[test]
fn a_new_life_gets_new_epochs_and_a_repeated_join_changes_nothing() {
    let mut home = Home::with(1);
    home.place("attic");
    let first = home.epoch("attic");
    assert_eq!(moves(&home.join(1, 2)), [("attic", Some(1), 1)]);
    assert!(home.epoch("attic") > first);
    let before = home.house.clone();
    assert_eq!(moves(&home.join(1, 2)), []);
    assert_eq!(home.house, before);
}

#[test]
fn what_a_life_that_ended_had_proposed_comes_too_late() {
    let mut home = Home::with(1);
    home.place("attic");
    home.join(1, 2);
    let before = home.house.clone();
    assert_eq!(moves(&home.join(1, 1)), []);
    assert_eq!(home.house, before);
    home.dead(1, 2);
    assert_eq!(home.join(1, 1).notes.len(), 0, "nor does it come back to life");
    assert!(!home.house.gateways()[&GatewayId(1)].alive);
}

#[test]
fn a_move_counts_only_in_the_leadership_that_waited_for_it() {
    let mut home = Home::seed();
    home.apply(Op::Lead);
    let dead = Move::Dead { gateway: GatewayId(1), incarnation: Incarnation(1) };
    let of = |leadership| Op::Move { leadership: Leadership(leadership), why: dead.clone() };
    home.apply(Op::Lead);
    for other in [0, 1, 3] {
        assert_eq!(moves(&home.apply(of(other))), [], "{other}");
    }
    assert_eq!(home.apply(of(2)).moved.len(), 3);
    home.apply(Op::Arrive {
        gateway: GatewayId(1),
        incarnation: Incarnation(2),
        serves: true,
        caches: true,
    });
    let (zone, epoch) = (zone("hallway"), home.house.zones()[&zone("hallway")].epoch);
    let back = Move::Return { zone, epoch };
    let back = |leadership| Op::Move { leadership: Leadership(leadership), why: back.clone() };
    assert_eq!(moves(&home.apply(back(1))), []);
    assert_eq!(moves(&home.apply(back(2))), [("hallway", Some(2), 1)]);
}

#[test]
fn a_zone_goes_home_when_its_gateway_returns() {
    let mut home = Home::seed();
    home.dead(1, 1);
    home.join(1, 2);
    assert_eq!(home.devices_at(1), ["tempSensor", "smartOutlet", "doorSensor"]);
    assert_eq!(home.devices_at(2), ["smartBulb", "motionSensor"]);
}

#[test]
fn a_gateway_that_was_declared_dead_and_lives_joins_again_in_the_same_life() {
    let mut home = Home::seed();
    home.dead(2, 1);
    let outcome = home.join(2, 1);
    assert_eq!(outcome.moved.len(), 2);
    assert_eq!(home.owner("bedroom"), 2);
}

#[test]
fn a_move_keeps_registrations_orders_and_numbering() {
    let mut home = Home::seed();
    home.report("hallway/doorSensor", off());
    home.set("hallway/doorSensor", spoken("1"), None);
    home.dead(1, 1);
    assert_eq!(home.open("hallway/doorSensor"), Some((1, spoken("1"))));
    assert_eq!(seqs(&home.report("hallway/doorSensor", off())), [3]);
    assert_eq!(home.house.zones()[&zone("hallway")].next, 2);
}
