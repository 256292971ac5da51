//! Files that were put back together with everything that tells their state.

use wire::GatewayId;

use crate::home::world::World;

const TWO: GatewayId = GatewayId(2);

/// Three gateways that are off; the file of gateway 2 does not have the last reports.
fn with_an_older_file(last: u64) -> World {
    let mut world = World::new(5, 3, 0, |_| {});
    world.furnish(&["a/x"]);
    world.run(1500);
    let backup = world.nodes[&TWO].disk.clone();
    let stamp = world.report("a/x");
    world.until("it is agreed", 2000, |world| world.is_acknowledged(stamp));
    world.run(last);
    for id in 1..=3 {
        world.kill(id);
    }
    world.node(TWO).disk = backup;
    world
}

#[test]
fn a_folder_that_was_put_back_takes_no_part_before_it_is_found_out() {
    for witness in [1, 3] {
        let mut world = with_an_older_file(1500);
        let before = world.nodes[&TWO].replica();
        world.start(2);
        world.run(500);
        world.start(witness);
        // It would be a majority with the witness, and has forgotten what it promised.
        let step = |world: &World| world.leader().is_none();
        for _ in 0..40 {
            world.run(100);
            assert!(step(&world), "it votes with a file that was put back");
        }
        assert_ne!(world.nodes[&TWO].replica(), before, "its file keeps its number");
        world.start(4 - witness);
        world.until("it has a vote again", 5000, |world| {
            world.nodes[&TWO].core.as_ref().is_some_and(gateway_core::Gateway::votes)
        });
        world.assert_settled();
    }
}

#[test]
pub(super) fn a_folder_that_was_put_back_promises_nothing_before_it_is_found_out() {
    // At each moment of the attempts of the other one to lead.
    for wait in (0..800).step_by(4) {
        let mut world = with_an_older_file(1500);
        let node = &world.nodes[&TWO];
        let (before, promised) = (node.replica(), node.disk.promised);
        world.start(1);
        world.run(1000 + wait);
        world.start(2);
        world.until("it is found out", 3000, |world| world.nodes[&TWO].replica() != before);
        assert_eq!(world.nodes[&TWO].disk.promised, promised, "it promised something");
    }
}

#[test]
fn who_was_not_put_back_waits_a_while_for_a_gateway_that_is_gone() {
    let mut world = World::new(5, 3, 0, |_| {});
    world.furnish(&["a/x"]);
    for id in 1..=3 {
        world.kill(id);
    }
    for id in [1, 2] {
        world.start(id);
    }
    let took = world.until("someone leads", 4000, |world| world.leader().is_some());
    assert!(took >= 1900, "after {took} ms, without the third one's word");
    world.kill(1);
    world.kill(2);
    for id in 1..=3 {
        world.start(id);
    }
    let took = world.until("someone leads", 4000, |world| world.leader().is_some());
    assert!(took < 1000, "{took} ms, although all are here");
    world.assert_settled();
}
