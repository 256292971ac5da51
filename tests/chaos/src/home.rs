//! A broker and three gateways, each a process that can be killed, stopped and started again.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use link::Requester;
use rustix::process::{Pid, Signal, kill_process};

use crate::clock::WrongClock;
use crate::proxy::{BrokerPort, Proxy};

/// The gateways' numbers.
pub const GATEWAYS: [u8; 3] = [1, 2, 3];

/// How many networks the clients share.
pub const STREETS: usize = 3;

/// How long a process may take to end after it was asked to.
const TO_STOP: Duration = Duration::from_secs(10);

/// A home of processes.
#[derive(Debug)]
pub struct Home {
    program: PathBuf,
    /// What the broker and each gateway run until they are asked to end for the first time.
    older: Option<PathBuf>,
    /// Who runs the program itself by now: the broker, and the gateways by number.
    upgraded: [AtomicBool; 1 + GATEWAYS.len()],
    folder: PathBuf,
    broker_port: BrokerPort,
    /// How often the broker has been started.
    broker_life: AtomicU32,
    broker: Mutex<Option<Process>>,
    gateways: [Mutex<Option<Process>>; 3],
    networks: Vec<Proxy>,
    streets: Vec<Proxy>,
    /// A way to the broker that is never cut.
    quiet: Proxy,
}

/// A process that is killed when it is dropped.
#[derive(Debug)]
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn signal(&self, signal: Signal) {
        // It may have ended already.
        let _ = kill_process(Pid::from_child(&self.0), signal);
    }
}

impl Home {
    /// Starts the program's broker and gateways in a folder that becomes theirs. With an older program they begin as
    /// that one, and are upgraded one after another.
    pub async fn start(program: PathBuf, older: Option<PathBuf>, folder: PathBuf) -> Self {
        // What an earlier run left behind.
        let _ = std::fs::remove_dir_all(&folder);
        let broker_port = BrokerPort::default();
        let (mut networks, mut streets) = (Vec::new(), Vec::new());
        for _ in GATEWAYS {
            networks.push(Proxy::start(broker_port.clone()).await);
        }
        for _ in 0..STREETS {
            streets.push(Proxy::start(broker_port.clone()).await);
        }
        let home = Self {
            program,
            older,
            upgraded: Default::default(),
            folder,
            quiet: Proxy::start(broker_port.clone()).await,
            broker_port,
            broker_life: AtomicU32::new(0),
            broker: Mutex::default(),
            gateways: Default::default(),
            networks,
            streets,
        };
        GATEWAYS.iter().for_each(|id| std::fs::create_dir_all(home.data(*id)).unwrap());
        home.start_broker();
        GATEWAYS.iter().for_each(|id| home.start_gateway(*id, None));
        home
    }

    /// Where everything of this home is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data folder of a gateway.
    pub fn data(&self, id: u8) -> PathBuf {
        self.folder.join(format!("gateway-{id}"))
    }

    /// The SQLite file of a gateway.
    pub fn file(&self, id: u8) -> PathBuf {
        self.data(id).join(format!("gateway-{id}.db"))
    }

    /// A client over a network that is never cut.
    pub async fn requester(&self, name: &str) -> Requester {
        let address = format!("127.0.0.1:{}", self.quiet.port).parse().unwrap();
        Requester::connect(address, name).await.unwrap()
    }

    /// The port of that network.
    pub const fn quiet(&self) -> u16 {
        self.quiet.port
    }

    /// The network between a gateway and the broker.
    pub fn network(&self, id: u8) -> &Proxy {
        &self.networks[usize::from(id) - 1]
    }

    /// A network that clients share.
    pub fn street(&self, number: usize) -> &Proxy {
        &self.streets[number]
    }

    /// Counts the broker's starts.
    pub fn broker_life(&self) -> u32 {
        self.broker_life.load(Ordering::Relaxed)
    }

