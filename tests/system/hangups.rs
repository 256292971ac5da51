//! SIGHUP makes a broker read its files anew, and ends nothing that is called hearth. And whoever adds a user adds it
//! where a broker reads it.

use std::net::TcpListener;
use std::process::Stdio;

use tempfile::TempDir;

use crate::files::Up;
use crate::kit::{Home, Process, hearth, text};

#[test]
fn a_hangup_ends_no_gateway_and_no_device() {
    let mut home = Home::start();
    home.device("door", "hallway", "doorSensor");
    home.hang_up();
    for id in 1..=3 {
        let topic = format!("hearth/home/gateway/{id}/get");
        let request = r#"{"zone":"hallway","device":"doorSensor"}"#;
        assert_ne!(home.answer(&topic, request), serde_json::Value::Null);
    }
    assert!(home.all_live(), "gateways and devices go on");
}

#[test]
fn a_hangup_does_not_end_a_home_that_is_kept_up() {
    let folder = TempDir::new().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = hearth();
    command.args(["up", "--bind", &format!("127.0.0.1:{port}"), "--data-dir"]).arg(folder.path());
    let mut home = Up::start(&mut command);
    home.until("is up");
    home.process.signal("HUP");
    let url = format!("mqtt://127.0.0.1:{port}");
    let asked = hearth().args(["--json", "--broker", &url, "devices"]).output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    assert!(home.process.lives());
    home.end();
}

#[test]
fn a_user_is_added_where_a_broker_reads_it_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let add = |more: &[&str]| {
        let mut command = hearth();
        command.args(["broker", "user", "add", "porch/bell", "--role", "device", "--no-password"]);
        let command = command.args(more).current_dir(folder.path()).stdin(Stdio::null());
        Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped())).end()
    };
    let refused = add(&[]);
    assert!(!refused.status.success());
    let said = text(&refused.stderr);
    assert!(said.contains("no broker would read hearth-data/users"), "{said}");
    assert!(!folder.path().join("hearth-data").exists(), "nothing was written");
    assert!(add(&["--users", "elsewhere/users"]).status.success(), "a file that is named is meant");
    assert!(folder.path().join("elsewhere/users").exists());
    std::fs::create_dir(folder.path().join("hearth-data")).unwrap();
    assert!(add(&[]).status.success());
    assert!(folder.path().join("hearth-data/users").exists());
}
