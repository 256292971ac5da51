//! A broker and three gateways, each a process that can be killed, stopped and started again.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use devices::relay::Relay;
use link::{Address, Requester};
use rustix::process::{Pid, Signal, kill_process};

/// The gateways' numbers.
pub(crate) const GATEWAYS: [u8; 3] = [1, 2, 3];

pub(crate) struct Home {
    folder: PathBuf,
    broker: Mutex<Option<Process>>,
    gateways: [Mutex<Option<Process>>; 3],
    networks: Vec<Relay>,
    /// The way of the clients to the broker; it is never cut.
    people: Relay,
}

/// A process that is killed when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Home {
    pub(crate) async fn start(seed: u64) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("linearizable-{seed}"));
        // What an earlier run with this seed left behind.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut networks = Vec::new();
        for _ in GATEWAYS {
            networks.push(Relay::start(None).await.unwrap());
        }
        let home = Self {
            folder,
            people: Relay::start(None).await.unwrap(),
            broker: Mutex::default(),
            gateways: Default::default(),
            networks,
        };
        home.start_broker();
        GATEWAYS.iter().for_each(|id| home.start_gateway(*id));
        home
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends every process and removes what they wrote; after a failure it stays, to be looked at.
    pub(crate) fn remove(self) {
        let folder = self.folder.clone();
        drop(self);
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// A client of the broker.
    pub(crate) async fn requester(&self, name: &str) -> Requester {
        Requester::connect(self.address(), name).await.unwrap()
    }

    /// Where clients find the broker.
    pub(crate) fn address(&self) -> Address {
        self.people.address().to_string().parse().unwrap()
    }

    pub(crate) fn network(&self, id: u8) -> &Relay {
        &self.networks[usize::from(id) - 1]
    }

    pub(crate) fn start_broker(&self) {
        let mut command = self.hearth("broker");
        command.args(["broker", "--bind", "127.0.0.1:0", "--data-dir"]).arg(&self.folder);
        command.stdout(Stdio::piped());
        let mut broker = Process(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(broker.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let place = line.trim().rsplit(' ').next().filter(|place| place.contains(':'));
        let place = place.unwrap_or_else(|| panic!("the broker printed {line:?}"));
        *self.broker.lock().unwrap() = Some(broker);
        self.point_at(Some(place));
    }

    pub(crate) fn kill_broker(&self) {
        self.point_at(None);
        self.broker.lock().unwrap().take();
    }

    /// Where everybody finds the broker: a new one has a new port, so that no port has to be free again.
    fn point_at(&self, broker: Option<&str>) {
        for relay in self.networks.iter().chain([&self.people]) {
            relay.point_at(broker.map(str::to_owned));
        }
    }

    pub(crate) fn start_gateway(&self, id: u8) {
        let broker = format!("mqtt://{}", self.network(id).address());
        let mut command = self.hearth(&format!("gateway-{id}"));
        command
            .args(["gateway", "--id", &id.to_string(), "--broker", &broker, "--threshold", "1"])
            .arg("--data-dir")
            .arg(&self.folder)
            .stdout(Stdio::null());
        *self.gateway(id).lock().unwrap() = Some(Process(command.spawn().unwrap()));
    }

    /// kill -9
    pub(crate) fn kill_gateway(&self, id: u8) {
        self.gateway(id).lock().unwrap().take();
    }

    /// SIGSTOP
    pub(crate) fn pause(&self, id: u8) {
        self.signal(id, Signal::STOP);
    }

    /// SIGCONT
    pub(crate) fn resume(&self, id: u8) {
        self.signal(id, Signal::CONT);
    }

    fn signal(&self, id: u8, signal: Signal) {
        let gateway = self.gateway(id).lock().unwrap();
        kill_process(Pid::from_child(&gateway.as_ref().unwrap().0), signal).unwrap();
    }

    fn gateway(&self, id: u8) -> &Mutex<Option<Process>> {
        &self.gateways[usize::from(id) - 1]
    }

    /// The program under test; what it says on standard error goes into a file.
    fn hearth(&self, name: &str) -> Command {
        let log = self.folder.join(format!("{name}.log"));
        let built = env!("CARGO_BIN_EXE_hearth").into();
        let mut command = Command::new(std::env::var_os("HEARTH_BINARY").unwrap_or(built));
        command
            .env_remove("HEARTH_CONFIG")
            .stdin(Stdio::null())
            .stderr(File::options().create(true).append(true).open(log).unwrap());
        command
    }
}
