//! The command line: the subcommands, and what all of them share.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use hearth_config::{Flag, Settings, Sources};

use crate::failure::{Failure, Outcome};
use crate::{
    bench, broker, device, dump, gateway, get, health, history, log, recover, run, set, up, user,
    verify, voters, watch,
};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it was tried and failed
  2  the command line or the settings make no sense
  3  the broker or the gateways did not answer

Settings come from the defaults, then the file of --config, then HEARTH_* variables, then flags.
The file config/default.toml explains every one.";

/// Warnings; but a client that ends its own connection need not warn of that.
const DEFAULT_LOG: &str = "warn,link::request=error";

const EXAMPLES: &str = "\
Examples:
  hearth                              play the scenario in which a gateway crashes
  hearth up --devices                 keep a home running, with five simulated devices
  hearth status                       the home at a glance
  hearth set bedroom/smartBulb ON     switch a device
  hearth run config/scenarios/seed.events 2 3
";

/// A fault-tolerant MQTT home: broker, replicated gateways, devices, and the tools to use them.
///
/// Without a subcommand it plays config/scenarios/crash.events: two gateways serve five devices, one of the
/// gateways is killed, and the report shows that nothing was lost.
#[derive(Debug, Parser)]
#[command(name = "hearth", version, after_help = EXIT_CODES, before_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every subcommand understands.
#[derive(Clone, Debug, Args)]
pub(crate) struct Globals {
    /// The broker [default: mqtt://127.0.0.1:1883]
    #[arg(long, global = true, value_name = "URL")]
    broker: Option<String>,
    /// Name of the home [default: home]
    #[arg(long, global = true, value_name = "NAME")]
    site: Option<String>,
    /// File with settings; config/default.toml shows them all
    #[arg(long, global = true, value_name = "FILE", env = "HEARTH_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to log on standard error: error, warn, info, debug, trace, or a filter
    #[arg(long, global = true, value_name = "LEVEL", env = "HEARTH_LOG", default_value = DEFAULT_LOG)]
    pub(crate) log: String,
    /// Stop when standard input ends: a child then never outlives whoever started it
    #[arg(long, global = true, hide = true)]
    pub(crate) stop_with_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keep a home running: broker, gateways and, if wanted, simulated devices
    Up(up::UpArgs),
    /// Play a scenario from an event file and report
    Run(run::RunArgs),
    /// Show leader, gateways, zones and devices at a glance
    Status,
    /// List the devices with their states
    Devices,
    /// Ask for the state of a device
    Get(get::GetArgs),
    /// Order a device to change
    Set(set::SetArgs),
    /// Print states as they change
    Watch(watch::WatchArgs),
    /// Show agreed changes with time, clock and owner
    History(history::HistoryArgs),
    /// Show the numbered event log, of the leader or of one gateway
    Log(log::LogArgs),
    /// Show who votes; give a gateway a vote, or take it away
    Voters(voters::VotersArgs),
    /// Print what a gateway's file holds, without asking the gateway
    Dump(dump::DumpArgs),
    /// Compare the rows of all gateways' files
    Verify(verify::VerifyArgs),
    /// Go on with one gateway's file after a majority was lost for ever
    Recover(recover::RecoverArgs),
    /// Check that the broker, and a gateway, answer (for container health checks)
    Health(health::HealthArgs),
    /// Run the broker
    Broker(broker::BrokerArgs),
    /// Run one gateway
    Gateway(gateway::GatewayArgs),
    /// Run one simulated device
    Device(device::DeviceArgs),
    /// Act as the user of the simulated devices
    User(user::UserArgs),
    /// Measure failover and throughput
    Bench(bench::BenchArgs),
}

impl Globals {
    /// The settings, with the flags of this command line laid over them.
    pub(crate) fn settings(&self, flags: Vec<Flag>) -> Outcome<Settings> {
        let mut sources = Sources::from_environment();
        sources.file.clone_from(&self.config);
        sources.flags = flags;
        let shared = [("--broker", "client.broker", &self.broker), ("--site", "site", &self.site)];
        for (flag, key, value) in shared {
            if let Some(value) = value {
                sources.flags.push(Flag { flag, key, value: value.clone() });
            }
        }
        sources.load().map_err(Failure::usage)
    }
}

/// A flag that sets `key`, if it was given.
pub(crate) fn flag(
    flag: &'static str,
    key: &'static str,
    value: Option<impl ToString>,
) -> Option<Flag> {
    value.map(|value| Flag { flag, key, value: value.to_string() })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_explains_itself_with_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let plain = ["status", "devices"].contains(&command.get_name());
            assert!(plain || help.contains("hearth "), "{} has no examples", command.get_name());
        }
    }
}
