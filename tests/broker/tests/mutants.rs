//! The simulator finds mistakes: those of `broker_core::mutant`, made on purpose. `MUTANTS.md` says what finds them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use broker_core::mutant::{Mutant, set_active};
use broker_sim::run;

/// Seeds that may pass until a mistake is found. The rarest takes some hundreds.
const SEEDS: u64 = 3_000;

/// The claim that broke, and after how many seeds.
fn hunt(mutant: Mutant) -> Option<(String, u64)> {
    set_active(Some(mutant));
    let found = (0..SEEDS).find_map(|seed| {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(seed)));
        let claim = match outcome {
            Ok(outcome) => outcome.err().map(|broken| broken.claim.to_owned()),
            Err(_) => Some("an assertion of the core itself".to_owned()),
        };
        claim.map(|claim| (claim, seed + 1))
    });
    set_active(None);
    found
}

/// No client of this simulator forgets what it sent. `core/acknowledged.rs` plays one, and sees this mistake.
const BY_SCENARIO: Mutant = Mutant::PacketIdIsTheMessage;

#[test]
fn deliberate_mistakes_are_found() {
    let found = Mutex::new(vec![None; Mutant::ALL.len()]);
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(mutant) = Mutant::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let by = hunt(*mutant);
            found.lock().expect("no hunt panics")[*mutant as usize] = by;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let found = found.into_inner().expect("no hunt panics");
    println!("| mistake | item | found by | seeds |\n|---|---|---|---|");
    for (mutant, by) in Mutant::ALL.iter().zip(&found) {
        let (claim, seeds) = by.clone().unwrap_or_else(|| ("**nothing**".to_owned(), SEEDS));
        let claim = claim.replace('_', " ");
        println!("| {} (`{mutant:?}`) | {} | {claim} | {seeds} |", mutant.words(), mutant.item());
    }
    let hunted = |mutant: &Mutant| *mutant != BY_SCENARIO;
    let unseen = Mutant::ALL.iter().zip(&found).filter(|(_, by)| by.is_none());
    let unseen: Vec<_> = unseen.filter(|(mutant, _)| hunted(mutant)).collect();
    assert!(unseen.is_empty(), "not found: {unseen:?}");
}
