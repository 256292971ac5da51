//! Reports at QoS 1 while another device of the same zone floods it at QoS 0.

use std::collections::BTreeSet;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use gateway::inspect;
use hearth_config::Address;
use serde_json::json;

use super::broker::{PUBACK, Packet, Session, report};
use crate::cli::Globals;
use crate::failure::{Failure, Outcome};
use crate::home::{Blueprint, Home};
use crate::output::{self, out};
use crate::run::Story;

const EXAMPLES: &str = "\
Examples:
  hearth bench flood
  hearth bench flood --rate 15000 --clients 64 --seconds 20";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct FloodArgs {
    /// Devices that report at QoS 1, each of them one report at a time
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Reports at QoS 0 that another device sends each second
    #[arg(long, default_value_t = 15_000)]
    rate: u64,
    /// How long each of the two measurements takes: without the flood, and with it
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// How often the flood sends what is due.
const EVERY: Duration = Duration::from_millis(5);

/// The reports of one measurement, each by the time until its PUBACK.
#[derive(Debug, Default)]
struct Reports(Vec<(Duration, String)>);

/// What was measured.
#[derive(Debug)]
struct Figures {
    quiet: Reports,
    loud: Reports,
    /// Reports at QoS 0 that were sent meanwhile.
    sent: u64,
}

pub(super) async fn flood(
    globals: &Globals,
    args: FloodArgs,
    blueprint: Blueprint,
    story: &Story,
) -> Outcome {
    if args.clients == 0 || args.seconds == 0 {
        return Err(Failure::usage("a measurement needs at least one client and one second"));
    }
    let (home, client) = Home::start(blueprint, story.lines()).await?;
    let broker = resolve(&home.blueprint.settings.client.broker)?;
    let folder = home.blueprint.settings.gateway.data_dir.clone();
    let span = Duration::from_secs(args.seconds);
    let measured = tokio::task::spawn_blocking(move || measure(broker, &args));
    let figures = measured.await.map_err(|error| Failure::failed(error.to_string()))??;
    client.close().await;
    home.stop().await;
    let lost = lost(&folder, &figures)?;
    print(globals, &figures, lost, span);
    match lost {
        0 => Ok(()),
        lost => Err(Failure::failed(format!("{lost} acknowledged reports are in no history"))),
    }
}

fn measure(broker: SocketAddr, args: &FloodArgs) -> Outcome<Figures> {
    let span = Duration::from_secs(args.seconds);
    // The zone has an owner, and every device is known, before anything is measured.
    reports(broker, args.clients, "w", Duration::from_millis(500))?;
    let quiet = reports(broker, args.clients, "q", span)?;
    let over = AtomicBool::new(false);
    let (loud, sent) = thread::scope(|scope| {
        let flood = scope.spawn(|| send_flood(broker, args.rate, &over));
        let loud = reports(broker, args.clients, "l", span);
        over.store(true, Ordering::Relaxed);
        (loud, flood.join())
    });
    let sent = sent.map_err(|_| Failure::failed("the flood failed"))??;
    Ok(Figures { quiet, loud: loud?, sent })
}

/// Every client reports, one report at a time.
fn reports(broker: SocketAddr, clients: usize, prefix: &str, span: Duration) -> Outcome<Reports> {
    let began = Instant::now();
    let all: Vec<Outcome<Reports>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|number| scope.spawn(move || reports_of(broker, number, prefix, began + span)))
            .collect();
        let joined = clients.into_iter().map(|client| {
            client.join().unwrap_or_else(|_| Err(Failure::failed("a client failed")))
        });
        joined.collect()
    });
    let mut together = Reports::default();
    for one in all {
        together.0.extend(one?.0);
    }
    together.0.sort();
    Ok(together)
}

fn reports_of(broker: SocketAddr, client: usize, prefix: &str, until: Instant) -> Outcome<Reports> {
    let mut session = Session::open(broker, &format!("bench-meter-{client}"))?;
    let topic = format!("home/flood/meter-{client}/report");
    let mut reports = Reports::default();
    for number in 0_u64.. {
        if Instant::now() >= until {
            break;
        }
        let state = format!("{prefix}{client}-{number}");
        let sent = Instant::now();
        session.send(&report(&topic, 1, &state))?;
        session.receive(|packet| match packet {
            Packet::Step(PUBACK, _) => Ok(()),
            other => Err(Failure::failed(format!("instead of a PUBACK came {other:?}"))),
        })??;
        reports.0.push((sent.elapsed(), state));
    }
    Ok(reports)
}

/// Sends what is due until it is over; how many that were.
fn send_flood(broker: SocketAddr, rate: u64, over: &AtomicBool) -> Outcome<u64> {
    let mut session = Session::open(broker, "bench-flood")?;
    let (began, mut sent) = (Instant::now(), 0);
    while !over.load(Ordering::Relaxed) {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        let mut bytes = Vec::new();
        while sent < due {
            bytes.extend(report("home/flood/loud/report", 0, &format!("f{sent}")));
            sent += 1;
        }
        session.send(&bytes)?;
        thread::sleep(EVERY);
    }
    Ok(sent)
}

/// Acknowledged reports that are in no gateway's history.
fn lost(folder: &Path, figures: &Figures) -> Outcome<usize> {
    let known = histories(folder).map_err(|error| Failure::failed(error.to_string()))?;
    let all = figures.quiet.0.iter().chain(&figures.loud.0);
    Ok(all.filter(|(_, state)| !known.contains(state)).count())
}

/// All states in the gateways' files.
fn histories(folder: &Path) -> Result<BTreeSet<String>, inspect::Error> {
    let mut known = BTreeSet::new();
    for id in 1..=3 {
        let file = inspect::read(&inspect::file(folder, id))?;
        known.extend(file.history.into_iter().map(|row| row.state));
    }
    Ok(known)
}

fn print(globals: &Globals, figures: &Figures, lost: usize, span: Duration) {
    let rate = |count: usize| count as f64 / span.as_secs_f64();
    let (quiet, loud) = (rate(figures.quiet.0.len()), rate(figures.loud.0.len()));
    let flood = figures.sent as f64 / span.as_secs_f64();
    if globals.json {
        return output::json(&json!({
            "quiet": quiet, "flooded": loud, "ratio": loud / quiet, "flood": flood, "lost": lost,
            "quiet_p99_us": figures.quiet.at(0.99).as_micros(),
            "flooded_p99_us": figures.loud.at(0.99).as_micros(),
        }));
    }
    for (when, reports, rate) in
        [("quiet", &figures.quiet, quiet), ("in the flood", &figures.loud, loud)]
    {
        let (p50, p99) = (reports.at(0.5), reports.at(0.99));
        out!("{when}: {rate:.0} reports a second at QoS 1, p50 {p50:.1?}, p99 {p99:.1?}");
    }
    let share = 100.0 * loud / quiet;
    out!("{flood:.0} reports a second at QoS 0 left {share:.0} %; {lost} acknowledged ones lost");
}

fn resolve(address: &Address) -> Outcome<SocketAddr> {
    let mut found = (address.host.as_str(), address.port).to_socket_addrs()?;
    found.next().ok_or_else(|| Failure::failed(format!("{} is no machine", address.host)))
}

impl Reports {
    /// So many of all took no longer than this.
    fn at(&self, share: f64) -> Duration {
        let at = (self.0.len() as f64 * share) as usize;
        self.0.get(at).map_or(Duration::ZERO, |(time, _)| *time)
    }
}
