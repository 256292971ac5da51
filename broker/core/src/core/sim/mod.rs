//! The core's simulator: one seed is one run of a broker with its clients, on one thread in virtual time.
//!
//! `plan.rs` is what a seed draws, `people.rs` and `acts.rs` the clients, `world.rs` the order of events,
//! `arrive.rs` what reaches the broker, `hear.rs` what it says, `router.rs` the router as the core may rely on it. `model.rs` goes in step with the core and says, as
//! plainly as it can be said, what the standard wants; it owes messages in `ledger.rs`. Claims are one function each,
//! in `ledger.rs`, `sent.rs` and `rest.rs`, and are checked after every event. Then the faults stop, everyone with a
//! session comes back, and everything owed has to arrive.
//!
//! `HEARTH_BROKER_SEEDS=<n> cargo test -p broker-core --lib sim` plays more or fewer seeds than a usual run of the tests,
//! with `HEARTH_BROKER_FROM=<n>` all of them from that one on; `HEARTH_BROKER_SEED=<n>` plays one and prints what
//! happened in it. `mutants.rs` makes mistakes on purpose and sees them found.

mod acts;
mod arrive;
mod dice;
mod hear;
mod ledger;
mod model;
#[cfg(feature = "mutants")]
mod mutants;
mod people;
mod plan;
mod rest;
mod router;
mod sent;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

/// Seeds of a usual run: the first half from 0 on, always the same, the others never played before.
const SEEDS: u64 = 5_000;
/// Lines of a trace that are printed, from its end.
const LINES: usize = 100;

/// A claim that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Broken {
    claim: &'static str,
    what: String,
}

fn broken<T>(claim: &'static str, what: String) -> Result<T, Broken> {
    Err(Broken { claim, what })
}

type Counts = BTreeMap<&'static str, u64>;

fn run(seed: u64) -> Result<Counts, Broken> {
    let mut world = World::new(seed, false);
    world.play().map(|()| world.counts)
}

fn explain(seed: u64) -> String {
    let mut world = World::new(seed, true);
    let outcome = world.play();
    let trace = world.into_trace();
    let last = trace[trace.len().saturating_sub(LINES)..].join("\n");
    format!("{last}\nseed {seed}: {outcome:?}")
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

/// Where seeds begin that nobody has played: far above the fixed ones, and elsewhere every nanosecond.
fn fresh() -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_nanos());
    now as u64 | 1 << 63
}

/// Plays so many seeds from each of these on, on all cores, until one breaks a claim.
fn play(from: &[u64], each: u64) -> Result<Counts, (u64, Broken)> {
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

#[test]
fn every_claim_holds_in_the_usual_runs() {
    if let Some(seed) = number("HEARTH_BROKER_SEED") {
        println!("{}", explain(seed));
        assert_eq!(run(seed).map(drop), Ok(()));
        return;
    }
    let count = number("HEARTH_BROKER_SEEDS").unwrap_or(SEEDS);
    let from = number("HEARTH_BROKER_FROM").map_or_else(|| vec![0, fresh()], |from| vec![from]);
    match play(&from, count / from.len() as u64) {
        Ok(counts) => println!("{count} seeds, from each of {from:?} on: {counts:?}"),
        Err((seed, broken)) => panic!(
            "{}\n{broken:?}\nagain: HEARTH_BROKER_SEED={seed} cargo test -p broker-core --lib sim -- --nocapture",
            explain(seed)
        ),
    }
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..20 {
        assert_eq!(explain(seed), explain(seed));
    }
}
