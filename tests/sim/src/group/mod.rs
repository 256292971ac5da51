//! A Paxos group from its first event to the last check: faults come and go, then they end and progress is required.

mod claims;
mod clients;
mod disk;
mod driver;
mod faults;
mod machine;
mod members;
mod network;
mod node;
mod plan;
pub(crate) mod planted;
mod progress;
mod world;

use self::world::{Due, World};
use crate::Options;
use crate::summary::Summary;

/// One seed, one schedule.
pub(crate) fn run(seed: u64, options: Options) -> Summary {
    let mut world = World::new(seed, options);
    world.after(0, Due::Client);
    world.after(0, Due::Change);
    let (quiet, first) = (world.plan.quiet, world.plan.fault_every / 2);
    world.after(quiet + first, Due::Fault { only: None });
    let trouble = world.plan.trouble;
    world.run(quiet + trouble);
    if world.nodes.len() >= 3 && world.dice.chance(25) {
        world.a_bridge_is_enough();
    }
    world.heal();
    world.the_group_recovers();
    if world.dice.chance(50) {
        world.lost_last_words_are_repeated();
    }
    world.nothing_acknowledged_is_lost();
    world.summary.seeds = 1;
    world.summary.decided = world.claims.top.0;
    world.summary.membership_changes = world.claims.changes();
    world.summary
}
