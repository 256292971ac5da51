//! Agreed writes per second through the broker.

use std::time::Duration;

use clap::Args;
use devices::fleet::{Fleet, Responders, Settings, Summary, Until, What};
use link::Retry;
use serde_json::json;
use wire::Site;

use crate::cli::Globals;
use crate::failure::{Failure, Outcome};
use crate::home::{Blueprint, Home};
use crate::names;
use crate::output::{self, out};
use crate::run::Story;

const EXAMPLES: &str = "\
Examples:
  hearth bench set
  hearth bench set --clients 1,8,64 --seconds 5
  hearth bench set --get                    queries instead of orders";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct SetArgs {
    /// Numbers of clients, one measurement each; every client waits for its answer
    #[arg(long, value_delimiter = ',', default_value = "1,64", value_name = "N,…")]
    clients: Vec<usize>,
    /// How long one measurement takes
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Devices that are switched
    #[arg(long, default_value_t = 64)]
    devices: usize,
    /// Devices in one zone
    #[arg(long, default_value_t = 8)]
    per_zone: usize,
    /// Ask for states instead of giving orders
    #[arg(long)]
    get: bool,
}

/// How long the devices may take to register.
const REGISTERING: Duration = Duration::from_secs(60);

pub(super) async fn set(
    globals: &Globals,
    args: SetArgs,
    blueprint: Blueprint,
    story: &Story,
) -> Outcome {
    if args.clients.contains(&0) || args.devices == 0 {
        return Err(Failure::usage("a measurement needs at least one client and one device"));
    }
    let (home, client) = Home::start(blueprint, story.lines()).await?;
    let settings = &home.blueprint.settings;
    let address = names::address(&settings.client)?;
    let site = Site::new(settings.site.as_str()).map_err(Failure::usage)?;
    let crowd = Responders::start(&address, &site, args.devices, args.per_zone, REGISTERING).await;
    let crowd = crowd.map_err(Failure::no_answer)?;
    let what = if args.get { What::Get } else { What::Set };
    for clients in args.clients {
        if !globals.json {
            out!("{clients} clients, {} s …", args.seconds);
        }
        let summary = Fleet::run(Settings {
            address: address.clone(),
            site: site.clone(),
            devices: crowd.devices().to_vec(),
            clients,
            until: Until::Elapsed(Duration::from_secs(args.seconds)),
            what,
            retry: Retry::default(),
        })
        .await
        .map_err(Failure::no_answer)?;
        print(globals, clients, &summary);
    }
    crowd.stop().await;
    client.close().await;
    home.stop().await;
    Ok(())
}

fn print(globals: &Globals, clients: usize, summary: &Summary) {
    if globals.json {
        return output::json(&json!({
            "clients": clients, "answers": summary.count, "seconds": summary.seconds,
            "p50_us": summary.p50, "p99_us": summary.p99, "max_us": summary.max,
            "errors": summary.errors, "last_error": summary.last_error,
        }));
    }
    out!("{clients} clients: {summary}");
    if let Some(error) = &summary.last_error {
        out!("  the last error: {error}");
    }
}
