//! Homes whose gateways run different programs.

use gateway_core::version::NEWEST;
use wire::{GatewayId, Version};

use crate::home::world::World;

fn raised(world: &World) -> Vec<u8> {
    let cores = world.nodes.values().filter_map(|node| node.core.as_ref());
    cores.map(|core| core.house().counters().version.0).collect()
}

/// A home in which gateway 2 runs a program that announces nothing.
fn mixed() -> World {
    let mut world = World::new(6, 3, 0, |_| {});
    world.kill(2);
    world.node(GatewayId(2)).older_lives = 1;
    world.start(2);
    world
}

#[test]
fn a_home_of_one_program_is_raised_at_once() {
    let mut world = World::new(6, 3, 0, |_| {});
    world.furnish(&["a/x"]);
    world.until("it is raised", 500, |world| raised(world) == [NEWEST.0; 3]);
}

#[test]
fn nothing_new_is_used_before_the_last_voter_understands_it() {
    let mut world = mixed();
    world.furnish(&["a/x", "b/x"]);
    world.run(2000);
    assert_eq!(raised(&world), [Version::FIRST.0; 3], "gateway 2 would stop");
    // Nor while it is away: it may come back as it was.
    world.kill(2);
    world.run(2000);
    assert_eq!(raised(&world), [Version::FIRST.0; 2]);
    world.start(2);
    world.until("it is raised", 3000, |world| raised(world) == [NEWEST.0; 3]);
    world.assert_settled();
}
