//! The site's API, and the program's own client for it.

use serde_json::Value as Json;

use crate::kit::{Home, text};

#[test]
fn every_verb_answers() {
    let home = Home::start();
    let register = r#"{"zone":"attic","name":"fan","kind":"device"}"#;
    let answer = home.answer("hearth/home/api/register", register);
    assert_eq!((&answer["status"], &answer["node"]), (&"ok".into(), &2.into()), "{answer}");
    let again = home.answer("hearth/home/api/register", register);
    assert_eq!((&again["node"], &again["known"]), (&2.into(), &true.into()));
    home.publish("home/attic/fan/report", "ON", &[]);
    for (verb, member) in [
        ("devices", "devices"),
        ("gateways", "gateways"),
        ("zones", "zones"),
        ("history", "history"),
        ("log", "log"),
        ("stats", "gateways"),
    ] {
        let answer = home.answer(&format!("hearth/home/api/{verb}"), "");
        let rows = answer[member].as_array().unwrap_or_else(|| panic!("{verb}: {answer}"));
        assert!(!rows.is_empty(), "{verb}: {answer}");
    }
    let unknown = home.answer("hearth/home/api/dance", "");
    assert_eq!(unknown["status"], "error");
    assert!(unknown["error"].as_str().unwrap().contains("register, devices"), "{unknown}");
}

#[test]
fn the_client_shows_what_the_site_knows() {
    let home = Home::start();
    home.publish("home/attic/fan/report", r#"{"state":"ON","kind":"device"}"#, &[]);
    let json = |arguments: &[&str]| -> Json {
        let output = home.hearth(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(json(&["get", "attic/fan"])["state"], "ON");
    assert_eq!(json(&["set", "attic/fan", "OFF"])["order"], 1);
    for arguments in
        [&["status"][..], &["devices"], &["history"], &["log"], &["log", "--gateway", "2"]]
    {
        json(arguments);
        let output = home.hearth(arguments);
        assert!(text(&output.stdout).contains("fan"), "{arguments:?}: {}", text(&output.stdout));
    }
    let unknown = home.hearth(&["get", "attic/nothing"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("attic/nothing"));
}
