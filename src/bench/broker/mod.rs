//! `hearth bench broker`: Hearth's broker beside others, all driven in the same way by the same client.
//!
//! Every measurement gets a fresh process of every broker, one broker after the other and round after round, so that
//! whatever else the machine does meets all of them.

mod candidate;
mod idle;
mod ledger;
mod measure;
mod packets;
mod report;
mod round_trip;
mod session;
mod throughput;
mod will;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

pub(super) use packets::{PUBACK, Packet, report};
pub(super) use session::Session;

use self::candidate::{Candidate, Make};
use self::measure::{Conditions, Figure, Measure};
use self::report::Report;
use crate::cli::Globals;
use crate::failure::{Failure, Outcome};
use crate::output::complain;

const EXAMPLES: &str = "\
Examples:
  hearth bench broker                       everything, beside mosquitto and stock rumqttd
  hearth bench broker --only qos1 --rounds 5
  hearth bench broker --only trip,will --brokers hearth,mosquitto --json
  hearth bench broker --only idle --connections 1000

Mosquitto is looked for in PATH and /usr/sbin; stock rumqttd beside this program, once it is built:
  cargo build --release -p broker --example stock_rumqttd
A broker that is not there is left out.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BrokerArgs {
    /// Which brokers
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Make::ALL)]
    brokers: Vec<Make>,
    /// Measure only what has one of these words in its name
    #[arg(long, value_delimiter = ',', value_name = "WORD,…")]
    only: Vec<String>,
    /// How often everything is measured, but for idle connections, which are measured once
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long one measurement of throughput or round trips takes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Bytes of one payload, 8 at least
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(8..=16_384))]
    payload: u32,
    /// Idle connections
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    connections: u32,
    /// Another build of this program, to measure instead of this one
    #[arg(long, value_name = "FILE")]
    hearth: Option<PathBuf>,
    /// The program of mosquitto
    #[arg(long, value_name = "FILE")]
    mosquitto: Option<PathBuf>,
    /// The program of stock rumqttd
    #[arg(long, value_name = "FILE")]
    rumqttd: Option<PathBuf>,
    /// Connect with a will and wait to be killed
    #[arg(long, value_name = "ADDRESS:PORT", hide = true)]
    victim: Option<SocketAddr>,
}

pub(super) async fn broker(globals: &Globals, args: BrokerArgs) -> Outcome {
    if let Some(broker) = args.victim {
        return will::be_victim(broker);
    }
    let measures = wanted(&args.only)?;
    let candidates = candidates(&args)?;
    if measures.iter().any(|measure| measure.is_idle()) {
        idle::allow(args.connections as usize)?;
    }
    let conditions = Conditions {
        span: Duration::from_secs(args.seconds),
        payload: args.payload as usize,
        connections: args.connections as usize,
    };
    let runs: Vec<(u32, Measure)> = (1..=args.rounds)
        .flat_map(|round| measures.iter().map(move |&measure| (round, measure)))
        .filter(|(round, measure)| *round == 1 || !measure.is_idle())
        .collect();
    let progress = Progress::new((runs.len() * candidates.len()) as u64);
    let mut report = Report::default();
    for (round, measure) in runs {
        for candidate in &candidates {
            progress.next(round, measure, candidate.make);
            match run(candidate, measure, conditions).await {
                Ok(figures) => report.add(measure, candidate.make, figures),
                Err(failure) => report.failed(measure, candidate.make, &failure.to_string()),
            }
        }
    }
    progress.end();
    let makes: Vec<Make> = candidates.iter().map(|candidate| candidate.make).collect();
    if globals.json {
        report.print_json()
    } else {
        report.print(&makes)
    }
    Ok(())
}

async fn run(
    candidate: &Candidate,
    measure: Measure,
    conditions: Conditions,
) -> Outcome<Vec<Figure>> {
    let running = candidate.start().await?;
    let (address, pid) = (running.address, running.pid);
    // On a thread of its own. If we are stopped meanwhile the broker dies, and the clients' ends with it.
    let figures =
        tokio::task::spawn_blocking(move || measure.run(address, pid, conditions)).await?;
    running.stop().await?;
    figures
}

fn wanted(only: &[String]) -> Outcome<Vec<Measure>> {
    let all = Measure::all();
    let names = || all.iter().map(|measure| measure.name()).collect::<Vec<_>>().join(", ");
    let chosen = |measure: &Measure| {
        only.is_empty() || only.iter().any(|word| measure.name().contains(word.as_str()))
    };
    for word in only {
        if !all.iter().any(|measure| measure.name().contains(word.as_str())) {
            let text = format!("--only {word}: no measurement is called so, there are {}", names());
            return Err(Failure::usage(text));
        }
    }
    Ok(all.iter().copied().filter(chosen).collect())
}

fn candidates(args: &BrokerArgs) -> Outcome<Vec<Candidate>> {
    let mut found = Vec::new();
    for &make in &args.brokers {
        let path = match make {
            Make::Hearth => args.hearth.as_deref(),
            Make::Mosquitto => args.mosquitto.as_deref(),
            Make::Rumqttd => args.rumqttd.as_deref(),
        };
        match (Candidate::find(make, path), path) {
            (Some(candidate), _) => found.push(candidate),
            (None, Some(path)) => return Err(missing(make, path)),
            (None, None) => complain(format_args!("{} is not here and is left out", make.name())),
        }
    }
    Ok(found)
}

fn missing(make: Make, path: &Path) -> Failure {
    Failure::usage(format!("--{} {}: there is no such file", make.name(), path.display()))
}

/// How far it is: a bar on a terminal, else a line for every measurement.
struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    fn new(runs: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let look = "{prefix} {wide_bar} {human_pos}/{human_len}, {eta} left";
            let style = ProgressStyle::with_template(look);
            ProgressBar::new(runs)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar }
    }

    fn next(&self, round: u32, measure: Measure, make: Make) {
        let text = format!("round {round}: {} of {}", measure.name(), make.name());
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(text);
                bar.inc(1);
            }
            None => complain(text),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
