//! The `hearth` command: one file per subcommand, and behind it the parts that do the work.

mod bench;
mod broker;
mod children;
mod cli;
mod client;
mod device;
mod devices;
mod dump;
mod failure;
mod gateway;
mod get;
mod health;
mod history;
mod home;
mod journal;
mod log;
mod names;
mod output;
mod recover;
mod run;
mod set;
mod status;
mod stop;
mod table;
mod trouble;
mod up;
mod user;
mod verify;
mod voters;
mod watch;
mod words;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use cli::{Cli, Command, Globals};
use failure::Outcome;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match runtime(&cli) {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(format_args!("hearth: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(carry_out(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(format_args!("hearth: {failure}"));
            failure.exit_code()
        }
    }
}

/// Cores up to which a broker serves its clients with one thread. 2: a second thread would take the core from whoever
/// talks to the broker, and most of what it could do it would wait for the lock of the first.
const CORES_FOR_ONE_THREAD: usize = 2;

fn runtime(cli: &Cli) -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let alone = matches!(cli.command, Some(Command::Broker(_))) && cores <= CORES_FOR_ONE_THREAD;
    let mut builder =
        if alone { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.enable_all().build()
}

async fn carry_out(cli: Cli) -> Outcome {
    journal::start(&cli.globals.log)?;
    let globals: &Globals = &cli.globals;
    match cli.command {
        None => run::default_scenario(globals).await,
        Some(Command::Up(args)) => up::up(globals, args).await,
        Some(Command::Run(args)) => run::run(globals, args).await,
        Some(Command::Status) => status::status(globals).await,
        Some(Command::Devices) => devices::devices(globals).await,
        Some(Command::Voters(args)) => voters::voters(globals, args).await,
        Some(Command::Get(args)) => get::get(globals, args).await,
        Some(Command::Set(args)) => set::set(globals, args).await,
        Some(Command::Watch(args)) => watch::watch(globals, args).await,
        Some(Command::History(args)) => history::history(globals, args).await,
        Some(Command::Log(args)) => log::log(globals, args).await,
        Some(Command::Dump(args)) => dump::dump(globals, &args),
        Some(Command::Recover(args)) => recover::recover(globals, &args),
        Some(Command::Verify(args)) => verify::verify(globals, &args).await,
        Some(Command::Health(args)) => health::health(globals, args).await,
        Some(Command::Broker(args)) => broker::broker(globals, args).await,
        Some(Command::Gateway(args)) => gateway::gateway(globals, args).await,
        Some(Command::Device(args)) => device::device(globals, args).await,
        Some(Command::User(args)) => user::user(globals, args).await,
        Some(Command::Bench(args)) => bench::bench(globals, args).await,
    }
}
