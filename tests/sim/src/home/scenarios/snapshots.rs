//! Replicas that were away for longer than the logs reach back.

use paxos::Slot;
use wire::GatewayId;

use crate::home::disk::Disk;
use crate::home::world::{MS, World};

const DOOR: &str = "hallway/door";
const KEEP: u64 = 32;

/// Gateway 1 is preferred as leader; the logs are short.
fn home(seed: u64) -> World {
    let mut world = World::new(seed, 3, 0, |settings| {
        settings.log_keep = KEEP;
        settings.leaders = vec![GatewayId(1)];
    });
    world.furnish(&[DOOR, "bedroom/bulb"]);
    world
}

/// Reports, one slot each at least, until the logs begin this far behind where they do now.
fn trim(world: &mut World, slots: u64) {
    let first = |world: &World| {
        let living = world.nodes.values().filter(|node| node.core.is_some());
        living.map(|node| node.disk.log_from().0).min().expect("someone lives")
    };
    let end = first(world) + slots;
    while first(world) < end {
        let stamp = world.report(DOOR);
        world.until("a report is agreed", 3000, |world| world.is_acknowledged(stamp));
    }
}

fn applied(world: &World, id: u8) -> Slot {
    world.nodes[&GatewayId(id)].disk.applied
}

fn held(world: &World, id: u8) -> u64 {
    world.nodes[&GatewayId(id)].disk.shelf.received().map_or(0, |(_, bytes)| bytes)
}

fn made(world: &World, id: u8) -> u64 {
    world.nodes[&GatewayId(id)].disk.shelf.made
}

/// Something is written every 20 ms until gateway 3 has what the others have.
fn catch_up(world: &mut World, what: &str) {
    let began = world.now;
    write_until(world, |world| {
        assert!(world.now < began + 20_000 * MS, "within 20 s: {what}");
        applied(world, 3) >= applied(world, 1).min(applied(world, 2))
    });
}

#[test]
fn a_replica_that_was_away_over_three_trims_catches_up_while_writes_go_on() {
    for seed in 0..10 {
        let mut world = home(seed);
        world.kill(3);
        for _ in 0..3 {
            trim(&mut world, KEEP);
        }
        world.start(3);
        catch_up(&mut world, "gateway 3 has caught up");
        assert_eq!((made(&world, 1), made(&world, 2)), (0, 1), "the leader is spared");
        world.assert_settled();
    }
}

#[test]
fn a_gateway_with_a_new_disk_gets_everything() {
    let mut world = home(1);
    world.kill(3);
    trim(&mut world, KEEP);
    let node = world.nodes.get_mut(&GatewayId(3)).expect("gateway 3");
    node.disk = Disk::new(KEEP, 1);
    world.start(3);
    catch_up(&mut world, "gateway 3 has everything");
    world.assert_settled();
}

#[test]
fn a_replica_whose_peers_still_have_the_log_needs_no_snapshot() {
    for seed in 0..10 {
        let mut world = home(seed);
        world.kill(3);
        let end = applied(&world, 1).0 + KEEP / 4;
        write_until(&mut world, |world| applied(world, 1).0 >= end);
        world.start(3);
        catch_up(&mut world, "gateway 3 has caught up");
        assert_eq!((made(&world, 1), made(&world, 2)), (0, 0), "seed {seed}");
        world.assert_settled();
    }
}

#[test]
fn a_download_goes_on_after_either_end_has_started_again() {
    let mut world = home(3);
    world.kill(3);
    trim(&mut world, KEEP * 3);
    world.start(3);
    for gateway in [2, 3, 2, 3] {
        let before = held(&world, 3);
        world.until("more of it comes", 8000, |world| held(world, 3) > before);
        let before = held(&world, 3);
        world.kill(gateway);
        // Shorter than the silence after which another gateway is asked.
        world.run(300);
        assert!(held(&world, 3) >= before, "gateway {gateway} was killed, and all began anew");
        world.start(gateway);
    }
    catch_up(&mut world, "gateway 3 has caught up");
    assert_eq!((made(&world, 1), made(&world, 2)), (0, 1), "one snapshot was enough");
    world.assert_settled();
}

