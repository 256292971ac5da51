//! Plays seeds of the mesh's simulator.
//!
//! `HEARTH_MESH_SEEDS=<n> cargo test -p mesh-sim --test sim` plays more or fewer than a usual run of the tests, with
//! `HEARTH_MESH_FROM=<n>` all of them from that one on; `HEARTH_MESH_SEED=<n>` plays one and prints what happened in it.

use mesh_sim::{explain, play, run};

/// Seeds of a usual run: the first half from 0 on, always the same, the others never played before.
const SEEDS: u64 = 2_000;

#[test]
fn every_claim_holds_in_the_usual_runs() {
    if let Some(seed) = number("HEARTH_MESH_SEED") {
        println!("{}", explain(seed));
        assert_eq!(run(seed).map(drop), Ok(()));
        return;
    }
    let count = number("HEARTH_MESH_SEEDS").unwrap_or(SEEDS);
    let from = number("HEARTH_MESH_FROM").map_or_else(|| vec![0, fresh()], |from| vec![from]);
    match play(&from, count / from.len() as u64) {
        Ok(counts) => println!("{count} seeds, from each of {from:?} on: {counts:#?}"),
        Err((seed, broken)) => panic!(
            "{broken:?}\nagain: HEARTH_MESH_SEED={seed} cargo test -p mesh-sim --test sim -- --nocapture"
        ),
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

fn fresh() -> u64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    clock.map_or(0, |since| since.as_nanos() as u64 & 0xFFFF_FFFF_FFFF)
}
