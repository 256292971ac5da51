//! Plays seeds until one breaks a claim: `cargo run --release -p hearth-sim -- --help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to whoever started it")]

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use hearth_sim::Classes;
use hearth_sim::fleet::{self, Order, Report, What};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value as Json, json};

const EXAMPLES: &str = "\
Examples, after `cargo run --release -p hearth-sim --`:
                                                        10,000 seeds of everything
  --seeds 1000000 --from 5000000                        others, for longer
  --what group --from 42 --seeds 1 --trace run.jsonl    one seed, event by event";

/// Hearth's simulator: each seed is a world of its own, and every claim is checked after every event
#[derive(Debug, Parser)]
#[command(name = "hearth-sim", after_help = EXAMPLES)]
struct Args {
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    from: u64,
    /// What to simulate
    #[arg(long, value_enum, default_value_t = Choice::All)]
    what: Choice,
    /// Classes of trouble that whole systems have: all, mended, or names with commas between them
    #[arg(long, value_name = "NAMES", default_value = "mended")]
    classes: Classes,
    /// Go on after violations, and say how often each claim was broken and which seed shows it
    #[arg(long)]
    survey: bool,
    /// Write the events of a violation, or of a single seed, to this file as JSON lines
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// One line of JSON for each kind instead of words
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// A Paxos group
    Group,
    /// Whole gateways
    Home,
    /// Gateways and a broker
    System,
    /// All of these, one after another
    All,
}

impl Choice {
    fn all(self) -> Vec<What> {
        match self {
            Self::Group => vec![What::Group],
            Self::Home => vec![What::Home],
            Self::System => vec![What::System],
            Self::All => What::ALL.into(),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    for what in args.what.all() {
        let order = Order {
            trace: args.trace.clone(),
            classes: args.classes,
            survey: args.survey,
            ..Order::new(what, args.from, args.seeds)
        };
        let progress = Progress::new(&order);
        let report = match fleet::run(&order, &|| progress.advance()) {
            Ok(report) => report,
            Err(error) => {
                eprintln!("the trace cannot be written: {error}");
                return ExitCode::FAILURE;
            }
        };
        progress.end();
        tell(&order, &report, args.json);
        for (times, first) in report.broken.values() {
            println!("{times} times: {first}");
        }
        // Few seeds say little of how often something happens.
        let unreached = report.summary.unreached(args.classes);
        if args.seeds >= 500 && !unreached.is_empty() {
            eprintln!("fewer than every fifth run has reached these bounds: {unreached:?}");
            return ExitCode::FAILURE;
        }
        if let Some(failure) = report.violation {
            eprintln!("{failure}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn tell(order: &Order, report: &Report, json: bool) {
    let (what, summary) = (order.what, &report.summary);
    let spent = report.spent.as_secs_f64();
    if json {
        let mut line: Map<String, Json> = summary
            .rows()
            .into_iter()
            .map(|(words, count)| (words.replace(' ', "_"), count.into()))
            .collect();
        line.insert("what".to_owned(), what.to_string().into());
        line.insert("seconds".to_owned(), spent.into());
        line.insert("longest_commit_ms".to_owned(), json!(summary.longest_commit / 1000));
        line.insert("longest_recovery_ms".to_owned(), json!(summary.longest_recovery / 1000));
        line.insert("violation".to_owned(), json!(report.violation.is_some()));
        return println!("{}", Json::Object(line));
    }
    let rate = summary.seeds as f64 / spent.max(0.001);
    println!("{what}: {summary}; {rate:.0} seeds a second");
}

/// How far it is: a bar on a terminal, else a line now and then.
enum Progress {
    Bar(ProgressBar),
    Lines { done: AtomicU64, told: AtomicU64, seeds: u64, began: Instant },
}

impl Progress {
    /// Between two lines.
    const EVERY: Duration = Duration::from_secs(10);

    fn new(order: &Order) -> Self {
        if !std::io::stderr().is_terminal() {
            let (done, told) = (AtomicU64::new(0), AtomicU64::new(0));
            return Self::Lines { done, told, seeds: order.seeds, began: Instant::now() };
        }
        let bar = ProgressBar::new(order.seeds);
        let look = "{prefix} {wide_bar} {human_pos}/{human_len} seeds, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(look) {
            bar.set_style(style);
        }
        bar.set_prefix(order.what.to_string());
        Self::Bar(bar)
    }

    fn advance(&self) {
        match self {
            Self::Bar(bar) => bar.inc(1),
            Self::Lines { done, told, seeds, began } => {
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                let line = began.elapsed().as_secs() / Self::EVERY.as_secs();
                if told.fetch_max(line, Ordering::Relaxed) < line {
                    let rate = done as f64 / began.elapsed().as_secs_f64();
                    eprintln!("{done} of {seeds} seeds, {rate:.0} a second");
                }
            }
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