#[test]
fn when_the_sender_dies_for_good_another_one_takes_over() {
    let mut world = home(4);
    world.kill(3);
    trim(&mut world, KEEP * 3);
    world.start(3);
    world.until("half of it is here", 8000, |world| held(world, 3) >= 1000);
    world.kill(2);
    world.until("the leader is asked", 15_000, |world| made(world, 1) == 1);
    world.until("gateway 3 has it", 15_000, |world| applied(world, 3) >= applied(world, 1));
    // Only with gateway 3 there is a majority.
    let stamp = world.report(DOOR);
    world.until("a report is agreed", 5000, |world| world.is_acknowledged(stamp));
    world.start(2);
    world.assert_settled();
}

#[test]
fn a_crash_at_any_moment_of_the_installation_is_no_harm() {
    for seed in 0..40 {
        let mut world = home(seed);
        world.kill(3);
        trim(&mut world, KEEP * 2);
        world.start(3);
        world.until("all of it is here", 8000, |world| held(world, 3) == 2000);
        let somewhere = world.dice.between(0, 12);
        world.run(somewhere);
        world.kill(3);
        world.start(3);
        catch_up(&mut world, "gateway 3 has caught up");
        world.assert_settled();
    }
}

#[test]
fn a_snapshot_that_is_no_good_is_fetched_again_from_another_gateway() {
    let mut world = home(5);
    world.kill(3);
    trim(&mut world, KEEP * 3);
    world.start(3);
    world.node(GatewayId(3)).disk.shelf.spoilt = true;
    catch_up(&mut world, "gateway 3 has caught up");
    assert_eq!((made(&world, 1), made(&world, 2)), (1, 1));
    world.assert_settled();
}

#[test]
fn an_owner_that_slept_through_everything_serves_its_zones_only_when_the_leader_says_so() {
    for seed in 0..20 {
        let mut world = home(seed);
        world.furnish(&["c/lamp", "d/lamp", "e/lamp"]);
        assert_eq!((world.leader(), world.server("d")), (Some(1), Some(2)));
        // It hears no gateway, but keeps its sessions: nobody takes its zones.
        world.part(2, 1);
        world.part(2, 3);
        let stamps: Vec<u64> = (0..5).map(|_| world.report("d/lamp")).collect();
        let end = applied(&world, 1).0 + KEEP * 3;
        write_until(&mut world, |world| applied(world, 1).0 >= end);
        assert_eq!(world.server("d"), Some(2));
        world.parted.clear();
        world.until("all are acknowledged", 20_000, |world| {
            stamps.iter().all(|stamp| world.is_acknowledged(*stamp))
        });
        assert_eq!(made(&world, 3), 1);
        world.assert_settled();
    }
}

/// What it proposes while it fetches is chosen behind the snapshot, and its numbers stand for nothing else.
#[test]
fn an_owner_that_installs_a_snapshot_uses_no_number_twice() {
    for seed in 0..20 {
        let mut world = home(seed);
        world.furnish(&["c/lamp", "d/lamp", "e/lamp"]);
        assert_eq!((world.leader(), world.server("d")), (Some(1), Some(2)));
        world.part(2, 1);
        world.part(2, 3);
        let end = applied(&world, 1).0 + KEEP * 3;
        write_until(&mut world, |world| applied(world, 1).0 >= end);
        world.parted.clear();
        world.until("a snapshot is made for it", 20_000, |world| made(world, 3) == 1);
        let mut stamps = Vec::new();
        while held(&world, 2) < 1900 && applied(&world, 2) < Slot(end) {
            stamps.push(world.report("d/lamp"));
            world.run(10);
        }
        world.until("all are acknowledged", 20_000, |world| {
            stamps.iter().all(|stamp| world.is_acknowledged(*stamp))
        });
        world.assert_settled();
    }
}

/// Gateway 2 keeps a long log, and is heard again in the middle of gateway 3's download.
#[test]
fn entries_that_come_beside_a_snapshot_are_not_mixed_with_it() {
    for seed in 0..60 {
        let mut world = home(seed);
        world.nodes.get_mut(&GatewayId(2)).expect("gateway 2").disk.keep = 65_536;
        world.kill(3);
        let end = applied(&world, 1).0 + KEEP * 8;
        write_until(&mut world, |world| applied(world, 1).0 >= end);
        world.part(2, 3);
        world.start(3);
        world.until("the leader is asked", 20_000, |world| made(world, 1) == 1);
        let moment = world.dice.between(0, 899);
        world.run(moment);
        world.parted.clear();
        catch_up(&mut world, "gateway 3 has caught up");
        world.assert_settled();
    }
}

fn write_until(world: &mut World, is_so: impl Fn(&World) -> bool) {
    while !is_so(world) {
        world.report(DOOR);
        world.run(20);
    }
}
