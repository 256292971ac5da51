//! The broker that is attacked, in a process of its own, whose memory is nobody else's.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]
#![allow(clippy::print_stdout, reason = "the line is how the process tells its address")]

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use broker::{Broker, Settings, Tls};

use crate::kit::Options;

/// Its value is how the broker differs from the defaults.
pub(crate) const VARIABLE: &str = "HEARTH_ATTACKED";

/// What the allocator keeps beside what is asked for, and the pages of code that are touched for the first time: half as
/// much again, and 16 MiB.
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
    /// Resident before the attack.
    before: usize,
}

impl Victim {
    /// Starts one with the defaults, but for `<limit>=<number>` and `tls=<folder>`, separated by spaces.
    pub(crate) fn start(how: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(VARIABLE, how).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next().unwrap().unwrap();
        let mut addresses = ready.split(' ').map(|address| address.parse().unwrap());
        let (addr, tls) = (addresses.next().unwrap(), addresses.next());
        let mut victim = Self { child, addr, tls, before: 0 };
        // A first client, so that what every broker has once is not counted as the attack's.
        victim.v5("first").connect().subscribe("first/+", 1);
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
            "queue_bytes" => limits.queue_bytes = number(),
            "waiting_bytes" => limits.waiting_bytes = number(),
            "session_bytes" => limits.session_bytes = number(),
            "sessions" => limits.sessions = number(),
            "tls" => {
                let file = |name: &str| std::path::Path::new(value).join(name);
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
