//! Makes each deliberate mistake and prints which claim finds it, and after how many seeds.
//!
//! `cargo run -p hearth-sim --features mutants --release --example mutants [NAME ...]`

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hearth_sim::{Options, run_group};
use paxos::mutant::Mutant;

/// A mistake that so many seeds do not find is a hole in the simulator; HEARTH_SIM_SEEDS hunts for longer.
const SEEDS: u64 = 10_000;

fn seeds() -> u64 {
    let seeds = std::env::var("HEARTH_SIM_SEEDS").ok();
    seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |mutant: &Mutant| names.is_empty() || names.contains(&format!("{mutant:?}"));
    let mutants: Vec<Mutant> = Mutant::ALL.iter().copied().filter(wanted).collect();
    let rows = hunt_all(&mutants);
    println!("| mistake | item | found by | seeds |\n|---|---|---|---|");
    for (mutant, found) in mutants.iter().zip(&rows) {
        let (by, seeds) =
            found.as_ref().map_or(("**nothing**", seeds()), |(by, seeds)| (by, *seeds));
        println!("| {} (`{mutant:?}`) | {} | {by} | {seeds} |", mutant.words(), mutant.item());
    }
    let found = rows.iter().flatten().count();
    println!("\n{found} of {} were found.", mutants.len());
    if found == mutants.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What found each, in the order of the mistakes.
fn hunt_all(mutants: &[Mutant]) -> Vec<Option<(String, u64)>> {
    let rows = Mutex::new(vec![None; mutants.len()]);
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(mutant) = mutants.get(place) else {
                break;
            };
            let found = hunt(*mutant);
            eprintln!("{mutant:?}: {found:?}");
            rows.lock().unwrap_or_else(PoisonError::into_inner)[place] = found;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    rows.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The claim that breaks, and how many seeds it took.
fn hunt(mutant: Mutant) -> Option<(String, u64)> {
    (0..seeds()).find_map(|seed| {
        let options = Options { mutant: Some(mutant), ..Options::default() };
        run_group(seed, options).err().map(|violation| (violation.claim, seed + 1))
    })
}
