//! What a full disk does to a broker, which serves on, and to a gateway, which stops.
//!
//! Only root can mount a disk that is small enough to be filled.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use tempfile::TempDir;

use crate::kit::{self, Home, PATIENCE, Process, hearth, text};

/// A disk of two MiB.
struct Disk(TempDir);

impl Disk {
    /// Mounts one, or says why that is not possible here.
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "hearth-test"]).arg(folder.path());
        let done = mount.output();
        if done.as_ref().is_ok_and(|done| done.status.success()) {
            return Some(Self(folder));
        }
        let why = done.map_or_else(|error| error.to_string(), |done| text(&done.stderr));
        eprintln!(
            "skipped: there is no disk that could be filled, since nobody but root mounts one: {why}"
        );
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        loop {
            match file.write_all(&[b'x'; 512]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: what still uses it ends with the test.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

/// What a process says on standard error.
struct Log(Receiver<String>);

impl Log {
    fn of(process: &mut Process) -> Self {
        let stderr = BufReader::new(process.stderr());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(lines)
    }

    /// The next line with a word in it.
    fn line(&self, word: &str) -> String {
        loop {
            let line = self.0.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("nothing is said of {word:?}"));
            if line.contains(word) {
                return line;
            }
        }
    }
}

fn mosquitto(program: &str, port: u16, arguments: &[&str]) -> String {
    let mut command = Command::new(format!("mosquitto_{program}"));
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The length of the one retained message on a topic.
fn retained(port: u16, topic: &str) -> String {
    mosquitto("sub", port, &["-t", topic, "-C", "1", "-F", "%l"]).trim().to_owned()
}

#[test]
fn a_broker_on_a_full_disk_serves_on_and_keeps_again_once_there_is_room() {
    let Some(disk) = Disk::mount() else { return };
    let start = |port: u16| {
        let mut command = hearth();
        command.args(["broker", "--log", "warn", "--bind", &format!("127.0.0.1:{port}")]);
        command.arg("--data-dir").arg(disk.path()).stderr(Stdio::piped());
        kit::listening(command)
    };
    let (mut first, port) = start(0);
    let log = Log::of(&mut first);
    mosquitto("pub", port, &["-r", "-t", "a/before", "-m", "x"]);
    kit::until_written(disk.path(), "SELECT count(*) = 1 FROM retained");
    disk.fill();
    let large = "x".repeat(100_000);
    mosquitto("pub", port, &["-r", "-t", "a/large", "-m", &large]);
    let error = log.line("disk is full");
    let file = disk.path().join("broker-1.db").display().to_string();
    for words in [&file, "free some space", "serves on"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    // Nobody notices.
    mosquitto("pub", port, &["-r", "-t", "a/meanwhile", "-m", "xx"]);
    for (topic, length) in [("a/before", "1"), ("a/large", "100000"), ("a/meanwhile", "2")] {
        assert_eq!(retained(port, topic), length);
    }
    disk.make_room();
    log.line("can be written again");
    kit::until_written(disk.path(), "SELECT count(*) = 3 FROM retained");
    mosquitto("pub", port, &["-r", "-t", "a/after", "-m", "xxx"]);
    kit::until_written(disk.path(), "SELECT count(*) = 4 FROM retained");
    drop(first);
    let (_second, port) = start(port);
    for (topic, length) in
        [("a/before", "1"), ("a/large", "100000"), ("a/meanwhile", "2"), ("a/after", "3")]
    {
        assert_eq!(retained(port, topic), length, "{topic}");
    }
}

#[test]
fn a_gateway_on_a_full_disk_stops_and_the_home_does_not() {
    let Some(disk) = Disk::mount() else { return };
    let home = Home::start();
    let start = || {
        let mut command = hearth();
        command.args(["gateway", "--id", "4", "--broker", &home.url(), "--data-dir"]);
        command.arg(disk.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        Process::start(&mut command)
    };
    let mut fourth = start();
    home.publish("home/hall/lamp/report", "0", &[]);
    let has = |home: &Home, state: u32| {
        home.ask("hearth/home/gateway/4/get", "hall/lamp")["state"].as_str()
            == Some(state.to_string().as_str())
    };
    home.until("gateway 4 follows", |home| has(home, 0));
    disk.fill();
    let mut state = 0;
    home.until("gateway 4 has stopped", |home| {
        // Agreed by the others, whatever becomes of this one.
        state += 1;
        home.publish("home/hall/lamp/report", &state.to_string(), &[]);
        !fourth.lives()
    });
    let output = fourth.end();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let (error, file) = (text(&output.stderr), disk.path().join("gateway-4.db"));
    for words in ["the disk is full", &file.display().to_string(), "free some space"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    assert_eq!(home.answer("home/hall/lamp/get", "")["state"], state.to_string());
    // Nor does it start like this.
    let output = start().end();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("the disk is full"), "{output:?}");
    disk.make_room();
    let _again = start();
    home.until("gateway 4 has everything", |home| has(home, state));
}

#[test]
fn a_broker_does_not_begin_on_a_full_disk() {
    let Some(disk) = Disk::mount() else { return };
    disk.fill();
    let mut command = hearth();
    command.args(["broker", "--bind", "127.0.0.1:0", "--data-dir"]).arg(disk.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let error = text(&output.stderr);
    assert!(error.contains("disk is full") && error.contains("broker-1."), "{error}");
}
