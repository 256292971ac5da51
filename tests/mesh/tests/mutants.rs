//! The simulator finds mistakes: those of `mesh::mutant`, made on purpose. `MUTANTS.md` says what finds them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mesh::mutant::{Mutant, set_active};
use mesh_sim::run;

/// Seeds that may pass until a mistake is found.
const SEEDS: u64 = 3_000;

/// The claim that broke, and after how many seeds.
fn hunt(mutant: Mutant, seeds: u64) -> Option<(String, u64)> {
    set_active(Some(mutant));
    let found = (0..seeds).find_map(|seed| {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed)));
        let claim = match outcome {
            Ok(outcome) => outcome.err().map(|broken| broken.claim.to_owned()),
            Err(_) => Some("an assertion of the mesh itself".to_owned()),
        };
        claim.map(|claim| (claim, seed + 1))
    });
    set_active(None);
    found
}

#[test]
fn deliberate_mistakes_are_found() {
    let said = |variable| std::env::var(variable).ok();
    let seeds = said("HEARTH_MESH_SEEDS").and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let only = said("HEARTH_MESH_MUTANT");
    let hunted = |mutant: &&Mutant| only.as_ref().is_none_or(|only| format!("{mutant:?}") == *only);
    let all: Vec<&Mutant> = Mutant::ALL.iter().filter(hunted).collect();
    let found = Mutex::new(vec![None; all.len()]);
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(mutant) = all.get(at) else { return };
            let by = hunt(**mutant, seeds);
            eprintln!("{mutant:?}: {by:?}");
            found.lock().expect("no hunt panics")[at] = by;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().expect("no hunt panics");
    println!("| mistake | item | found by | seeds |\n|---|---|---|---|");
    for (mutant, by) in all.iter().zip(&found) {
        let (claim, seeds) = by.clone().unwrap_or_else(|| ("**nothing**".to_owned(), seeds));
        let claim = claim.replace('_', " ");
        println!("| {} (`{mutant:?}`) | {} | {claim} | {seeds} |", mutant.words(), mutant.item());
    }
    let unseen: Vec<_> = all.iter().zip(&found).filter(|(_, by)| by.is_none()).collect();
    assert!(unseen.is_empty(), "not found: {unseen:?}");
}
