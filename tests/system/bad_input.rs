//! Bad input gets a clear error that says what, where and what to do, and the home goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use tempfile::TempDir;

use crate::kit::{Home, Process, broker, hearth, text};

#[test]
fn bad_requests_are_refused_with_the_reason() {
    let home = Home::start();
    home.publish("home/attic/fan/report", "OFF", &[]);
    let error = |topic: &str, message: &str| {
        let answer = home.answer(topic, message);
        assert_eq!(answer["status"], "error", "{topic} {message}: {answer}");
        answer["error"].as_str().unwrap_or_default().to_owned()
    };
    for (topic, message, reason) in [
        ("home/attic/fan/set", "{\"state\":", "not valid JSON"),
        ("home/attic/fan/set", "{}", "\"state\""),
        ("home/attic/fan/set", r#"{"state":[1]}"#, "\"state\""),
        ("home/attic/fan/set", r#"{"state":1,"expires":"soon"}"#, "\"expires\""),
        ("home/attic/fan/set", "", "empty"),
        ("home/attic/fan/get", "now", "object"),
        ("home/attic/nothing/get", "", "no device attic/nothing"),
        ("home/attic/nothing/set", "ON", "no device attic/nothing"),
        ("home/nowhere/nothing/get", "", "no zone nowhere"),
        ("hearth/home/api/register", r#"{"zone":"a/b","name":"x"}"#, "\"zone\""),
        ("hearth/home/api/register", r#"{"zone":"a","name":"x","kind":"toaster"}"#, "\"kind\""),
        ("hearth/home/gateway/1/get", "attic", "<zone>/<device>"),
    ] {
        let why = error(topic, message);
        assert!(why.contains(reason), "{topic} {message}: {why}");
    }
    let huge = format!("{{\"state\":\"{}\"}}", "x".repeat(70_000));
    assert!(error("home/attic/fan/set", &huge).contains("bytes"));
    // A retained order would be obeyed again by everyone who subscribes later.
    let mut refusals = home.listen(&["home/attic/fan/+/response"]);
    home.publish("home/attic/fan/set", "ON", &["-r"]);
    let (_, refusal) = refusals.next("set/response");
    assert!(refusal.contains("retain"), "{refusal}");
    // A report that is refused is answered beside its topic, and acknowledged.
    home.publish("home/attic/fan/report", "{\"state\":null}", &[]);
    let (_, refusal) = refusals.next("/response");
    assert!(refusal.contains("error") && refusal.contains("state"), "{refusal}");
    assert_eq!(home.answer("home/attic/fan/get", "")["state"], "OFF");
    let owner = home.owner("attic").unwrap();
    let stats = home.answer(&format!("hearth/home/gateway/{owner}/stats"), "");
    assert!(stats["refused"].as_u64().unwrap() >= 8, "{stats}");
}

#[test]
fn garbage_ends_one_connection_and_nothing_else() {
    let home = Home::start();
    home.publish("home/attic/fan/report", "OFF", &[]);
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x10, 0xff, 0xff, 0xff, 0xff, 0x7f], &[0; 64]]
    {
        let mut socket = TcpStream::connect(("127.0.0.1", home.port)).unwrap();
        socket.write_all(garbage).unwrap();
        let mut rest = Vec::new();
        // The broker hangs up, with or without a word.
        let _ = socket.read_to_end(&mut rest);
    }
    for id in 1..=3 {
        home.publish(&format!("hearth/home/paxos/{id}/request"), "not a message", &[]);
        home.publish(&format!("hearth/home/paxos/{id}/response"), "\u{1}\u{2}", &["-r"]);
        home.publish(&format!("hearth/home/gateway/{id}/status"), "{\"status\":", &[]);
    }
    home.publish("home/attic/fan/report", "ON", &[]);
    assert_eq!(home.answer("home/attic/fan/get", "")["state"], "ON");
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let folder = TempDir::new().unwrap();
    let (_broker, port) = broker(folder.path(), 0);
    let bind = format!("127.0.0.1:{port}");
    let output = hearth().args(["broker", "--bind", &bind, "--data-dir", ""]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(&port.to_string()) && error.contains("another program"), "{error}");
}

#[test]
fn a_second_gateway_with_the_same_id_does_not_start() {
    let home = Home::start();
    let elsewhere = TempDir::new().unwrap();
    for (folder, word) in [(home.data(), "another"), (elsewhere.path(), "running already")] {
        let mut command = hearth();
        command.args(["gateway", "--id", "2", "--broker", &home.url(), "--data-dir"]).arg(folder);
        let twin = Process::start(command.stderr(Stdio::piped())).end();
        assert_eq!(twin.status.code(), Some(1));
        assert!(text(&twin.stderr).contains(word), "{}", text(&twin.stderr));
    }
    assert!(home.member(2).is_some_and(|gateway| gateway["alive"] == true));
}

#[test]
fn an_unusable_file_or_folder_is_a_clear_error() {
    let folder = TempDir::new().unwrap();
    let start = |data: &std::path::Path| {
        let output =
            hearth().args(["gateway", "--id", "1", "--data-dir"]).arg(data).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        text(&output.stderr)
    };
    std::fs::write(folder.path().join("gateway-1.db"), vec![b'x'; 8192]).unwrap();
    let error = start(folder.path());
    assert!(error.contains("gateway-1.db"), "{error}");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let error = start(&file.join("below"));
    assert!(error.contains("below"), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_named() {
    for (arguments, word) in [
        (&["gateway"][..], "--id"),
        (&["gateway", "--id", "999"], "999"),
        (&["gateway", "--id", "1", "--voters", "1,1"], "voters"),
        (&["gateway", "--id", "1", "--serving", "7"], "serving"),
        (&["gateway", "--id", "1", "--threshold", "0"], "threshold"),
        (&["status", "--site", "a/b"], "site"),
        (&["status", "--broker", "http://x"], "broker"),
        (&["run", "config/scenarios/seed.events", "--gateways", "2", "1"], "USAGE"),
        (&["run", "config/scenarios/seed.events", "1", "1", "--gateways", "3"], "3"),
        (&["run", "config/scenarios/none.events", "1", "1"], "none.events"),
    ] {
        let output = hearth().args(arguments).output().unwrap();
        let said = text(&output.stderr) + &text(&output.stdout);
        assert!(!output.status.success(), "{arguments:?} succeeds: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    let nobody = hearth().args(["status", "--broker", "mqtt://127.0.0.1:1"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(3), "{}", text(&nobody.stderr));
}
