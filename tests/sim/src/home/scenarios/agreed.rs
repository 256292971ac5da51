//! Reports and orders on their way to an agreement, without faults.

use serde_json::json;
use wire::ZoneVerb;

use crate::home::people::value_of;
use crate::home::world::World;

const DOOR: &str = "hallway/door";
const BULB: &str = "bedroom/bulb";

fn home() -> World {
    let mut world = World::new(1, 3, 0, |_| {});
    world.furnish(&[DOOR, BULB]);
    world
}

#[test]
fn a_report_is_agreed_published_and_then_acknowledged() {
    let mut world = home();
    let stamp = world.report(DOOR);
    world.until("it is acknowledged", 100, |world| world.is_acknowledged(stamp));
    world.run(50);
    let value = world.people.said[&stamp].value;
    let state: serde_json::Value =
        serde_json::from_slice(&world.broker.states["home/hallway/door/state"]).expect("JSON");
    assert_eq!((value_of(&state["state"]), state["node"].as_u64()), (value, Some(2)));
    world.assert_settled();
}

#[test]
fn nothing_is_acknowledged_without_a_majority() {
    let mut world = home();
    world.kill(1);
    world.kill(2);
    let stamp = world.report(DOOR);
    world.run(5000);
    assert!(!world.is_acknowledged(stamp));
    world.start(1);
    world.until("a majority is back", 3000, |world| world.is_acknowledged(stamp));
    world.start(2);
    world.assert_settled();
}

#[test]
fn pipelined_reports_of_a_device_keep_their_order_though_proposals_are_lost() {
    let mut world = home();
    world.plan.network.loss = 20;
    let stamps: Vec<u64> = (0..40).map(|_| world.report(DOOR)).collect();
    world.until("all are acknowledged", 20_000, |world| {
        stamps.iter().all(|stamp| world.is_acknowledged(*stamp))
    });
    world.plan.network.loss = 0;
    world.assert_settled();
}

#[test]
fn a_set_is_answered_when_it_is_agreed() {
    let mut world = home();
    world.people.devices.entry(BULB.into()).or_default().obeys = false;
    let question = world.set(BULB, json!({}));
    world.until("it is answered", 100, |world| world.answer(&question).is_some());
    let answer = world.answer(&question).expect("answered");
    assert_eq!((answer.failure(), answer.get("order")), (None, &json!(1)));
}

#[test]
fn a_set_that_waits_for_the_state_is_answered_after_the_matching_report() {
    let mut world = home();
    world.people.devices.entry(BULB.into()).or_default().obeys = false;
    let question = world.set(BULB, json!({"wait": "state"}));
    world.run(1000);
    assert_eq!(world.answer(&question), None);
    world.obey(BULB, &json!({"state": 12, "order": 1}));
    world.until("it is answered", 100, |world| world.answer(&question).is_some());
    assert_eq!(world.answer(&question).map(|answer| answer.get("fulfilled")), Some(&json!(true)));
}

#[test]
fn an_order_that_expires_is_not_told_to_be_fulfilled() {
    let mut world = home();
    world.people.devices.entry(BULB.into()).or_default().obeys = false;
    let question = world.set(BULB, json!({"wait": "state", "expires": 1}));
    world.until("it is answered", 3000, |world| world.answer(&question).is_some());
    assert_eq!(world.answer(&question).map(|answer| answer.get("fulfilled")), Some(&json!(false)));
}

#[test]
fn an_order_that_is_replaced_is_not_told_to_be_fulfilled() {
    let mut world = home();
    world.people.devices.entry(BULB.into()).or_default().obeys = false;
    // Both may land in one slot, or the second well after the first was agreed.
    for pause in [0, 200] {
        let first = world.set(BULB, json!({"wait": "state"}));
        world.run(pause);
        let second = world.set(BULB, json!({}));
        world.until("both are answered", 500, |world| {
            world.answer(&first).is_some() && world.answer(&second).is_some()
        });
        let fulfilled = world.answer(&first).map(|answer| answer.get("fulfilled").clone());
        assert_eq!(fulfilled, Some(json!(false)));
    }
}

#[test]
fn an_order_waits_for_an_offline_device_and_is_sent_when_it_comes_online() {
    let mut world = home();
    world.presence(BULB, false);
    world.run(50);
    let question = world.set(BULB, json!({"wait": "state"}));
    world.run(2000);
    assert_eq!(world.people.devices[BULB].missed, 0, "nothing is sent to a device that is away");
    world.presence(BULB, true);
    world.until("it obeyed", 200, |world| world.answer(&question).is_some());
    assert_eq!(world.people.devices[BULB].commands, [1]);
}

#[test]
fn what_cannot_be_agreed_is_answered_and_acknowledged() {
    let mut world = home();
    let report = world.nonsense(DOOR, ZoneVerb::Report);
    let order = world.nonsense(DOOR, ZoneVerb::Set);
    let unknown = world.set("hallway/nothing", json!({}));
    let elsewhere = world.get("attic/nothing");
    world.run(200);
    for question in [report, order, unknown, elsewhere] {
        let answer = world.answer(&question).expect("every request gets an answer");
        assert!(answer.failure().is_some(), "{answer:?}");
    }
    assert_eq!(world.broker.unacknowledged(), 0);
}
