//! A whole group in one thread: a seed draws the sizes and rates, faults come and go, invariants are checked
//! after every event; then the faults stop and progress is required, first in silence, then with a proposal.
//!
//! `HEARTH_SIM_SEEDS` says how many seeds to run, `HEARTH_SIM_FROM` from which, `HEARTH_SIM_TRACE=1` prints
//! what happens, and `HEARTH_SIM_BLIND=1` leaves out the checks of single messages, so that only what the group
//! ends up with is judged.

mod disk;
mod faults;
mod invariants;
mod node;
mod plan;
mod rng;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use paxos::Replica;

use crate::world::{Due, World};

/// Some seconds of schedules in every test run; HEARTH_SIM_SEEDS runs more.
const SEEDS: u64 = 5000;

#[test]
fn seeds() {
    let from = setting("HEARTH_SIM_FROM").unwrap_or(0);
    let seeds = setting("HEARTH_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(from);
    let failed = AtomicBool::new(false);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        break;
                    }
                    if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
                        failed.store(true, Ordering::Relaxed);
                        report(seed);
                    }
                }
            });
        }
    });
    let spent = began.elapsed();
    let done = next.into_inner().min(from + seeds) - from;
    println!("{done} seeds in {spent:?}: {:.0} a second", done as f64 / spent.as_secs_f64());
    assert!(!failed.into_inner(), "a seed failed; see above for the command that replays it");
}

fn report(seed: u64) {
    eprintln!("seed {seed} failed. Replay it with:");
    eprintln!(
        "HEARTH_SIM_FROM={seed} HEARTH_SIM_SEEDS=1 HEARTH_SIM_TRACE=1 cargo test -p paxos --test sim -- --nocapture"
    );
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// One seed from its first event to the last check.
fn run(seed: u64) {
    let mut world = World::new(
        seed,
        setting("HEARTH_SIM_TRACE").is_some(),
        setting("HEARTH_SIM_BLIND").is_some(),
    );
    world.after(0, Due::Client);
    let first_fault = world.plan.fault_every / 2;
    world.after(first_fault, Due::Fault);
    let chaos = world.plan.chaos;
    world.run(1_000_000 + chaos);
    if world.nodes.len() >= 3 && world.rng.chance(30) {
        a_bridge_is_enough(&mut world);
    }
    world.heal();
    // Stragglers, back-off and a whole catch-up fit into this.
    world.run(world.now + 5_000_000);
    let_a_handover_finish(&mut world);
    silence_repairs_everything(&world);
    let node = world.rng.below(world.nodes.len());
    let request = world.propose(node);
    world.confirm(node);
    world.run(world.now + 600_000);
    let_a_handover_finish(&mut world);
    assert!(world.history.reached.contains(&request), "a proposal to a calm group is not chosen");
    silence_repairs_everything(&world);
}

/// A handover to the preferred replica may be due at any time, also just now.
fn let_a_handover_finish(world: &mut World) {
    let follows = |node: &node::Node| node.replica.as_ref().and_then(Replica::leader);
    for _ in 0..10 {
        let leader = follows(&world.nodes[0]);
        let settled = |node: &node::Node| {
            node.disk.applied_to() == world.history.top && follows(node) == leader
        };
        if leader.is_none() || !world.nodes.iter().all(settled) {
            world.run(world.now + 100_000);
        }
    }
}

/// When all that is left is one replica that everyone can reach, and nobody reaches anyone else, the group still
/// agrees on things, and leadership stays where it is.
fn a_bridge_is_enough(world: &mut World) {
    let hub = world.rng.below(world.nodes.len());
    world.heal();
    world.star(hub);
    world.run(world.now + 5_000_000);
    let elections = world.elections;
    let request = world.propose(hub);
    world.run(world.now + 2_000_000);
    assert!(
        world.history.reached.contains(&request),
        "the replica that everyone reaches gets nothing chosen"
    );
    assert!(
        world.elections - elections <= 1,
        "leadership flaps between replicas that do not hear each other"
    );
}

/// After the last fault: one leader that all follow, equal histories, and no admitted request is lost.
fn silence_repairs_everything(world: &World) {
    let leader = world.nodes[0].replica.as_ref().and_then(Replica::leader);
    assert!(leader.is_some(), "nobody leads a calm group");
    for node in &world.nodes {
        let followed = node.replica.as_ref().and_then(Replica::leader);
        assert_eq!(followed, leader, "replica {} follows another leader", node.id);
        for request in &node.open {
            assert!(
                world.history.reached.contains(request),
                "{request:?} was admitted but never chosen"
            );
        }
        assert!(node.tickets.is_empty(), "a ticket was never answered");
    }
    let disks: Vec<_> = world.nodes.iter().map(|node| &node.disk).collect();
    world.history.all_histories_are_equal(&disks);
}
