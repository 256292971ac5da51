//! What outlives the broker: retained messages, sessions with their subscriptions, and that this site has gateways.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::kit::{self, Home, PATIENCE, Process, hearth, text};

/// A broker without gateways, and its file.
struct Broker {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

/// How a life of the broker ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Killed,
    Stopped,
}

impl Broker {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (process, port) = kit::broker(folder.path(), 0);
        Self { folder, port, process: Some(process) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it, after what `written` asks the file for is 1 if a kill comes without warning, and starts it again.
    fn restart(&mut self, end: End, written: &str) {
        self.end(end, written);
        self.process = Some(kit::broker(self.path(), self.port).0);
    }

    fn end(&mut self, end: End, written: &str) {
        let process = self.process.take().unwrap();
        match end {
            End::Killed => {
                kit::until_written(self.path(), written);
                drop(process);
            }
            End::Stopped => {
                process.signal("TERM");
                assert!(process.end().status.success());
            }
        }
    }

    fn client(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]).args(arguments);
        command
    }

    fn publish(&self, arguments: &[&str]) {
        let output = self.client("mosquitto_pub", arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }

    /// The lines of `mosquitto_sub` with these arguments, which end it.
    fn subscribe(&self, arguments: &[&str]) -> Vec<String> {
        let patience = PATIENCE.as_secs().to_string();
        let output = self.client("mosquitto_sub", arguments).args(["-W", &patience]).output();
        let output: Output = output.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// Connects with MQTT 3.1.1, and tells whether there was a session.
    fn connect(&self, client: &str, clean: bool) -> (TcpStream, bool) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut packet = vec![0x10, client.len() as u8 + 12, 0, 4, b'M', b'Q', b'T', b'T', 4];
        packet.extend([u8::from(clean) << 1, 0, 0, 0, client.len() as u8]);
        packet.extend(client.as_bytes());
        stream.write_all(&packet).unwrap();
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).unwrap();
        assert_eq!((connack[0], connack[3]), (0x20, 0), "CONNACK");
        (stream, connack[2] == 1)
    }

    fn sleeps(&self, client: &str) -> bool {
        self.connect(client, false).1
    }
}

#[test]
fn retained_messages_outlive_a_stopped_and_a_killed_broker() {
    for end in [End::Stopped, End::Killed] {
        let mut broker = Broker::start();
        broker.publish(&["-r", "-t", "a/set", "-m", "1"]);
        broker.publish(&["-r", "-t", "a/replaced", "-m", "old"]);
        broker.publish(&["-r", "-t", "a/cleared", "-m", "old"]);
        broker.restart(end, "SELECT count(*) = 3 FROM retained");
        broker.publish(&["-r", "-t", "a/replaced", "-m", "new", "-q", "2"]);
        broker.publish(&["-r", "-n", "-t", "a/cleared"]);
        let property = ["-V", "5", "-D", "publish", "content-type", "text/ü"];
        broker.publish(&[&["-r", "-q", "1", "-t", "a/été", "-m", "é"], &property[..]].concat());
        broker.restart(end, "SELECT count(*) = 3 AND sum(topic = 'a/cleared') = 0 FROM retained");
        broker.publish(&["-r", "-t", "z", "-m", "end"]);
        let format = "%t %p %q %r %C";
        let mut lines =
            broker.subscribe(&["-V", "5", "-q", "2", "-t", "#", "-C", "4", "-F", format]);
        lines.sort();
        let wanted = ["a/replaced new 2 1 ", "a/set 1 0 1 ", "a/été é 1 1 text/ü", "z end 0 1 "];
        assert_eq!(lines, wanted, "{end:?}");
    }
}

#[test]
fn sessions_and_their_subscriptions_outlive_a_stopped_and_a_killed_broker() {
    for end in [End::Stopped, End::Killed] {
        let mut broker = Broker::start();
        let persistent = ["-c", "-q", "1", "-E"];
        broker.subscribe(&[&["-i", "sleeper", "-t", "a/+", "-t", "b"], &persistent[..]].concat());
        broker.subscribe(&[&["-i", "loser", "-t", "a/+"], &persistent[..]].concat());
        broker.subscribe(&["-i", "guest", "-t", "a/+", "-E"]);
        // Connected when the broker ends, which is no end of a session that is to outlive the connection.
        let (_awake, present) = broker.connect("awake", false);
        assert!(!present);
        drop(broker.connect("loser", true));
        broker.restart(end, "SELECT group_concat(client) = 'awake,sleeper' FROM sessions");
        let present = ["sleeper", "awake", "loser", "guest"].map(|client| broker.sleeps(client));
        assert_eq!(present, [true, true, false, false], "{end:?}");
        // Nothing is subscribed anew but `c`, which ends the program.
        for topic in ["a/1", "b", "c"] {
            broker.publish(&["-q", "1", "-r", "-t", topic, "-m", topic]);
        }
        let again = ["-i", "sleeper", "-c", "-q", "1", "-t", "c", "-C", "3", "-v"];
        assert_eq!(broker.subscribe(&again), ["a/1 a/1", "b b", "c c"], "{end:?}");
    }
}

