//! Many seeds on all cores, up to the first violation.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{
    Classes, Mistake, Options, Summary, Trace, Violation, run_group, run_home, run_system,
};

/// What a seed is played with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A Paxos group.
    Group,
    /// Whole gateways.
    Home,
    /// Gateways and a broker.
    System,
}

impl What {
    /// Everything there is.
    pub const ALL: [Self; 3] = [Self::Group, Self::Home, Self::System];

    /// What a seed breaks with a mistake made, or with none.
    #[must_use]
    pub fn play(self, mistake: Option<Mistake>, seed: u64) -> Option<Violation> {
        self.run(seed, Options { mistake, ..Options::default() }).err()
    }

    fn run(self, seed: u64, options: Options) -> Result<Summary, Violation> {
        match self {
            Self::Group => run_group(seed, options),
            Self::Home => run_home(seed, options),
            Self::System => run_system(seed, options),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "group",
            Self::Home => "home",
            Self::System => "system",
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
    /// The classes of trouble that a whole system has.
    pub classes: Classes,
    /// Go on after violations, and count them.
    pub survey: bool,
    /// Leave out the checks of single messages.
    pub blind: bool,
    /// Where the trace of a violation goes, or that of a single seed; without a name a violation's goes to the
    /// folder for temporary files.
    pub trace: Option<PathBuf>,
}

impl Order {
    /// `seeds` seeds from `from` on, with all checks.
    pub const fn new(what: What, from: u64, seeds: u64) -> Self {
        Self {
            what,
            from,
            seeds,
            classes: Classes::MENDED,
            survey: false,
            blind: false,
            trace: None,
        }
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
    /// Of a survey: how often each claim was broken, and the first seed that shows it.
    pub broken: BTreeMap<String, (u64, Violation)>,
}

/// A violation, and how to see it again.
#[derive(Debug)]
pub struct Failure {
    /// The broken claim.
    pub violation: Violation,
    /// The events that led to it, or why they could not be written.
    pub trace: Result<PathBuf, io::Error>,
    what: What,
    classes: Classes,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (violation, what) = (&self.violation, self.what.to_string());
        let classes = (self.what == What::System).then(|| format!(" --classes {}", self.classes));
        let what = what + classes.as_deref().unwrap_or_default();
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
    let (summary, violation, broken) = run_seeds(order, done);
    let violation = violation.map(|violation| {
        let trace = order.trace.clone().unwrap_or_else(|| {
            std::env::temp_dir().join(format!("hearth-{}-{}.jsonl", order.what, violation.seed))
        });
        let written = write_trace(order, violation.seed, &trace);
        Failure {
            violation,
            trace: written.map(|()| trace),
            what: order.what,
            classes: order.classes,
        }
    });
    if let (None, Some(trace), 1) = (&violation, &order.trace, order.seeds) {
        write_trace(order, order.from, trace)?;
    }
    Ok(Report { summary, spent: began.elapsed(), violation, broken })
}

/// Plays a seed again, which changes nothing, and writes down what happens.
fn write_trace(order: &Order, seed: u64, path: &Path) -> io::Result<()> {
    let trace = Trace::to_file(path)?;
    let mut options = Options { trace, classes: order.classes, ..Options::default() };
    options.blind = order.blind;
    let _ = order.what.run(seed, options);
    Ok(())
}

/// How often each claim was broken, and first by what.
type Broken = BTreeMap<String, (u64, Violation)>;
type Outcome = (Summary, Option<Violation>, Broken);

fn run_seeds(order: &Order, done: &(dyn Fn() + Sync)) -> Outcome {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let result = Mutex::new((Summary::default(), None::<Violation>, Broken::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut own = Summary::default();
        while !stop.load(Ordering::Relaxed) {
            let count = next.fetch_add(1, Ordering::Relaxed);
            if count >= order.seeds {
                break;
            }
            let seed = order.from.wrapping_add(count);
            let (blind, classes) = (order.blind, order.classes);
            let options = Options { blind, classes, ..Options::default() };
            match order.what.run(seed, options) {
                Ok(summary) => own.add(&summary),
                Err(violation) if order.survey => {
                    let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
                    let known = result.2.entry(violation.claim.clone());
                    let (times, first) = known.or_insert_with(|| (0, violation.clone()));
                    *times += 1;
                    if violation.seed < first.seed {
                        *first = violation;
                    }
                }
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
