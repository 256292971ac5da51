//! The mesh's simulator: one seed is one run of one to five nodes, on one thread in virtual time.
//!
//! `plan.rs` is what a seed draws, `world.rs` the order of events, `net.rs` the connections between nodes, `site.rs` a
//! node with a broker around it as plain as it can be, `people.rs` its clients, `home.rs` what is agreed of zones,
//! `faults.rs` what goes wrong. Claims are one function each, in `claims/`. Then the faults stop, and everything that was
//! promised has to be there.
//!
//! Frames go over connections as bytes. A connection carries them in order, is slow, stands still in one direction or both,
//! or breaks, and each end finds that out by itself.

mod claims;
mod faults;
mod home;
mod net;
mod people;
mod plan;
mod site;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

/// Lines of a trace that are printed, from its end.
const LINES: usize = 20_000;

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
    let trace = world.trace.unwrap_or_default();
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
