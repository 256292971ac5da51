//! Queries: who answers, from what, how it is counted, and when nobody may answer.

use gateway_core::event::Session;
use serde_json::json;
use wire::GatewayId;

use crate::home::world::{MS, World};

/// Four zones, and a broker that throws an old owner out late.
fn on_a_foreign_broker(seed: u64) -> World {
    let mut world = World::new(seed, 3, 0, |settings| settings.own_broker = false);
    world.furnish(&["a/x", "b/x", "c/x", "d/x"]);
    (world.broker.lingers, world.plan.foreign) = (true, true);
    world
}

fn ask(world: &mut World, place: &str) -> String {
    let question = world.get(place);
    world.until("the query is answered", 1000, |world| world.answer(&question).is_some());
    let answer = world.answer(&question).expect("answered");
    assert_eq!(answer.failure(), None, "{place}");
    answer.get("cache").as_str().expect("an answer says what the cache did").to_owned()
}

#[test]
fn a_write_fills_the_cache_and_the_least_recently_used_device_leaves() {
    let mut world = World::new(1, 3, 0, |_| {});
    world.furnish(&["a/x", "a/y"]);
    // A row may be read after its report is acknowledged; what was asked for is cached at the latest then.
    ask(&mut world, "a/y");
    assert_eq!(ask(&mut world, "a/x"), "hit");
    let stamp = world.report("a/z");
    world.until("a third device", 200, |world| world.is_acknowledged(stamp));
    ask(&mut world, "a/z");
    assert_eq!(ask(&mut world, "a/y"), "miss");
    assert_eq!(ask(&mut world, "a/y"), "hit");
    assert_eq!(ask(&mut world, "a/z"), "hit");
}

#[test]
fn without_a_cache_it_is_off() {
    let mut world = World::new(1, 3, 0, |settings| settings.cache = 0);
    world.furnish(&["a/x"]);
    assert_eq!(ask(&mut world, "a/x"), "off");
}

#[test]
fn the_first_query_at_a_new_owner_is_a_miss() {
    let mut world = World::new(2, 3, 0, |_| {});
    world.furnish(&["a/x"]);
    world.kill(1);
    world.until("the zone moved", 2000, |w| w.server("a").is_some_and(|server| server != 1));
    assert_eq!(ask(&mut world, "a/x"), "miss");
    assert_eq!(ask(&mut world, "a/x"), "hit");
}

#[test]
fn a_device_that_no_gateway_ever_cached_is_a_cold_miss_once() {
    let mut world = World::new(3, 3, 0, |settings| {
        settings.cache = if settings.id.0 == 1 { 0 } else { 1 };
    });
    world.furnish(&["a/x", "a/y"]);
    world.kill(1);
    world.until("the zone moved", 2000, |w| w.server("a").is_some_and(|server| server != 1));
    assert_eq!(ask(&mut world, "a/x"), "cold");
    assert_eq!(ask(&mut world, "a/x"), "hit");
    assert_eq!(ask(&mut world, "a/y"), "cold");
    assert_eq!(ask(&mut world, "a/x"), "miss", "this gateway had cached it");
}

#[test]
fn an_owner_that_hears_nobody_refuses_once_its_lease_ran_out() {
    let mut world = World::new(4, 3, 0, |_| {});
    world.furnish(&["a/x"]);
    world.part(1, 2);
    world.part(1, 3);
    world.run(500);
    let question = world.get("a/x");
    world.until("it is refused", 1000, |world| world.answer(&question).is_some());
    assert!(world.answer(&question).is_some_and(|answer| answer.failure().is_some()));
    world.parted.clear();
    world.run(1000);
    assert_eq!(ask(&mut world, "a/x"), "hit");
}

#[test]
fn two_of_three_that_are_dead_leave_one_that_refuses() {
    let mut world = World::new(5, 3, 0, |_| {});
    world.furnish(&["a/x"]);
    world.kill(2);
    world.kill(3);
    world.run(1000);
    let question = world.get("a/x");
    world.until("it is refused", 1000, |world| world.answer(&question).is_some());
    let answer = world.answer(&question).and_then(|answer| answer.failure());
    assert!(answer.is_some_and(|why| why.contains("majority")), "{answer:?}");
    assert_eq!(world.people.asked[&question].answers.len(), 1);
}

