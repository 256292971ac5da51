//! `hearth gateway`

use clap::Args;
use gateway::Settings;
use wire::{GatewayId, Site};

use crate::cli::{Globals, flag};
use crate::failure::{Failure, Outcome};
use crate::{names, stop};

const EXAMPLES: &str = "\
Examples:
  hearth gateway --id 1
  hearth gateway --id 2 --broker mqtt://192.168.1.5 --data-dir /var/lib/hearth
  hearth gateway --id 4 --voters 1,2,3,4,5,6 --serving 1,2,3 --leaders 6

All gateways of a site need the same serving and leaders.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GatewayArgs {
    /// Which gateway this is
    #[arg(long, value_name = "N")]
    id: Option<u8>,
    /// Folder of its SQLite file [default: hearth-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Devices that its cache holds; 0 for no cache [default: 16]
    #[arg(long, value_name = "N")]
    cache: Option<usize>,
    /// The gateways that begin a new site together, 1 to 7 of them [default: 1,2,3]
    #[arg(long, value_name = "N,…")]
    voters: Option<String>,
    /// The voters that own zones; the others stand by [default: all]
    #[arg(long, value_name = "N,…")]
    serving: Option<String>,
    /// Preferred leaders, the most preferred first
    #[arg(long, value_name = "N,…")]
    leaders: Option<String>,
    /// Devices that fill a gateway [default: 3]
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
    /// Applied slots of the log that are kept for gateways that were away [default: 65536]
    #[arg(long, value_name = "N")]
    log_keep: Option<u64>,
    /// Milliseconds after which a door closes; 0 at once, -1 never [default: 5000]
    #[arg(long, value_name = "MS", allow_negative_numbers = true)]
    door_closes_after: Option<i64>,
    /// Keep the vote although the file was moved or copied: it is the newest, and used nowhere else
    #[arg(long)]
    trust_file: bool,
    /// Print what happens, line by line, on standard output
    #[arg(long)]
    story: bool,
    /// Tell of every round of Paxos too
    #[arg(long)]
    rounds: bool,
}

pub(crate) async fn gateway(globals: &Globals, args: GatewayArgs) -> Outcome {
    let flags = [
        flag("--id", "gateway.id", args.id),
        flag("--data-dir", "gateway.data_dir", args.data_dir),
        flag("--cache", "gateway.cache", args.cache),
        flag("--voters", "gateway.voters", args.voters),
        flag("--serving", "gateway.serving", args.serving),
        flag("--leaders", "gateway.leaders", args.leaders),
        flag("--threshold", "gateway.threshold", args.threshold),
        flag("--log-keep", "gateway.log_keep", args.log_keep),
        flag("--door-closes-after", "gateway.door_closes_after_ms", args.door_closes_after),
        flag("--rounds", "gateway.rounds", args.rounds.then_some(true)),
        flag("--trust-file", "gateway.trust_file", args.trust_file.then_some(true)),
    ];
    let settings = globals.settings(flags.into_iter().flatten().collect())?;
    Ok(gateway::run(checked(settings, args.story)?, stop::requested(globals)).await?)
}

fn checked(settings: hearth_config::Settings, story: bool) -> Outcome<Settings> {
    let hearth_config::Settings { site, client, gateway, .. } = settings;
    let id = gateway.id.ok_or_else(|| {
        Failure::usage("which gateway is this? Say --id N, or set HEARTH_GATEWAY__ID")
    })?;
    Ok(Settings {
        site: Site::new(site).map_err(Failure::usage)?,
        id: GatewayId(id),
        voters: names::gateways(&gateway.voters),
        serving: names::gateways(&gateway.serving),
        leaders: names::gateways(&gateway.leaders),
        threshold: gateway.threshold,
        patience: gateway.patience,
        door_closes_after: gateway.door_closes_after,
        cache: gateway.cache,
        data_dir: gateway.data_dir,
        log_keep: gateway.log_keep,
        broker: names::address(&client)?,
        own_broker: gateway.own_broker,
        story,
        rounds: gateway.rounds,
        contention: gateway.contention,
        trust_file: gateway.trust_file,
    })
}
