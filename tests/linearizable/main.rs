//! Clients of a real home write and read while its processes are killed and stopped and its network
//! is cut. What they saw must be linearizable, and every acknowledged order must stand in every
//! replica's history exactly once.
//!
//! A home is a broker and three gateways, each a process; each gateway reaches the broker through a
//! proxy of its own. The faults follow from a seed, which is printed. The moments at which processes
//! do things do not, so a seed tells what was done to the home, not what came of it.
//!
//! ```text
//! HEARTH_LINEAR_SECONDS=1800 HEARTH_LINEAR_SEED=7 \
//!     cargo test --release --test linearizable -- --nocapture
//! ```

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

mod clients;
mod faults;
mod files;
mod flood;
mod home;
mod replicas;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::clients::Clients;
use crate::faults::Faults;
use crate::home::Home;

/// How long the faults go on, unless `HEARTH_LINEAR_SECONDS` says otherwise.
const SECONDS: u64 = 18;

/// How long anything may take before the test gives up on it. Never a measure.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_see_while_processes_die_and_networks_are_cut_is_linearizable() {
    let seconds = setting("HEARTH_LINEAR_SECONDS").unwrap_or(SECONDS);
    let seed = setting("HEARTH_LINEAR_SEED").unwrap_or_else(fresh_seed);
    println!("HEARTH_LINEAR_SEED={seed} HEARTH_LINEAR_SECONDS={seconds}");
    let home = Home::start(seed).await;
    let clients = Clients::start(&home, seed).await;
    let end = Instant::now() + Duration::from_secs(seconds);
    let faults = Faults::new(&home, &clients, seed, seconds).run(end).await;
    let record = clients.stop().await;

    let verdict = linear::check(&record.operations);
    let checked = verdict.unwrap_or_else(|violation| {
        let file = home.folder().join("history.jsonl");
        std::fs::write(&file, linear::json_lines(&record.operations)).unwrap();
        panic!("{violation}\nall operations: {}\nseed {seed}", file.display())
    });
    let orders = replicas::check(home, &record).await;
    println!(
        "{} operations on {} keys are linearizable, {} of them writes of unknown outcome; {} failed \
         reads, {orders} agreed orders; faults: {faults}",
        checked.operations, checked.keys, checked.unknown, record.failed_reads
    );
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}
