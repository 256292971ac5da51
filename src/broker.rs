//! `hearth broker`

use std::time::{Duration, SystemTime};

use broker::{Broker, Limits, Settings};
use clap::Args;

use crate::cli::{Globals, flag};
use crate::failure::Outcome;
use crate::output::out;
use crate::stop;

const EXAMPLES: &str = "\
Examples:
  hearth broker                         on 127.0.0.1:1883, for this machine only
  hearth broker --bind 0.0.0.0:1883     for everyone on the network
  hearth broker --bind 127.0.0.1:0      on any free port, which it prints";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BrokerArgs {
    /// Address and port to listen on [default: 127.0.0.1:1883]
    #[arg(long, value_name = "ADDRESS:PORT")]
    bind: Option<String>,
    /// Number of this broker within the site [default: 1]
    #[arg(long, value_name = "N")]
    id: Option<u16>,
    /// Folder of the broker's file, or "" to keep nothing [default: hearth-data]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
}

/// What the broker prints before its address, for people and for whoever started it.
pub(crate) const LISTENING: &str = "broker listening on ";

pub(crate) async fn broker(globals: &Globals, args: BrokerArgs) -> Outcome {
    let flags = [
        flag("--bind", "broker.bind", args.bind),
        flag("--id", "broker.id", args.id),
        flag("--data-dir", "broker.data_dir", args.data_dir),
    ];
    let settings = globals.settings(flags.into_iter().flatten().collect())?;
    let broker = Broker::bind(checked(settings)).await?;
    out!("{LISTENING}{}", broker.local_addr());
    broker.run(stop::requested(globals)).await?;
    Ok(())
}

fn checked(settings: hearth_config::Settings) -> Settings {
    let hearth_config::Settings { site, broker, .. } = settings;
    let limits = broker.limits;
    // Start times differ between the lives of a broker without a file, unless its clock is set back.
    let started =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Settings {
        bind: broker.bind,
        site,
        broker_id: broker.id,
        incarnation: u64::try_from(started.as_millis()).unwrap_or(u64::MAX),
        durable_ack: broker.durable_ack,
        data_dir: broker.data_dir,
        limits: Limits {
            connections: limits.connections,
            sessions: limits.sessions,
            packet_bytes: limits.packet_bytes,
            queue_messages: limits.queue_messages,
            queue_bytes: limits.queue_bytes,
            inflight: limits.inflight,
            receive_maximum: limits.receive_maximum,
            subscriptions: limits.subscriptions,
            wildcard_filters: limits.wildcard_filters,
            retained_messages: limits.retained_messages,
            retained_bytes: limits.retained_bytes,
            zone_messages: limits.zone_messages,
            zone_qos0: limits.zone_qos0,
            zone_bytes: limits.zone_bytes,
            connect_timeout: limits.connect_timeout,
            write_timeout: limits.write_timeout,
            announce_every: limits.announce_every,
            gateway_grace: limits.gateway_grace,
        },
    }
}
