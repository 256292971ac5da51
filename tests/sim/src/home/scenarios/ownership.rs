//! Zones and their owners when gateways die, are cut off, and return.

use serde_json::json;
use wire::{Account, Allowance, Maker, ZoneVerb};

use crate::home::people::value_of;
use crate::home::world::{MS, World};

const PLACES: [&str; 7] = ["a/x", "b/x", "c/x", "d/x", "e/x", "f/x", "g/x"];

/// Zones a to c at gateway 1, d to f at gateway 2, g at gateway 3.
fn home(seed: u64) -> World {
    let mut world = World::new(seed, 3, 0, |_| {});
    world.furnish(&PLACES);
    let servers: Vec<_> = "abcdefg".chars().map(|zone| world.server(&zone.to_string())).collect();
    assert_eq!(servers, [1, 1, 1, 2, 2, 2, 3].map(Some));
    world
}

fn other_than(id: u8) -> u8 {
    if id == 1 { 2 } else { 1 }
}

fn zone_of(id: u8) -> &'static str {
    ["a", "d", "g"][usize::from(id) - 1]
}

#[test]
fn when_an_owner_dies_its_zones_move_and_what_it_did_not_acknowledge_is_applied_once() {
    for seed in 0..20 {
        let mut world = home(seed);
        let leader = world.leader().expect("someone leads");
        let owner = other_than(leader);
        let zone = zone_of(owner);
        let place = format!("{zone}/x");
        let stamps: Vec<u64> = (0..10).map(|_| world.report(&place)).collect();
        // Somewhere between delivery and acknowledgement.
        let moment = world.now + world.dice.between(0, 12_000);
        world.until("somewhere between", 20, |world| world.now >= moment);
        world.kill(owner);
        world.until("all are acknowledged", 1000, |world| {
            stamps.iter().all(|stamp| world.is_acknowledged(*stamp))
        });
        assert_ne!(world.server(zone), Some(owner));
        let question = world.get(&place);
        world.until("the new owner answers", 500, |world| world.answer(&question).is_some());
        let told = world.answer(&question).map(|answer| value_of(answer.get("state")));
        assert_eq!(told, Some(world.people.said[&stamps[9]].value), "seed {seed}");
        world.start(owner);
        world.assert_settled();
    }
}

#[test]
fn an_owner_that_dies_again_at_once_is_missed_as_soon_as_the_first_time() {
    for seed in 0..20 {
        let mut world = home(seed);
        let owner = other_than(world.leader().expect("someone leads"));
        let zone = zone_of(owner);
        for _ in 0..2 {
            world.kill(owner);
            let took = world.until("its zone has moved", 1500, |world| {
                world.server(zone).is_some_and(|server| server != owner)
            });
            assert!(took < 300, "seed {seed}: it took {took} ms");
            world.start(owner);
            world.until("it is at home", 1500, |world| world.server(zone) == Some(owner));
        }
    }
}

#[test]
fn when_a_leader_that_is_an_owner_dies_its_zones_are_served_within_a_second_and_a_half() {
    let mut worst = 0;
    for seed in 0..20 {
        let mut world = home(seed);
        let leader = world.leader().expect("someone leads");
        let zone = zone_of(leader);
        world.kill(leader);
        let stamp = world.report(&format!("{zone}/x"));
        let took = world.until("its zones are served", 1500, |w| w.is_acknowledged(stamp));
        worst = worst.max(took);
        world.start(leader);
        world.assert_settled();
        assert_eq!(world.server(zone), Some(leader), "it gets its zones back");
    }
    assert!(worst < 1000, "the slowest of them took {worst} ms");
}

#[test]
fn an_owner_whose_paxos_link_is_dead_keeps_its_zones_and_loses_nothing() {
    let mut world = home(3);
    let owner = other_than(world.leader().expect("someone leads"));
    for other in [1, 2, 3] {
        if other != owner {
            world.part(owner, other);
        }
    }
    // Its heartbeats still come, so nobody takes its zones; it cannot agree on anything.
    let stamp = world.report(&format!("{}/x", zone_of(owner)));
    world.run(3000);
    assert!(!world.is_acknowledged(stamp));
    assert_eq!(world.server(zone_of(owner)), Some(owner));
    world.parted.clear();
    world.until("it is agreed", 2000, |world| world.is_acknowledged(stamp));
    world.assert_settled();
}

#[test]
fn a_gateway_that_is_cut_off_loses_its_zones_and_gets_them_back_when_it_returns() {
    for id in [1, 2] {
        let mut world = home(4);
        world.cut(id);
        world.until("its zones have moved", 2500, |world| {
            world.server(zone_of(id)).is_some_and(|server| server != id)
        });
        let stamp = world.report(&format!("{}/x", zone_of(id)));
        world.until("a report is agreed", 500, |world| world.is_acknowledged(stamp));
        world.heal(id);
        world.until("it has its zones back", 3000, |w| w.server(zone_of(id)) == Some(id));
        world.assert_settled();
    }
}