#[test]
fn where_no_takeover_fences_it_off_an_old_owners_lease_is_waited_out() {
    for seed in 0..3 {
        let mut world = World::new(seed, 3, 0, |settings| settings.own_broker = false);
        world.furnish(&["a/x", "b/x", "c/x", "d/x"]);
        world.broker.lingers = true;
        let (owner, place) = if world.leader() == Some(1) { (2, "d/x") } else { (1, "a/x") };
        world.mute(owner);
        for _ in 0..150 {
            // Both the old and the new owner are asked, and neither may tell what is outdated.
            world.get(place);
            world.report(place);
            world.run(10);
        }
        let server = world.server(&place[..1]);
        assert!(server.is_some_and(|server| server != owner), "its zone has moved");
        let acknowledged = world.people.devices[place].acknowledged;
        assert!(acknowledged > 80, "the new owner works: {acknowledged}");
    }
}

#[test]
fn a_zone_comes_home_only_when_the_lease_of_whoever_has_it_is_over() {
    for seed in 0..10 {
        let mut world = on_a_foreign_broker(seed);
        let (owner, place) = if world.leader() == Some(1) { (2, "d/x") } else { (1, "a/x") };
        world.kill(owner);
        let zone = &place[..1];
        world.until("its zone moved", 3000, |world| {
            world.server(zone).is_some_and(|server| server != owner)
        });
        world.run(1000);
        // Whoever has it hears nothing any more, and may answer as long as its lease lasts.
        let has = world.server(zone).expect("it is served");
        world.start(owner);
        world.until("it has joined", 2000, |world| world.joined().len() == 3);
        for other in (1..=3).filter(|id| *id != has) {
            world.parted.insert((GatewayId(other), GatewayId(has)));
        }
        for _ in 0..200 {
            world.get(place);
            world.report(place);
            world.run(10);
        }
        world.parted.clear();
        world.until("it is at home", 5000, |world| world.server(zone) == Some(owner));
    }
}

#[test]
fn an_owner_that_has_not_heard_that_its_zone_moved_gets_no_lease() {
    for seed in 0..10 {
        let mut world = on_a_foreign_broker(seed);
        world.plan.deaf_losers = 100;
        let (owner, place) = if world.leader() == Some(1) { (2, "d/x") } else { (1, "a/x") };
        world.kill(owner);
        let zone = &place[..1];
        world.until("its zone moved", 3000, |world| {
            world.server(zone).is_some_and(|server| server != owner)
        });
        world.start(owner);
        for _ in 0..300 {
            world.get(place);
            world.report(place);
            world.run(10);
        }
        assert_eq!(world.server(zone), Some(owner), "it is at home");
        assert!(!world.deaf.is_empty(), "whoever had zones did not hear of their way home");
    }
}

#[test]
pub(super) fn what_a_leader_wanted_to_move_does_not_move_when_it_leads_again() {
    let mut again = 0;
    for seed in 0..20 {
        let mut world = World::new(seed, 3, 0, |settings| {
            settings.own_broker = false;
            settings.leaders = vec![GatewayId(1)];
        });
        world.furnish(&["a/x", "b/x", "c/x", "d/x"]);
        world.until("gateway 1 leads", 5000, |world| world.leader() == Some(1));
        (world.broker.lingers, world.plan.foreign) = (true, true);
        // It waits for a lease, and is cut off as it proposes to take the zone.
        world.plan.last_move = 100;
        world.mute(2);
        world.until("it is cut off or dead", 3000, |world| {
            !world.parted.is_empty() || world.nodes[&GatewayId(1)].core.is_none()
        });
        world.plan.last_move = 0;
        world.unmute((GatewayId(2), world.nodes[&GatewayId(2)].life().1));
        if world.nodes[&GatewayId(1)].core.is_none() {
            continue;
        }
        // Another one grants leases meanwhile.
        world.until("gateway 3 leads", 3000, |world| world.leader() == Some(3));
        world.until("gateway 2 has a lease again", 3000, |world| {
            let node = &world.nodes[&GatewayId(2)];
            let lease = node.core.as_ref().and_then(gateway_core::Gateway::lease);
            lease.is_some_and(|until| until > node.clock.shows(world.now))
        });
        world.parted.clear();
        world.until("gateway 1 leads again", 5000, |world| world.leader() == Some(1));
        world.run(1000);
        assert_eq!(world.server("d"), Some(2), "seed {seed}");
        again += 1;
    }
    assert!(again > 5, "it was cut off {again} times");
}

