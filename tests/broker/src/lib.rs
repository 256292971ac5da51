//! The core's simulator: one seed is one run of a broker with its clients, on one thread in virtual time.
//!
//! `plan.rs` is what a seed draws, `people.rs` and `acts.rs` the clients, `world.rs` the order of events,
//! `arrive.rs` what reaches the broker, `hear.rs` what it says, `router.rs` the router as the core may rely on it.
//! `model.rs` goes in step with the core and says, as plainly as it can be said, what the standard wants; it owes
//! messages in `ledger.rs`. Claims are one function each, in `ledger.rs`, `sent.rs` and `rest.rs`, and are checked
//! after every event. Then the faults stop, everyone with a session comes back, and everything owed has to arrive.
//!
//! `tests/sim.rs` plays seeds, `tests/mistakes.rs` makes mistakes on purpose and sees them found, `tests/fuzz.rs` gives
//! the core packets that nobody would send, `tests/core/` are scenarios of a few lines each.

mod acts;
mod arrive;
mod dice;
mod hear;
mod kept;
mod ledger;
mod model;
mod people;
mod plan;
mod rest;
mod router;
mod sent;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

pub use kept::Kept;
use world::World;

/// Lines of a trace that are printed, from its end.
const LINES: usize = 100;

/// A claim that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its name.
    pub claim: &'static str,
    /// What there was instead.
    pub what: String,
}

fn broken<T>(claim: &'static str, what: String) -> Result<T, Broken> {
    Err(Broken { claim, what })
}

/// How often something happened.
pub type Counts = BTreeMap<&'static str, u64>;

/// Plays one seed.
///
/// # Errors
/// The claim that did not hold.
pub fn run(seed: u64) -> Result<Counts, Broken> {
    let mut world = World::new(seed, false);
    world.play().map(|()| world.counts)
}

/// Plays one seed and says in words what happened in it, at its end.
#[must_use]
pub fn explain(seed: u64) -> String {
    let mut world = World::new(seed, true);
    let outcome = world.play();
    let trace = world.into_trace();
    let last = trace[trace.len().saturating_sub(LINES)..].join("\n");
    format!("{last}\nseed {seed}: {outcome:?}")
}

/// Plays so many seeds from each of these on, on all cores, until one breaks a claim.
///
/// # Errors
/// The first seed that was seen to break a claim, and which.
///
/// # Panics
/// When a run does.
pub fn play(from: &[u64], each: u64) -> Result<Counts, (u64, Broken)> {
    let count = each * from.len() as u64;
    let next = AtomicU64::new(0);
    let work = || {
        let mut counts = Counts::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(counts);
            }
            let seed = from[(number / each) as usize].wrapping_add(number % each);
            match run(seed) {
                Ok(more) => {
                    for (what, times) in more {
                        *counts.entry(what).or_default() += times;
                    }
                }
                Err(what) => {
                    next.store(count, Ordering::Relaxed);
                    return Err((seed, what));
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut all = Counts::new();
        for thread in threads {
            for (what, times) in thread.join().expect("a run does not panic")? {
                *all.entry(what).or_default() += times;
            }
        }
        Ok(all)
    })
}
