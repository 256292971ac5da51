//! The whole system from its first event to the last check: the broker's core and the gateways' cores together, with
//! devices and people who are clients of the broker.
//!
//! ```text
//!  devices, people ──▶ Lane ──▶ hub: broker core, router, file ◀── Lane ◀── links ── Process { Gateway, Disk }
//!     ▲                              │                                                   │
//!     └── packets, in order ─────────┴──── World: delays, cuts, crashes, claims ─────────┘
//! ```
//!
//! Real are both cores and all that they say to each other. Modelled are the router of wildcards, files, TCP, and what
//! the shells do around the cores.

mod claims;
pub(crate) mod class;
mod client;
mod driver;
mod exact;
mod faults;
mod file;
mod hub;
mod lane;
mod letters;
mod links;
mod network;
mod people;
mod plan;
mod process;
mod properties;
mod reach;
mod router;
mod settled;
mod world;

use self::world::World;
use crate::Options;
use crate::summary::Summary;

/// One seed, one schedule.
pub(crate) fn run(seed: u64, options: Options) -> Summary {
    let mut world = World::of_seed(seed, options);
    let trouble = world.plan.trouble;
    world.run(trouble);
    world.mend_all();
    world.the_home_recovers();
    world.summarize()
}

impl World {
    fn summarize(mut self) -> Summary {
        self.summary.seeds = 1;
        self.summary.decided = self.watch.agreement.top.0;
        let system = &mut self.summary.system;
        system.seeds = 1;
        (system.resent, system.in_line) = (self.reach.resent, self.reach.in_line);
        self.reach.count(&mut system.reached);
        self.summary
    }
}
