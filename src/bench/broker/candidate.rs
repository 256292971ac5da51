//! The brokers that are measured: each run gets a fresh process on a free port of the loopback.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use clap::ValueEnum;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::session::{PATIENCE, Session};
use crate::failure::{Failure, Outcome};

/// Whose broker it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Make {
    /// This program, as `hearth broker` with its defaults
    Hearth,
    /// Eclipse Mosquitto
    Mosquitto,
    /// Stock rumqttd, from broker/examples/stock_rumqttd.rs
    Rumqttd,
}

impl Make {
    pub(super) const ALL: [Self; 3] = [Self::Hearth, Self::Mosquitto, Self::Rumqttd];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hearth => "hearth",
            Self::Mosquitto => "mosquitto",
            Self::Rumqttd => "rumqttd",
        }
    }
}

/// A broker that can be started.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) make: Make,
    program: PathBuf,
}

/// All clients come from one address here; Hearth's own bound is for strangers.
const HEARTH: [(&str, &str); 2] = [
    ("HEARTH_BROKER__LIMITS__CONNECTIONS", "20100"),
    ("HEARTH_BROKER__LIMITS__CONNECTIONS_PER_ADDRESS", "20100"),
];

/// Mosquitto drops what goes beyond its bounds; here it shall not. Nagle's algorithm would add 40 ms to every
/// QoS 1 round trip.
const MOSQUITTO: &str = "\
allow_anonymous true
set_tcp_nodelay true
max_inflight_messages 0
max_queued_messages 0
log_type error
log_type warning
";

impl Candidate {
    /// Looks for the program: at `path` if that is given, else where its make usually is.
    pub(super) fn find(make: Make, path: Option<&Path>) -> Option<Self> {
        let own = std::env::current_exe().ok()?;
        let program = match (make, path) {
            (_, Some(path)) => path.to_owned(),
            (Make::Hearth, None) => own,
            (Make::Mosquitto, None) => search_path("mosquitto")?,
            (Make::Rumqttd, None) => own.parent()?.join("examples/stock_rumqttd"),
        };
        program.is_file().then_some(Self { make, program })
    }

    /// Starts it and waits until it answers.
    pub(super) async fn start(&self) -> Outcome<Running> {
        let folder = TempDir::with_prefix("hearth-bench-broker-")?;
        let address = free_address()?;
        let mut command = Command::new(&self.program);
        match self.make {
            Make::Hearth => {
                command.args(["--stop-with-stdin", "broker", "--bind", &address.to_string()]);
                command.envs(HEARTH);
            }
            Make::Mosquitto => {
                let file = folder.path().join("mosquitto.conf");
                let listener = format!("listener {} {}\n", address.port(), address.ip());
                std::fs::write(&file, listener + MOSQUITTO)?;
                command.arg("-c").arg(file);
            }
            Make::Rumqttd => {
                command.arg(address.to_string());
            }
        }
        command.current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::null());
        let process = command.kill_on_drop(true).spawn().map_err(|error| {
            Failure::failed(format!("cannot start {}: {error}", self.program.display()))
        })?;
        let pid = process.id().unwrap_or_default();
        let mut running = Running { make: self.make, address, pid, process, _folder: folder };
        running.answers().await?;
        Ok(running)
    }
}

/// A broker that runs; dropping it kills it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) make: Make,
    pub(super) address: SocketAddr,
    pub(super) pid: u32,
    process: Child,
    _folder: TempDir,
}

impl Running {
    async fn answers(&mut self) -> Outcome {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait()? {
                return Err(Failure::failed(format!("{} ended: {status}", self.make.name())));
            }
            if Session::open(self.address, "bench-first").is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(Failure::no_answer(format!("{} does not answer", self.make.name())))
    }

    pub(super) async fn stop(mut self) -> Outcome {
        Ok(self.process.kill().await?)
    }
}

/// Resident memory of a process, in KiB.
pub(super) fn resident(pid: u32) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    number.ok_or_else(|| Failure::failed("the system does not say how much memory a broker has"))
}

/// Processor time that a process has used, of all its threads, in user and system mode.
pub(super) fn processor_time(pid: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; after it come fields 3, 4, …
    let fields: Vec<&str> =
        stat.rsplit_once(") ").map_or(Vec::new(), |(_, rest)| rest.split(' ').collect());
    let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<u64>().ok());
    match (ticks(14), ticks(15)) {
        (Some(user), Some(system)) => {
            let per_second = rustix::param::clock_ticks_per_second();
            Ok(Duration::from_secs_f64((user + system) as f64 / per_second as f64))
        }
        _ => Err(Failure::failed("the system does not say how long a broker has worked")),
    }
}

fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn search_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian puts it there, and that is not on everybody's path.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
