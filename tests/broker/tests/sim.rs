//! Plays seeds of the broker's simulator.
//!
//! `HEARTH_BROKER_SEEDS=<n> cargo test -p broker-sim --test sim` plays more or fewer than a usual run of the tests,
//! with
//! `HEARTH_BROKER_FROM=<n>` all of them from that one on; `HEARTH_BROKER_SEED=<n>` plays one and prints what happened
//! in it.

use broker_sim::{explain, play, run};

/// Seeds of a usual run: the first half from 0 on, always the same, the others never played before.
const SEEDS: u64 = 5_000;

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
            "{}\n{broken:?}\nagain: HEARTH_BROKER_SEED={seed} cargo test -p broker-sim --test sim -- --nocapture",
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

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect(variable))
}

/// Where seeds begin that nobody has played: far above the fixed ones, and elsewhere every nanosecond.
fn fresh() -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_nanos());
    now as u64 | 1 << 63
}
