//! The broker that is attacked, in a process of its own, whose memory is nobody else's.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]
#![allow(clippy::print_stdout, reason = "the line is how the process tells its address")]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use broker::{Access, Broker, Settings, Tls, WebSocket};

use crate::kit::Options;

/// Its value is how the broker differs from the defaults.
pub(crate) const VARIABLE: &str = "HEARTH_ATTACKED";

/// What the allocator keeps beside what is asked for, and the pages of code that are touched for the first time: half
/// as much again, and 16 MiB.
fn with_slack(bytes: usize) -> usize {
    bytes + bytes / 2 + 16 * MIB
}

pub(crate) const KIB: usize = 1024;
pub(crate) const MIB: usize = 1024 * KIB;

/// A running broker.
pub(crate) struct Victim {
    child: Child,
    pub(crate) addr: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
    pub(crate) websocket: Option<SocketAddr>,
    /// Resident before the attack.
    before: usize,
    log: Receiver<String>,
    started: Instant,
}

/// How long one waits for a line of the log.
const PATIENCE: Duration = Duration::from_secs(20);

impl Victim {
    /// Starts one with the defaults, but for `<limit>=<number>`, `tls=<folder>` and `users=<folder>`, separated by
    /// spaces.
    pub(crate) fn start(how: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(VARIABLE, how).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (tell, log) = channel();
        let said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        std::thread::spawn(move || said.for_each(|line| _ = tell.send(line)));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next().unwrap().unwrap();
        let mut addresses = ready.split(' ').map(|address| address.parse().unwrap());
        let addr = addresses.next().unwrap();
        let tls = how.contains("tls=").then(|| addresses.next().unwrap());
        let websocket = addresses.next();
        let mut victim =
            Self { child, addr, tls, websocket, before: 0, log, started: Instant::now() };
        // A first client, so that what every broker has once is not counted as the attack's.
        if !how.contains("users=") {
            victim.v5("first").connect().subscribe("first/+", 1);
        }
        victim.before = victim.resident("VmRSS");
        victim
    }

    pub(crate) fn v4(&self, id: &str) -> Options {
        Options::new(self.addr, id, false)
    }

    pub(crate) fn v5(&self, id: &str) -> Options {
        Options::new(self.addr, id, true)
    }

    /// Claims that the broker has never grown by more than so many bytes, with some slack.
    pub(crate) fn stays_below(&self, what: &str, bytes: usize) {
        let grown = self.resident("VmHWM").saturating_sub(self.before);
        let bound = with_slack(bytes);
        println!("{what}: grew by {} KiB, of {} KiB at most", grown / KIB, bound / KIB);
        assert!(grown <= bound, "{what}: grew by {grown} bytes, more than {bound}");
    }

    /// Claims that the broker has grown by no more than so many bytes for good.
    pub(crate) fn is_back_below(&self, bytes: usize) {
        let grown = self.resident("VmRSS").saturating_sub(self.before);
        println!("it kept {} KiB of that", grown / KIB);
        assert!(grown <= bytes, "{grown} bytes are still in use");
    }

    /// Waits until the log says something.
    pub(crate) fn has_logged(&self, what: &str) {
        let mut lines = std::iter::from_fn(|| self.log.recv_timeout(PATIENCE).ok());
        let found = lines.find(|line| line.contains(what));
        assert!(found.is_some(), "the log says nothing of {what:?}");
    }

    /// Claims that the log has named a refusal and its culprit, and did not do so for every refusal: two lines a
    /// minute, one of them with a count, however long the attack took.
    pub(crate) fn has_logged_once(&self, what: &str) {
        self.has_logged(what);
        let again = self.log.try_iter().filter(|line| line.contains(what)).count() as u64;
        let minutes = self.started.elapsed().as_secs() / 60;
        assert!(again <= 2 * minutes, "{again} more lines in {minutes} minutes say {what:?}");
    }

    /// One of the kernel's figures of the process, in bytes.
    fn resident(&self, figure: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * KIB
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Runs a broker until whoever started this process is gone.
pub(crate) fn serve(how: &str) {
    let settings = settings(how);
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::WARN)
        .init();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(async {
        let broker = Broker::bind(settings).await.unwrap();
        let addresses: Vec<_> =
            broker.addresses().map(|(address, _)| address.to_string()).collect();
        println!("{}", addresses.join(" "));
        let parent = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        broker.run(async { _ = parent.await }).await.unwrap();
    });
}

fn settings(how: &str) -> Settings {
    let mut settings = crate::running::settings();
    let limits = &mut settings.limits;
    for (name, value) in how.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        let number = || value.parse::<usize>().unwrap();
        match name {
            "connect_seconds" => limits.connect_timeout = Duration::from_secs(number() as u64),
            "grace_ms" => limits.gateway_grace = Duration::from_millis(number() as u64),
            "queue_bytes" => limits.queue_bytes = number(),
            "waiting_bytes" => limits.waiting_bytes = number(),
            "session_bytes" => limits.session_bytes = number(),
            "wildcard_filters" => limits.wildcard_filters = number(),
            "retained_messages" => limits.retained_messages = number(),
            "sessions" => limits.sessions = number(),
            "connections" => limits.connections = number(),
            "gateway_connections" => limits.gateway_connections = number(),
            "websocket" => {
                let bind = "127.0.0.1:0".to_owned();
                settings.websocket = Some(WebSocket { bind, tls: false });
            }
            "users" => settings.access = Access { users: Some(value.into()), ..Access::default() },
            "tls" => {
                let file = |name: &str| Path::new(value).join(name);
                settings.tls = Some(Tls {
                    bind: Some("127.0.0.1:0".to_owned()),
                    certificate: file("server.crt"),
                    key: file("server.key"),
                    client_ca: None,
                    client_required: false,
                });
            }
            other => panic!("{other} is not a limit that an attack changes"),
        }
    }
    settings
}
