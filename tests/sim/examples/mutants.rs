//! Makes each deliberate mistake and prints which claim finds it, and after how many seeds.
//!
//! `cargo run -p hearth-sim --release --example mutants [group | home | system | NAME ...]`

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use hearth_sim::{Options, run_group, run_home, run_system};

/// A mistake that so many seeds do not find is a hole in the simulator; HEARTH_SIM_SEEDS hunts for longer.
const SEEDS: u64 = 10_000;

/// A mistake in the agreement itself, or in what a gateway does around it.
#[derive(Clone, Copy)]
enum Mistake {
    Group(paxos::mutant::Mutant),
    Home(gateway_core::mutant::Mutant),
    /// One that whole systems find: with time, which needs devices that wait and wall clocks that are wrong.
    System(gateway_core::mutant::Mutant),
}

/// The item of mistakes with time.
const TIME: u8 = 25;

impl Mistake {
    fn all() -> Vec<Self> {
        let group = paxos::mutant::Mutant::ALL.iter().copied().map(Self::Group);
        let home = gateway_core::mutant::Mutant::ALL.iter().copied().map(|mutant| {
            if mutant.item() == TIME { Self::System(mutant) } else { Self::Home(mutant) }
        });
        group.chain(home).collect()
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Group(_) => "group",
            Self::Home(_) => "home",
            Self::System(_) => "system",
        }
    }

    fn name(self) -> String {
        match self {
            Self::Group(mutant) => format!("{mutant:?}"),
            Self::Home(mutant) | Self::System(mutant) => format!("{mutant:?}"),
        }
    }

    fn row(self) -> String {
        let (words, item) = match self {
            Self::Group(mutant) => (mutant.words(), mutant.item()),
            Self::Home(mutant) | Self::System(mutant) => (mutant.words(), mutant.item()),
        };
        format!("| {words} (`{}`) | {item} |", self.name())
    }

    /// The claim that breaks, and how many seeds it took.
    fn hunt(self) -> Option<(String, u64)> {
        (0..seeds()).find_map(|seed| {
            let mut options = Options::default();
            let outcome = match self {
                Self::Group(mutant) => {
                    options.mutant = Some(mutant);
                    run_group(seed, options)
                }
                Self::Home(mutant) => {
                    options.home_mutant = Some(mutant);
                    run_home(seed, options)
                }
                Self::System(mutant) => {
                    options.home_mutant = Some(mutant);
                    run_system(seed, options)
                }
            };
            outcome.err().map(|violation| (violation.claim, seed + 1))
        })
    }
}

fn seeds() -> u64 {
    let seeds = std::env::var("HEARTH_SIM_SEEDS").ok();
    seeds.and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |mistake: &Mistake| {
        let named = |name: &String| *name == mistake.name() || name == mistake.kind();
        names.is_empty() || names.iter().any(named)
    };
    let mistakes: Vec<Mistake> = Mistake::all().into_iter().filter(wanted).collect();
    let rows = hunt_all(&mistakes);
    println!("| mistake | item | found by | seeds |\n|---|---|---|---|");
    for (mistake, found) in mistakes.iter().zip(&rows) {
        let (by, seeds) =
            found.as_ref().map_or(("**nothing**", seeds()), |(by, seeds)| (by, *seeds));
        println!("{} {by} | {seeds} |", mistake.row());
    }
    let found = rows.iter().flatten().count();
    println!("\n{found} of {} were found.", mistakes.len());
    if found == mistakes.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What found each, in the order of the mistakes.
fn hunt_all(mistakes: &[Mistake]) -> Vec<Option<(String, u64)>> {
    let rows = Mutex::new(vec![None; mistakes.len()]);
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(mistake) = mistakes.get(place) else {
                break;
            };
            let found = mistake.hunt();
            eprintln!("{}: {found:?}", mistake.name());
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