    /// Starts a broker on a port of its own.
    pub fn start_broker(&self) {
        let mut command = self.hearth("broker", 0, None);
        command.args(["broker", "--bind", "127.0.0.1:0", "--data-dir"]).arg(&self.folder);
        command.stdout(Stdio::piped());
        let mut broker = Process(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(broker.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the broker printed {line:?}"));
        *self.broker.lock().unwrap() = Some(broker);
        self.broker_life.fetch_add(1, Ordering::Relaxed);
        self.broker_port.store(port, Ordering::Relaxed);
    }

    /// kill -9
    pub fn kill_broker(&self) {
        self.broker_port.store(0, Ordering::Relaxed);
        self.broker.lock().unwrap().take();
    }

    /// SIGTERM, and the end.
    pub async fn stop_broker(&self) {
        self.broker_port.store(0, Ordering::Relaxed);
        let broker = self.broker.lock().unwrap().take();
        end(broker).await;
        self.upgraded[0].store(true, Ordering::Relaxed);
    }

    /// Starts a gateway, with a wrong clock or the right one.
    pub fn start_gateway(&self, id: u8, clock: Option<&WrongClock>) {
        let broker = format!("mqtt://127.0.0.1:{}", self.network(id).port);
        let mut command = self.hearth(&format!("gateway-{id}"), id, clock);
        command
            .args(["gateway", "--id", &id.to_string(), "--broker", &broker, "--threshold", "1"])
            .arg("--data-dir")
            .arg(self.data(id))
            .stdout(Stdio::null());
        *self.gateway(id).lock().unwrap() = Some(Process(command.spawn().unwrap()));
    }

    /// kill -9
    pub fn kill_gateway(&self, id: u8) {
        self.gateway(id).lock().unwrap().take();
    }

    /// SIGTERM, and the end.
    pub async fn stop_gateway(&self, id: u8) {
        let gateway = self.gateway(id).lock().unwrap().take();
        end(gateway).await;
        self.upgraded[usize::from(id)].store(true, Ordering::Relaxed);
    }

    /// SIGSTOP
    pub fn pause(&self, id: u8) {
        self.signal(id, Signal::STOP);
    }

    /// SIGCONT
    pub fn resume(&self, id: u8) {
        self.signal(id, Signal::CONT);
    }

    /// Processes that have ended although nobody ended them: name, and the last words of its log.
    pub fn ended_by_themselves(&self) -> Vec<(String, String)> {
        let processes = GATEWAYS.iter().map(|id| (format!("gateway-{id}"), self.gateway(*id)));
        let processes = processes.chain([("broker".to_owned(), &self.broker)]);
        let ended = processes.filter(|(_, process)| {
            let mut process = process.lock().unwrap();
            process.as_mut().is_some_and(|process| process.0.try_wait().unwrap().is_some())
        });
        ended.map(|(name, _)| (name.clone(), self.last_words(&name))).collect()
    }

    fn last_words(&self, name: &str) -> String {
        let log = std::fs::read_to_string(self.folder.join(format!("{name}.log")));
        log.unwrap_or_default().lines().next_back().unwrap_or_default().to_owned()
    }

    fn signal(&self, id: u8, signal: Signal) {
        if let Some(gateway) = self.gateway(id).lock().unwrap().as_ref() {
            gateway.signal(signal);
        }
    }

    fn gateway(&self, id: u8) -> &Mutex<Option<Process>> {
        &self.gateways[usize::from(id) - 1]
    }

    /// The program under test; what it says on standard error goes into a file.
    fn hearth(&self, name: &str, number: u8, clock: Option<&WrongClock>) -> Command {
        let log = self.folder.join(format!("{name}.log"));
        let upgraded = self.upgraded[usize::from(number)].load(Ordering::Relaxed);
        let older = self.older.as_ref().filter(|_| !upgraded);
        let mut command = Command::new(older.unwrap_or(&self.program));
        command
            .env_remove("HEARTH_CONFIG")
            .stdin(Stdio::null())
            .stderr(File::options().create(true).append(true).open(log).unwrap());
        if let Some(clock) = clock {
            clock.set(&mut command);
        }
        command
    }
}

/// Asks a process to end and waits for it; one that does not end in time is killed.
async fn end(process: Option<Process>) {
    let Some(mut process) = process else { return };
    process.signal(Signal::TERM);
    let began = Instant::now();
    while began.elapsed() < TO_STOP && process.0.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