#[test]
fn a_leader_that_was_deposed_lists_nothing_outdated() {
    for seed in 0..10 {
        let mut world = on_a_foreign_broker(seed);
        let leader = world.leader().expect("someone leads");
        let place = if leader == 1 { "d/x" } else { "a/x" };
        world.mute(leader);
        for _ in 0..100 {
            world.report(place);
            world.ask_for_the_list();
            world.run(5);
        }
        assert_ne!(world.leader(), Some(leader), "another leads");
    }
}

#[test]
fn an_owner_that_opens_late_what_is_not_its_own_any_more_tells_nothing_outdated() {
    for seed in 0..20 {
        let mut world = World::new(seed, 3, 0, |_| {});
        world.furnish(&["a/x", "b/x", "c/x", "d/x"]);
        let (owner, place) = if world.leader() == Some(1) { (2, "d/x") } else { (1, "a/x") };
        let query = Session::Query(place[..1].parse().expect("a name"));
        // It loses its connections, is told that the zone is its own still, and opens it again.
        world.break_session(GatewayId(owner), &query);
        world.until("it opens the zone again", 500, |world| {
            world.nodes[&GatewayId(owner)].sessions.get(&query).is_some_and(|open| !open.1)
        });
        // The packet that opens is late; meanwhile nobody hears the gateway, and its zone moves.
        let late = world.now + (100 + world.dice.between(0, 199)) * MS;
        world.postpone_requests(&query, late);
        world.mute(owner);
        for _ in 0..250 {
            world.get(place);
            world.report(place);
            world.run(2);
        }
        let server = world.server(&place[..1]);
        assert!(server.is_some_and(|server| server != owner), "its zone has moved");
    }
}

#[test]
pub(super) fn a_new_owner_takes_reports_only_when_the_old_one_cannot_answer_any_more() {
    for seed in 0..20 {
        let mut world = World::new(seed, 3, 0, |_| {});
        world.furnish(&["a/x", "b/x", "c/x", "d/x"]);
        let (owner, place) = if world.leader() == Some(1) { (2, "d/x") } else { (1, "a/x") };
        let name: wire::Zone = place[..1].parse().expect("a name");
        let (query, zone) = (Session::Query(name.clone()), Session::Zone(name));
        // It has a lease, and does not hear that its zone moves.
        let life = world.nodes[&GatewayId(owner)].life();
        world.mute(owner);
        world.until("another one opens the session for queries", 1000, |world| {
            let mut others = world.nodes.values().filter(|node| node.id().0 != owner);
            others.any(|node| node.sessions.contains_key(&query))
        });
        // The packet that takes its session for queries over is late, and so is what it hears of its other one.
        let late = world.now + 250 * MS;
        world.postpone_requests(&query, late);
        for _ in 0..100 {
            world.report(place);
            world.get(place);
            let end = world.now + 5 * MS;
            while world.step(end) {
                world.postpone_news(life, &zone, late);
            }
        }
        let server = world.server(&place[..1]);
        assert!(server.is_some_and(|server| server != owner), "its zone has moved");
    }
}

#[test]
pub(super) fn an_owner_whose_disk_is_behind_answers_when_it_has_caught_up() {
    for seed in 0..80 {
        let mut world = World::new(seed, 3, 0, |_| {});
        world.furnish(&["a/x", "b/x", "c/x", "d/x"]);
        let (owner, place) = if world.leader() == Some(1) { (2, "d/x") } else { (1, "a/x") };
        // Its zone moves away and, once it is heard again, comes home: it learns of both at once.
        world.mute(owner);
        for _ in 0..100 {
            world.report(place);
            world.run(10);
        }
        world.plan.storage.write = 150 * MS;
        world.unmute((GatewayId(owner), world.nodes[&GatewayId(owner)].life().1));
        for _ in 0..200 {
            world.get(place);
            world.report(place);
            world.run(10);
        }
        assert_eq!(world.server(&place[..1]), Some(owner), "it is at home");
    }
}

#[test]
fn a_query_tells_both_registers() {
    let mut world = World::new(6, 3, 0, |_| {});
    world.furnish(&["a/x"]);
    world.people.devices.entry("a/x".into()).or_default().obeys = false;
    let order = world.set("a/x", json!({}));
    world.until("it is agreed", 200, |world| world.answer(&order).is_some());
    let question = world.get("a/x");
    world.until("it is answered", 200, |world| world.answer(&question).is_some());
    let answer = world.answer(&question).expect("answered");
    assert_eq!(answer.get("desired"), &json!({"state": "11", "order": 1}));
    assert_eq!(answer.get("state"), &json!("10"));
}
