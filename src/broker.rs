//! `hearth broker`

pub(crate) mod residents;
mod roles;
mod sessions;
mod users;

use std::io::Write;
use std::time::{Duration, SystemTime};

use broker::{Access, Broker, Reloader, Settings};
use clap::{Args, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Globals, flag};
use crate::failure::Outcome;
use crate::output::out;
use crate::stop;

const EXAMPLES: &str = "\
Examples:
  hearth broker                         on 127.0.0.1:1883, for this machine only
  hearth broker --bind 127.0.0.1:0      on any free port, which it prints
  hearth broker user add ada --role admin
  hearth broker --bind 0.0.0.0:1883     for all users on the network, once there are any
  hearth broker roles                   who may do what

At SIGHUP it reads the files of users, roles and certificates again.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct BrokerArgs {
    #[command(subcommand)]
    command: Option<BrokerCommand>,
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

#[derive(Debug, Subcommand)]
enum BrokerCommand {
    /// Add, change, remove or list the users
    User(users::UserArgs),
    /// Print the roles: who may do what
    Roles,
    /// List the broker's sessions, or end one
    Sessions(sessions::SessionsArgs),
}

/// What the broker prints before its address, for people and for whoever started it.
pub(crate) const LISTENING: &str = "broker listening on ";

pub(crate) async fn broker(globals: &Globals, args: BrokerArgs) -> Outcome {
    match args.command {
        Some(BrokerCommand::User(user)) => return users::users(globals, user).await,
        Some(BrokerCommand::Roles) => return roles::roles(globals),
        Some(BrokerCommand::Sessions(args)) => return sessions::sessions(globals, args).await,
        None => {}
    }
    let flags = [
        flag("--bind", "broker.bind", args.bind),
        flag("--id", "broker.id", args.id),
        flag("--data-dir", "broker.data_dir", args.data_dir),
    ];
    let settings = globals.settings(flags.into_iter().flatten().collect())?;
    // Before anyone can know that it runs.
    let hangups = signal(SignalKind::hangup())?;
    let broker = Broker::bind(checked(settings)).await?;
    for (address, speaks) in broker.addresses() {
        // The plain one, if there is one, is the first, which whoever started this process reads.
        let speaks = if speaks == "tcp" { String::new() } else { format!(" for {speaks}") };
        out!("{LISTENING}{address}{speaks}");
    }
    let reloader = broker.reloader();
    tokio::select! {
        ended = broker.run(stop::asked(globals.stop_with_stdin)) => ended?,
        never = reload(hangups, reloader) => never?,
    }
    Ok(())
}

/// Reads the files again at every SIGHUP.
async fn reload(mut hangups: Signal, reloader: Reloader) -> Outcome {
    while hangups.recv().await.is_some() {
        match reloader.reload() {
            Ok(()) => say("users, roles and certificates are read again"),
            Err(error) => say(&format!("users, roles and certificates stay as they were: {error}")),
        }
    }
    Ok(())
}

/// Says something, whether or not anyone reads it: a broker does not end because nobody does.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "hearth: {what}");
}

fn checked(settings: hearth_config::Settings) -> Settings {
    let hearth_config::Settings { site, broker, .. } = settings;
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
        sys_interval: broker.sys_interval,
        metrics: broker.metrics,
        access: Access { users: broker.users, roles: broker.roles, residents: residents::given() },
        tls: broker.tls,
        websocket: broker.websocket,
        limits: broker.limits,
    }
}
