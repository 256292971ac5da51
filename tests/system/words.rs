//! What is said comes back as it was said, and cannot act on a terminal.

use gateway::inspect;
use serde_json::Value as Json;

use crate::kit::{Home, text};

/// Texts that look like something else: numbers, words for on and off, quotes, control characters.
const SAID: [&str; 15] = [
    "0E123456",
    "04E5678901",
    "00123456",
    "+491701234567",
    "12345678901234567890",
    "9007199254740993",
    "1.10",
    "-0",
    "ON",
    "true",
    "half open ",
    "a\nb\tc",
    "\u{1b}[2J\u{9b}31m",
    "\u{202e}evil\u{2069}",
    "\"quoted\" twice",
];

#[test]
fn what_a_device_says_comes_back_as_it_was_said() {
    let home = Home::start();
    let mut states = home.listen(&["home/gate/+/state"]);
    for said in SAID {
        for report in [said.to_owned(), serde_json::json!({ "state": said }).to_string()] {
            home.publish("home/gate/reader/report", &report, &[]);
            // A state with a newline is one line here, since it is JSON.
            let (_, state) = states.next("/state");
            let state: Json = serde_json::from_str(&state).unwrap();
            assert_eq!((&state["state"], &state["value"]), (&said.into(), &Json::Null), "{report}");
        }
    }
    for literal in ["1.10", "12345678901234567890", "9007199254740993", "1e999", "-0", "true"] {
        home.publish("home/gate/reader/report", &format!(r#"{{"state": {literal}}}"#), &[]);
        assert_eq!(home.answer("home/gate/reader/get", "")["state"], literal);
    }
    home.publish("home/gate/reader/report", "\u{feff}0E12", &[]);
    assert_eq!(home.answer("home/gate/reader/get", "")["state"], "0E12");
    // Every replica keeps it so.
    let agreed = home.answer("hearth/home/api/history", "");
    let states = |rows: &[Json]| -> Vec<String> {
        rows.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect()
    };
    let agreed = states(agreed["history"].as_array().unwrap());
    assert_eq!(agreed.len(), 2 * SAID.len() + 7);
    home.until("all replicas have it", |home| {
        (1..=3).all(|id| {
            let replica = inspect::read(&inspect::file(home.data(), id)).unwrap();
            let kept: Vec<String> = replica.history.into_iter().map(|row| row.state).collect();
            kept == agreed
        })
    });
}

#[test]
fn a_kind_has_a_value_and_words_and_keeps_what_was_said() {
    let home = Home::start();
    home.publish("home/hall/door/report", r#"{"state":"OPEN","kind":"door"}"#, &[]);
    home.publish("home/hall/heat/report", r#"{"state":21.50,"kind":"temperature"}"#, &[]);
    let door = home.answer("home/hall/door/get", "");
    assert_eq!(
        (&door["state"], &door["value"], &door["kind"]),
        (&"OPEN".into(), &1.into(), &"door".into())
    );
    let heat = home.answer("home/hall/heat/get", "");
    assert_eq!((&heat["state"], &heat["value"]), (&"21.50".into(), &21.5.into()));
    let told = |arguments: &[&str]| text(&home.hearth(arguments).stdout);
    assert_eq!(told(&["get", "hall/door"]), "open\n");
    assert_eq!(told(&["get", "hall/heat"]), "21.50\n");
    assert!(
        told(&["devices"])
            .lines()
            .any(|line| line.contains("hall/door") && line.contains(" open "))
    );
    // A rule has told the door to close, with the value alone. Values are compared, not texts: `0` is what was ordered
    // with `closed`.
    let set = home.answer("home/hall/door/set", r#"{"state":"closed","expires":60}"#);
    assert_eq!((&set["state"], &set["value"]), (&"closed".into(), &0.into()));
    home.publish("home/hall/door/report", "0", &[]);
    assert_eq!(home.answer("hearth/home/api/stats", "")["open_orders"], 0);
    assert_eq!(told(&["get", "hall/door"]), "closed\n");
    let json: Json = serde_json::from_str(&told(&["history", "hall/door", "--json"])).unwrap();
    let said: Vec<(&Json, &Json)> =
        json.as_array().unwrap().iter().map(|row| (&row["state"], &row["value"])).collect();
    let expected = [("OPEN", 1), ("0", 0), ("closed", 0), ("0", 0)]
        .map(|(s, v)| (Json::from(s), Json::from(v)));
    assert_eq!(said, expected.iter().map(|(s, v)| (s, v)).collect::<Vec<_>>());
}

#[test]
fn ids_are_compared_as_exact_text() {
    let home = Home::start();
    let ids = [
        "18446744073709551616",
        "18446744073709551617",
        "9007199254740993",
        "9007199254740992",
        "1",
        "1.0",
    ];
    for id in ids {
        home.publish("home/porch/bell/report", &format!(r#"{{"state":"ring","id":{id}}}"#), &[]);
        home.publish("home/porch/bell/report", &format!(r#"{{"state":"ring","id":"{id}"}}"#), &[]);
    }
    let history = home.answer("hearth/home/api/history", "");
    assert_eq!(history["history"].as_array().map(Vec::len), Some(ids.len()), "{history}");
    let answer = home.answer("home/porch/bell/get", r#"{"id":18446744073709551617}"#);
    assert_eq!(answer["id"], "18446744073709551617");
}

#[test]
fn what_a_device_says_cannot_act_on_a_terminal() {
    let home = Home::start();
    let evil = "\u{1b}[2J\u{9b}31m\u{202e}\nfake/line is OPEN";
    home.publish("home/hall/tag/report", evil, &[]);
    for arguments in [
        &["get", "hall/tag"][..],
        &["devices"],
        &["status"],
        &["history"],
        &["log"],
        &["devices", "--json"],
        &["history", "--json"],
        &["set", "hall/tag", evil],
        &["dump", "status", "--gateway", "1", "--data-dir", home.data().to_str().unwrap()],
        &["dump", "history", "--gateway", "1", "--data-dir", home.data().to_str().unwrap()],
    ] {
        let output = home.hearth(arguments);
        for printed in [text(&output.stdout), text(&output.stderr)] {
            let lines = printed.replace('\n', "");
            assert!(!lines.contains(wire::is_hidden), "{arguments:?}: {printed:?}");
            assert!(
                !printed.lines().any(|line| line.starts_with("fake")),
                "{arguments:?}: {printed}"
            );
        }
    }
}