#[test]
fn what_waits_for_a_sleeping_session_outlives_a_stopped_and_a_killed_broker() {
    for end in [End::Stopped, End::Killed] {
        let mut broker = Broker::start();
        let sleeper = ["-i", "sleeper", "-c", "-q", "2", "-t", "a/+"];
        broker.subscribe(&[&sleeper[..], &["-E"]].concat());
        for (topic, qos) in [("a/0", "0"), ("a/1", "1"), ("a/2", "2")] {
            broker.publish(&["-t", topic, "-m", "x", "-q", qos]);
        }
        broker.restart(end, "SELECT count(*) = 2 FROM waiting");
        let lines = broker.subscribe(&[&sleeper[..], &["-C", "2", "-F", "%t %q"]].concat());
        assert_eq!(lines, ["a/1 1", "a/2 2"], "{end:?}");
        // The client has them now, and nothing of them comes back.
        broker.restart(end, "SELECT count(*) = 0 FROM waiting");
        broker.publish(&["-t", "a/3", "-m", "x", "-q", "1"]);
        let lines = broker.subscribe(&[&sleeper[..], &["-C", "1", "-F", "%t %q"]].concat());
        assert_eq!(lines, ["a/3 1"], "{end:?}");
    }
}

#[test]
fn a_broker_that_has_had_gateways_waits_for_them_for_ever_after_a_restart() {
    let grace = ["--bind", "127.0.0.1:0"];
    let folder = TempDir::new().unwrap();
    let start = |folder: &Path| {
        let mut command = hearth();
        // So short that a broker which knows of no gateways soon does without.
        command.env("HEARTH_BROKER__LIMITS__GATEWAY_GRACE_MS", "1");
        command.arg("broker").args(grace).arg("--data-dir").arg(folder);
        kit::listening(command)
    };
    let (process, port) = start(folder.path());
    let mut broker = Broker { folder, port, process: Some(process) };
    let report = ["-q", "1", "-t", "home/kitchen/lamp/report", "-m", "ON"];
    broker.publish(&report);
    drop(broker.connect("hearth-home-gateway-1-own", true));
    broker.end(End::Killed, "SELECT gateways = 'home' FROM broker");
    let (process, port) = start(broker.path());
    (broker.process, broker.port) = (Some(process), port);
    let mut waiting =
        broker.client("mosquitto_sub", &["-t", "hearth/home/broker/waiting", "-C", "8"]);
    let waiting = Process::start(waiting.stdout(Stdio::piped()));
    let mut publisher = broker.client("mosquitto_pub", &report);
    let mut publisher = Process::start(publisher.stdout(Stdio::piped()).stderr(Stdio::piped()));
    // Eight announcements are two seconds, in which the publisher heard nothing.
    assert_eq!(text(&waiting.end().stdout), "kitchen\n".repeat(8));
    assert!(publisher.lives(), "it was told that a report is safe that no gateway has seen");
}

#[test]
fn a_damaged_file_is_put_aside_and_filled_from_what_the_gateways_know() {
    let mut home = Home::start();
    home.publish("home/cellar/meter/report", "1", &[]);
    let file = home.data().join("broker-1.db");
    for (number, spoilt) in [(1, Vec::new()), (2, b"what a cat left".repeat(1000))] {
        home.kill_broker();
        drop(std::fs::remove_file(home.data().join("broker-1.db-wal")));
        std::fs::write(&file, &spoilt).unwrap();
        home.start_broker();
        // Retained again by the zone's owner.
        let mut states = home.listen(&["home/cellar/meter/state"]);
        let (_, state) = states.next("state");
        assert!(state.contains(&format!("\"seq\":{number},")), "{state}");
        let aside = home.data().join(format!("broker-1.db.damaged-{number}"));
        assert_eq!(std::fs::read(aside).unwrap(), spoilt);
        home.publish("home/cellar/meter/report", "2", &[]);
    }
}

#[test]
fn a_file_in_use_is_a_clear_error() {
    let broker = Broker::start();
    let file = broker.path().join("broker-1.db");
    let twin = |broker: &Broker| {
        let mut command = hearth();
        command.args(["broker", "--bind", "127.0.0.1:0", "--data-dir"]).arg(broker.path());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let error = twin(&broker);
    let name = file.with_extension("lock").display().to_string();
    assert!(error.contains("another broker (process ") && error.contains(&name), "{error}");
}
