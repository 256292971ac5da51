//! Whole gateways from their first event to the last check: a store each, a broker, and people.
//!
//! ```text
//!  people ──▶ Broker ──▶ Node { Gateway, Disk } ◀──▶ other nodes
//!     ▲          │            │
//!     └──────────┴── World: delays, losses, cuts, crashes, and claims checked after every event
//! ```
//!
//! Most homes have one broker of Hearth's own, and some a foreign one.

pub(crate) mod agreement;
mod broker;
mod claims;
mod connections;
pub(crate) mod disk;
mod driver;
mod faults;
mod hearing;
mod network;
mod node;
pub(crate) mod people;
mod plan;
mod programs;
#[cfg(test)]
mod scenarios;
mod settled;
pub(crate) mod shelf;
pub(crate) mod tables;
mod talk;
mod world;

use self::world::{MS, World};
use crate::Options;
use crate::summary::Summary;

/// One seed, one schedule.
pub(crate) fn run(seed: u64, options: Options) -> Summary {
    let mut world = World::of_seed(seed, options);
    let trouble = world.plan.trouble / MS;
    world.run(trouble);
    world.mend_all();
    world.the_home_recovers();
    world.summary.seeds = 1;
    world.summary.decided = world.watch.agreement.top.0;
    world.summary.home.seeds = 1;
    world.summary
}
