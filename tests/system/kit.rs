//! A home for one test, and the mosquitto programs that talk to it.

mod attacked;
mod foreign;
mod users;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value as Json;
use tempfile::TempDir;

/// How long anything may take before a test gives up on it. Never a measure: a machine that is
/// busy with other tests may be many times slower than usual.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// After which a marker that has not come back is published again.
const AGAIN: Duration = Duration::from_millis(200);

/// The program under test.
pub(crate) fn hearth() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.current_dir(root()).env_remove("HEARTH_CONFIG").stdin(Stdio::null());
    command
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A broker and gateways, each a process.
pub(crate) struct Home {
    pub(crate) port: u16,
    pub(crate) gateways: BTreeMap<u8, Process>,
    devices: Vec<Process>,
    options: Vec<String>,
    folder: TempDir,
    broker: Option<Process>,
    /// Settings of the broker that are not the usual ones, as variables.
    limits: Vec<(&'static str, &'static str)>,
    /// Whether there are users.
    guarded: bool,
    /// Whether the broker is mosquitto.
    foreign: bool,
}

/// A process that is killed when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Sends a signal by name, as `kill` does.
    pub(crate) fn signal(&self, name: &str) {
        let done =
            Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()).status();
        assert!(done.unwrap().success(), "kill -{name}");
    }

    /// Its standard input and output, which were asked for as pipes.
    pub(crate) fn pipes(&mut self) -> (ChildStdin, ChildStdout) {
        (self.0.stdin.take().unwrap(), self.0.stdout.take().unwrap())
    }

    /// What it says on standard error, which was asked for as a pipe.
    pub(crate) fn stderr(&mut self) -> ChildStderr {
        self.0.stderr.take().unwrap()
    }

    /// Whether it has not ended by itself.
    pub(crate) fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for the end and gives what it printed.
    pub(crate) fn end(mut self) -> Output {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(mut pipe) = self.0.stdout.take() {
            pipe.read_to_end(&mut stdout).unwrap();
        }
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_end(&mut stderr).unwrap();
        }
        Output { status: self.0.wait().unwrap(), stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Home {
    /// Three gateways, doors that close at once.
    pub(crate) fn start() -> Self {
        Self::with(&["--door-closes-after", "0"])
    }

    /// Three gateways with these options.
    pub(crate) fn with(options: &[&str]) -> Self {
        let mut home = Self::empty(options, false);
        home.begin();
        home
    }

    fn empty(options: &[&str], guarded: bool) -> Self {
        Self {
            port: 0,
            gateways: BTreeMap::new(),
            devices: Vec::new(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            folder: TempDir::new().unwrap(),
            broker: None,
            limits: Vec::new(),
            guarded,
            foreign: false,
        }
    }

    /// Three gateways on mosquitto.
    pub(crate) fn on_mosquitto() -> Self {
        let mut home = Self::empty(&[], false);
        home.foreign = true;
        home.begin();
        home
    }

    fn begin(&mut self) {
        let (broker, port) =
            if self.foreign { foreign::mosquitto(self.data()) } else { self.broker(0) };
        (self.broker, self.port) = (Some(broker), port);
        for id in 1..=3 {
            self.start_gateway(id);
        }
        for id in 1..=3 {
            self.until_alive(id);
        }
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn start_gateway(&mut self, id: u8) {
        self.start_gateway_with(id, &[]);
    }

    pub(crate) fn start_gateway_with(&mut self, id: u8, more: &[&str]) {
        let process = Process::start(self.gateway(id).args(more).stdout(Stdio::null()));
        self.gateways.insert(id, process);
    }

    /// The command that starts a gateway of this home.
    pub(crate) fn gateway(&self, id: u8) -> Command {
        let mut command = hearth();
        command
            .args(["gateway", "--id", &id.to_string(), "--broker", &self.url(), "--data-dir"])
            .arg(self.data())
            .args(&self.options);
        if self.foreign {
            command.env("HEARTH_GATEWAY__OWN_BROKER", "false");
        }
        command
    }

    /// A simulated device; returns when it is registered.
    pub(crate) fn device(&mut self, kind: &str, zone: &str, name: &str) {
        let mut command = hearth();
        command.args(["device", kind, "--zone", zone, "--name", name, "--broker", &self.url()]);
        self.devices.push(Process::start(command.stdout(Stdio::null())));
        self.until(&format!("{zone}/{name} is registered"), |home| {
            home.ask(&format!("home/{zone}/{name}/get"), "")["status"] == "ok"
        });
    }

    /// kill -9 of every simulated device.
    pub(crate) fn end_devices(&mut self) {
        self.devices.clear();
    }

    /// kill -9
    pub(crate) fn kill(&mut self, id: u8) {
        drop(self.gateways.remove(&id));
    }

    /// SIGHUP to everything.
    pub(crate) fn hang_up(&self) {
        let all = self.broker.iter().chain(self.gateways.values()).chain(&self.devices);
        all.for_each(|process| process.signal("HUP"));
    }

    /// Whether no process of it has ended by itself.
    pub(crate) fn all_live(&mut self) -> bool {
        let all = self.broker.iter_mut().chain(self.gateways.values_mut());
        all.chain(&mut self.devices).all(Process::lives)
    }

    /// kill -9
    pub(crate) fn kill_broker(&mut self) {
        drop(self.broker.take());
    }

    /// A new life of the broker, where the one before was.
    pub(crate) fn start_broker(&mut self) {
        self.broker = Some(self.broker(self.port).0);
    }

    fn broker(&self, port: u16) -> (Process, u16) {
        let mut command = broker_command(self.data(), port);
        command.envs(self.limits.iter().copied());
        if !self.limits.is_empty() {
            command.stderr(self.log());
        }
        listening(command)
    }

    pub(crate) fn url(&self) -> String {
        let login = match self.guarded {
            true => format!("gateway:{}@", users::password("gateway")),
            false => String::new(),
        };
        format!("mqtt://{login}127.0.0.1:{}", self.port)
    }

    /// `hearth …` against this home.
    pub(crate) fn hearth(&self, arguments: &[&str]) -> Output {
        hearth().args(arguments).args(["--broker", &self.url()]).output().unwrap()
    }

    /// One of the mosquitto programs, told where the broker is.
    pub(crate) fn mosquitto(&self, program: &str) -> Command {
        if self.guarded {
            self.mosquitto_as(program, users::MYSELF)
        } else {
            self.stranger(program)
        }
    }

    /// The same without a name and a password.
    pub(crate) fn stranger(&self, program: &str) -> Command {
        let mut command = Command::new(format!("mosquitto_{program}"));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command
    }

    /// `mosquitto_pub`; returns when a QoS 1 message is acknowledged.
    pub(crate) fn publish(&self, topic: &str, message: &str, more: &[&str]) {
        let mut command = self.mosquitto("pub");
        let done = command.args(["-q", "1", "-t", topic, "-m", message]).args(more).output();
        let done = done.unwrap();
        assert!(done.status.success(), "mosquitto_pub {topic}: {done:?}");
    }

    /// One request with `mosquitto_rr`; null when nobody answered in a second.
    pub(crate) fn ask(&self, topic: &str, message: &str) -> Json {
        self.ask_with(topic, message, &[])
    }

    pub(crate) fn ask_with(&self, topic: &str, message: &str, more: &[&str]) -> Json {
        // On a foreign broker gateways speak 3.1.1, which has no Response Topic.
        let own = || format!("reply/{}", unique());
        let reply = if self.foreign { format!("{topic}/response") } else { own() };
        let mut command = self.mosquitto("rr");
        command.args(["-t", topic, "-e", &reply, "-m", message, "-W", "2", "-q", "1"]).args(more);
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or(Json::Null)
    }

    /// Asks until someone answers, with whatever answer.
    pub(crate) fn answer(&self, topic: &str, message: &str) -> Json {
        let mut answer = Json::Null;
        self.until(&format!("an answer to {topic}"), |home| {
            answer = home.ask(topic, message);
            !answer.is_null()
        });
        answer
    }

    /// Waits until something is so.
    pub(crate) fn until(&self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !so(self) {
            assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        }
    }

    pub(crate) fn until_alive(&self, id: u8) {
        self.until(&format!("gateway {id} is alive"), |home| {
            home.member(id).is_some_and(|gateway| gateway["alive"] == true)
        });
    }

    /// A gateway as the leader sees it.
    pub(crate) fn member(&self, id: u8) -> Option<Json> {
        let all = self.ask("hearth/home/api/gateways", "");
        all["gateways"].as_array()?.iter().find(|gateway| gateway["gateway"] == id).cloned()
    }

    /// The owner of a zone.
    pub(crate) fn owner(&self, zone: &str) -> Option<u8> {
        let all = self.ask("hearth/home/api/zones", "");
        let zone = all["zones"].as_array()?.iter().find(|row| row["zone"] == zone)?.clone();
        zone["owner"].as_u64().and_then(|owner| u8::try_from(owner).ok())
    }

    /// `mosquitto_sub` that is subscribed when this returns.
    pub(crate) fn listen(&self, filters: &[&str]) -> Listener {
        Listener::start(self, filters)
    }
}

/// A running `mosquitto_sub -v`.
pub(crate) struct Listener {
    _process: Process,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Listener {
    fn start(home: &Home, filters: &[&str]) -> Self {
        let marker = format!("marker/{}", unique());
        let mut command = home.mosquitto("sub");
        command.args(["-v", "-q", "1", "-t", &marker]);
        for filter in filters {
            command.args(["-t", filter]);
        }
        let mut process = Process::start(command.stdout(Stdio::piped()));
        let stdout = BufReader::new(process.0.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // Payloads may be binary.
            for line in stdout.split(b'\n').map_while(Result::ok) {
                if sender.send(text(&line)).is_err() {
                    return;
                }
            }
        });
        let mut listener = Self { _process: process, lines };
        // Subscribed is who receives what is published now.
        let began = Instant::now();
        let mut held = Vec::new();
        'subscribed: loop {
            assert!(began.elapsed() < PATIENCE, "mosquitto_sub does not subscribe");
            home.publish(&marker, "here", &[]);
            // A busy topic never falls silent, so the wait for the marker ends by itself too.
            let published = Instant::now();
            while published.elapsed() < AGAIN {
                let Ok(line) = listener.lines.recv_timeout(AGAIN) else { break };
                if line.starts_with(&marker) {
                    break 'subscribed;
                }
                held.push(line);
            }
        }
        // What came before the marker is given back first.
        let (sender, lines) = std::sync::mpsc::channel();
        let rest = std::mem::replace(&mut listener.lines, lines);
        std::thread::spawn(move || {
            let all = held.into_iter().chain(rest).filter(|line| !line.starts_with(&marker));
            for line in all {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        listener
    }

    /// The next message on a topic that ends so, as `(topic, payload)`.
    pub(crate) fn next(&mut self, topic_ends: &str) -> (String, String) {
        self.next_where(topic_ends, |_| true)
    }

    /// Everything that has come by now.
    pub(crate) fn received(&mut self) -> Vec<(String, String)> {
        let lines = self.lines.try_iter();
        lines.filter_map(|l| l.split_once(' ').map(|(t, p)| (t.to_owned(), p.to_owned()))).collect()
    }

    pub(crate) fn next_where(
        &mut self,
        topic_ends: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> (String, String) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no message on …{topic_ends}"));
            let (topic, payload) = line.split_once(' ').unwrap_or((&line, ""));
            if topic.ends_with(topic_ends) && wanted(payload) {
                return (topic.to_owned(), payload.to_owned());
            }
        }
    }
}

/// A program that says what it does, line by line.
pub(crate) struct Talker {
    process: Process,
    words: BufReader<ChildStdout>,
}

impl Talker {
    pub(crate) fn start(command: &Command) -> Self {
        // Without stdbuf its words would gather in a buffer of its own.
        let mut unbuffered = Command::new("stdbuf");
        unbuffered.arg("-oL").arg(command.get_program()).args(command.get_args());
        let pipes = unbuffered.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(pipes);
        let words = BufReader::new(process.pipes().1);
        Self { process, words }
    }

    /// Waits until it says this.
    pub(crate) fn until(&mut self, word: &str) {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert!(self.words.read_line(&mut line).unwrap() > 0, "it never says {word:?}");
        }
    }

    /// Waits for its end, whatever it says until then.
    pub(crate) fn end(mut self) {
        while self.words.read_line(&mut String::new()).unwrap() > 0 {}
        self.process.end();
    }
}

/// A broker with its file in this folder, on this port or on a free one for 0.
pub(crate) fn broker(folder: &Path, port: u16) -> (Process, u16) {
    listening(broker_command(folder, port))
}

fn broker_command(folder: &Path, port: u16) -> Command {
    let mut command = hearth();
    command.args(["broker", "--bind", &format!("127.0.0.1:{port}"), "--data-dir"]).arg(folder);
    command
}

/// Starts a broker, and waits until it listens.
pub(crate) fn listening(mut command: Command) -> (Process, u16) {
    command.stdout(Stdio::piped());
    let mut broker = Process::start(&mut command);
    let mut line = String::new();
    BufReader::new(broker.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
    (broker, port.unwrap_or_else(|| panic!("the broker printed {line:?}")))
}

/// Waits until a question about a broker's file is answered with 1.
pub(crate) fn until_written(folder: &Path, question: &str) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = Connection::open_with_flags(folder.join("broker-1.db"), flags).unwrap();
    file.busy_timeout(PATIENCE).unwrap();
    let began = Instant::now();
    while file.query_row(question, [], |row| row.get::<_, Option<i64>>(0)).unwrap() != Some(1) {
        assert!(began.elapsed() < PATIENCE, "in vain: {question}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