#[test]
fn a_restarted_gateway_gets_a_new_epoch_before_it_opens_anything() {
    let mut world = home(5);
    let owner = other_than(world.leader().expect("someone leads"));
    world.kill(owner);
    // So soon that nobody has declared it dead.
    world.start(owner);
    world.assert_settled();
    assert_eq!(world.server(zone_of(owner)), Some(owner));
}

#[test]
fn a_gateway_that_comes_to_lead_while_it_catches_up_joins() {
    for seed in 0..30 {
        let mut world = World::new(seed, 3, 0, |settings| {
            settings.leaders = vec![wire::GatewayId(3)];
        });
        world.furnish(&["a/x"]);
        world.plan.network.delay = 20 * MS;
        world.kill(3);
        for _ in 0..40 {
            world.report("a/x");
            world.run(20);
        }
        // Whoever is left, one is late, is preferred, and learns in an election what it missed.
        world.kill(1);
        world.kill(2);
        world.start(3);
        world.start(2);
        world.until("they lead and join", 3000, |world| world.joined().len() > 1);
        world.start(1);
        world.assert_settled();
    }
}

#[test]
fn six_gateways_serve_on_three_and_lose_any_two() {
    let mut world = World::new(6, 3, 3, |settings| {
        settings.agreed.threshold = 1;
        settings.leaders = vec![wire::GatewayId(6)];
    });
    world.furnish(&["livingroom/temp", "landing/motion", "bedroom/bulb"]);
    world.until("gateway 6 leads", 5000, |world| world.leader() == Some(6));
    let zones = ["livingroom", "landing", "bedroom"];
    assert_eq!(zones.map(|zone| world.server(zone)), [1, 2, 3].map(Some));
    world.kill(6);
    world.kill(1);
    let stamp = world.report("livingroom/temp");
    world.until("another owner and leader", 2000, |world| world.is_acknowledged(stamp));
    assert!(world.server("livingroom").is_some_and(|server| server == 2 || server == 3));
    let question = world.set("bedroom/bulb", json!({"wait": "state"}));
    world.until("orders are obeyed", 500, |world| world.answer(&question).is_some());
    world.start(1);
    world.start(6);
    world.assert_settled();
}

#[test]
fn a_standby_serves_when_nobody_else_is_left() {
    let mut world = World::new(7, 2, 1, |_| {});
    world.furnish(&["a/x", "b/x", "c/x", "d/x"]);
    world.kill(1);
    world.until("gateway 2 serves all", 1500, |world| {
        ["a", "b", "c", "d"].iter().all(|zone| world.server(zone) == Some(2))
    });
    world.start(1);
    world.assert_settled();
}

#[test]
fn a_zone_without_devices_goes_after_ten_minutes_and_a_report_makes_it_again() {
    let mut world = home(3);
    let epoch = |world: &World| {
        let core = world.nodes.values().find_map(|node| node.core.as_ref());
        let zone = "cellar".parse().expect("a name");
        core.and_then(|core| core.house().zones().get(&zone).map(|row| row.epoch))
    };
    world.nonsense("cellar/lamp", ZoneVerb::Report);
    world.until("it is served", 2000, |world| world.server("cellar").is_some());
    let before = epoch(&world);
    world.run(9 * 60_000);
    assert!(world.server("cellar").is_some(), "not yet");
    world.run(61_000);
    assert_eq!((world.server("cellar"), epoch(&world)), (None, None), "nobody serves it");
    let stamp = world.report("cellar/lamp");
    world.until("a report is agreed", 2000, |world| world.is_acknowledged(stamp));
    assert!(epoch(&world) > before, "an epoch is never used again");
    world.assert_settled();
}

#[test]
pub(super) fn a_user_who_has_made_as_many_zones_as_it_may_makes_no_more() {
    let mut world = World::new(1, 3, 0, |_| {});
    let account = Account { role: "person".to_owned(), user: "ada".to_owned() };
    let may = Allowance { user: 1, role: 9, all: 9 };
    world.broker.maker = Some(Maker { may, account: Some(account) });
    world.furnish(&["a/x"]);
    let question = world.nonsense("b/x", ZoneVerb::Report);
    world.until("it is answered", 2000, |world| world.answer(&question).is_some());
    let why = world.answer(&question).and_then(|answer| answer.failure());
    assert!(why.is_some_and(|why| why.contains("broker.limits.zones")), "{why:?}");
    assert_eq!(world.server("b"), None);
    world.until("it is acknowledged", 100, |world| world.broker.unacknowledged() == 0);
}
