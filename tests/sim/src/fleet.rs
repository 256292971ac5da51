//! Many seeds on all cores, up to the first violation.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Options, Summary, Trace, Violation, run_group, run_home};

/// What a seed is played with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A Paxos group.
    Group,
    /// Whole gateways.
    Home,
}

impl What {
    /// Everything there is.
    pub const ALL: [Self; 2] = [Self::Group, Self::Home];

    fn run(self, seed: u64, options: Options) -> Result<Summary, Violation> {
        match self {
            Self::Group => run_group(seed, options),
            Self::Home => run_home(seed, options),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "group",
            Self::Home => "home",
        })
    }
}

/// Which seeds, of what.
#[derive(Clone, Debug)]
pub struct Order {
    /// What is simulated.
    pub what: What,
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// Leave out the checks of single messages.
    pub blind: bool,
    /// Where the trace of a violation goes, or that of a single seed; without a name a violation's goes to the
    /// folder for temporary files.
    pub trace: Option<PathBuf>,
}

impl Order {
    /// `seeds` seeds from `from` on, with all checks.
    pub const fn new(what: What, from: u64, seeds: u64) -> Self {
        Self { what, from, seeds, blind: false, trace: None }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// What happened in all seeds together.
    pub summary: Summary,
    /// How long it took.
    pub spent: Duration,
    /// What stopped it.
    pub violation: Option<Failure>,
}

/// A violation, and how to see it again.
#[derive(Debug)]
pub struct Failure {
    /// The broken claim.
    pub violation: Violation,
    /// The events that led to it, or why they could not be written.
    pub trace: Result<PathBuf, io::Error>,
    what: What,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (violation, what) = (&self.violation, self.what);
        let seed = violation.seed;
        writeln!(f, "{violation}")?;
        match &self.trace {
            Ok(trace) => {
                writeln!(f, "its events: {}", trace.display())?;
                let trace = trace.display();
                write!(
                    f,
                    "again: cargo run --release -p hearth-sim -- --what {what} --from {seed} --seeds 1 --trace {trace}"
                )
            }
            Err(error) => {
                writeln!(f, "its events could not be written: {error}")?;
                write!(
                    f,
                    "again: cargo run --release -p hearth-sim -- --what {what} --from {seed} --seeds 1"
                )
            }
        }
    }
}

/// Runs the seeds on all cores and calls `done` after each. The first violation ends it.
///
/// # Errors
/// If a trace was asked for and its file cannot be made.
pub fn run(order: &Order, done: &(dyn Fn() + Sync)) -> io::Result<Report> {
    let began = Instant::now();
    let (summary, violation) = run_seeds(order, done);
    let violation = violation.map(|violation| {
        let trace = order.trace.clone().unwrap_or_else(|| {
            std::env::temp_dir().join(format!("hearth-{}-{}.jsonl", order.what, violation.seed))
        });
        let written = write_trace(order, violation.seed, &trace);
        Failure { violation, trace: written.map(|()| trace), what: order.what }
    });
    if let (None, Some(trace), 1) = (&violation, &order.trace, order.seeds) {
        write_trace(order, order.from, trace)?;
    }
    Ok(Report { summary, spent: began.elapsed(), violation })
}

/// Plays a seed again, which changes nothing, and writes down what happens.
fn write_trace(order: &Order, seed: u64, path: &Path) -> io::Result<()> {
    let trace = Trace::to_file(path)?;
    let mut options = Options { trace, ..Options::default() };
    options.blind = order.blind;
    let _ = order.what.run(seed, options);
    Ok(())
}

fn run_seeds(order: &Order, done: &(dyn Fn() + Sync)) -> (Summary, Option<Violation>) {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let result = Mutex::new((Summary::default(), None::<Violation>));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut own = Summary::default();
        while !stop.load(Ordering::Relaxed) {
            let count = next.fetch_add(1, Ordering::Relaxed);
            if count >= order.seeds {
                break;
            }
            let seed = order.from.wrapping_add(count);
            let options = Options { blind: order.blind, ..Options::default() };
            match order.what.run(seed, options) {
                Ok(summary) => own.add(&summary),
                Err(violation) => {
                    stop.store(true, Ordering::Relaxed);
                    let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
                    // Two threads may find one at the same time: the lower seed is the one to look at.
                    if result.1.as_ref().is_none_or(|first| violation.seed < first.seed) {
                        result.1 = Some(violation);
                    }
                }
            }
            done();
        }
        result.lock().unwrap_or_else(PoisonError::into_inner).0.add(&own);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    result.into_inner().unwrap_or_else(PoisonError::into_inner)
}
