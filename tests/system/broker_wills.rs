//! Wills of clients that die together with the broker.

use std::process::Command;

use tempfile::TempDir;

use crate::kit::{self, Process, Talker, hearth, text};

fn broker(folder: &TempDir, port: u16) -> (Process, u16) {
    let mut command = hearth();
    command.args(["broker", "--bind", &format!("127.0.0.1:{port}"), "--data-dir"]);
    // So short that the test does not take a quarter of a minute.
    command.arg(folder.path()).env("HEARTH_BROKER__LIMITS__COME_BACK_MS", "2000");
    kit::listening(command)
}

fn mosquitto(program: &str, port: u16) -> Command {
    let mut command = Command::new(format!("mosquitto_{program}"));
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    command
}

/// `mosquitto_sub` with a retained will, connected, which comes back by itself, as devices do.
fn device(port: u16, name: &str) -> Talker {
    let mut command = mosquitto("sub", port);
    command.args(["-i", name, "-d", "-t", "greeting", "--will-payload", "offline"]);
    command.args(["--will-topic", &format!("{name}/status"), "--will-retain"]);
    let mut talker = Talker::start(&command);
    talker.until("received SUBACK");
    talker
}

#[test]
fn a_device_that_dies_with_the_broker_is_offline_and_one_that_comes_back_is_not() {
    let folder = TempDir::new().unwrap();
    let (first, port) = broker(&folder, 0);
    let (dies, mut lives) = (device(port, "dies"), device(port, "lives"));
    kit::until_written(folder.path(), "SELECT count(*) = 2 FROM wills");
    drop((first, dies));
    let _second = broker(&folder, port);
    lives.until("received SUBACK");
    let watch = |filter: &str| {
        let mut command = mosquitto("sub", port);
        let output = command.args(["-v", "-t", filter, "-C", "1"]).output().unwrap();
        text(&output.stdout)
    };
    assert_eq!(watch("+/status"), "dies/status offline\n");
    // The other one would have come at the same moment. What is retained comes in the order of topics.
    let marker = ["-r", "-q", "1", "-t", "lives/z", "-m", "end"];
    assert!(mosquitto("pub", port).args(marker).status().unwrap().success());
    assert_eq!(watch("lives/#"), "lives/z end\n");
}
