//! `hearth bench`: what a home of our own, and its broker, achieve on this machine.

mod broker;
mod failover;
mod flood;
mod set;

use std::path::Path;

use clap::{Args, Subcommand};
use hearth_config::Settings;

use crate::cli::{Globals, flag};
use crate::failure::{Failure, Outcome};
use crate::home::Blueprint;
use crate::run::Story;
use crate::stop;

const EXAMPLES: &str = "\
Examples:
  hearth bench failover                     kill the owner of a zone, 20 times
  hearth bench failover --how cut --trials 5
  hearth bench set --clients 1,64 --seconds 10
  hearth bench flood                        reports at QoS 1 beside 15,000 a second at QoS 0
  hearth bench broker                       the broker beside mosquitto and stock rumqttd";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Time from the loss of a zone's owner to the first answer of the next one
    Failover(failover::FailoverArgs),
    /// Reports at QoS 1 while their zone is flooded at QoS 0
    Flood(flood::FloodArgs),
    /// Agreed writes per second, and how long one takes
    Set(set::SetArgs),
    /// The broker beside others: throughput, round trips, idle connections, wills
    Broker(broker::BrokerArgs),
}

/// Measures until the end, Ctrl-C or SIGTERM; either way no process is left behind.
pub(crate) async fn bench(globals: &Globals, args: BenchArgs) -> Outcome {
    tokio::select! {
        outcome = measure(globals, args.what) => outcome,
        () = stop::requested(globals) => Err(Failure::failed("stopped before the end")),
    }
}

async fn measure(globals: &Globals, what: What) -> Outcome {
    let folder = tempfile::TempDir::with_prefix("hearth-bench-")?;
    let blueprint =
        || -> Outcome<Blueprint> { Ok(Blueprint::new(globals, settings(globals, folder.path())?)) };
    let story = Story::new(true);
    match what {
        What::Failover(args) => failover::failover(globals, args, blueprint()?, &story).await,
        What::Flood(args) => flood::flood(globals, args, blueprint()?, &story).await,
        What::Set(args) => set::set(globals, args, blueprint()?, &story).await,
        What::Broker(args) => broker::broker(globals, args).await,
    }
}

fn settings(globals: &Globals, folder: &Path) -> Outcome<Settings> {
    let keys = ["broker.data_dir", "gateway.data_dir"];
    let flags = keys.map(|key| flag("hearth bench", key, Some(folder.display())));
    globals.settings(flags.into_iter().flatten().collect())
}
