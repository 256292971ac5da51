//! What an administrator asks of the broker itself.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use serde_json::{Value as Json, json};

use crate::access::{Guarded, publish, response_topic};
use crate::kit::Client;

const TOPIC: &str = "hearth/home/broker/sessions";

/// Asks and gives the answer; the client listens on `reply/boss`.
fn ask(client: &mut Client, payload: &str) -> Json {
    let mut properties = response_topic("reply/boss");
    properties.extend([0x09, 0, 2, b'n', b'1']);
    let (_, bytes) = client.publish_bytes(TOPIC, payload, 2, &properties);
    client.send(&bytes);
    assert!(client.expect(0x40).get(2).is_none_or(|reason| *reason < 0x80));
    let got = client.got();
    assert_eq!((&*got.topic, got.retain), ("reply/boss", false));
    assert_eq!(got.properties[..5], [0x09, 0, 2, b'n', b'1'], "the Correlation Data");
    serde_json::from_str(&got.payload).unwrap()
}

fn boss(home: &Guarded) -> Client {
    let mut boss = home.v5("boss").connect();
    boss.subscribe("reply/boss", 0);
    boss
}

#[test]
fn an_administrator_sees_every_session() {
    let home = Guarded::start();
    let mut options = home.v5("ada").keep();
    options.expiry = Some(3_600);
    let mut ada = options.connect();
    ada.subscribe("home/hall/lamp/state", 1);
    ada.disconnect();
    let mut gateway = home.v5("gw-1").connect();
    assert_eq!(publish(&mut gateway, "home/hall/lamp/state", 1, &[]), 0);
    let mut boss = boss(&home);
    let answer = ask(&mut boss, r#"{"id": 7}"#);
    assert_eq!((&answer["status"], &answer["id"]), (&"ok".into(), &7.into()));
    let sessions = answer["sessions"].as_array().unwrap();
    let clients: Vec<_> = sessions.iter().map(|session| &session["client"]).collect();
    assert_eq!(clients, ["ada", "boss", "gw-1"]);
    let mut ada = sessions[0].clone();
    assert!(ada["away_seconds"].as_u64().unwrap() < 60);
    ada["away_seconds"] = 0.into();
    assert_eq!(
        ada,
        json!({
            "client": "ada", "user": "ada", "connected": false, "away_seconds": 0,
            "expiry_seconds": 3_600, "queued": 1, "queued_bytes": 21, "subscriptions": 1,
        })
    );
    assert_eq!(
        (&sessions[1]["connected"], &sessions[1]["away_seconds"]),
        (&true.into(), &Json::Null)
    );
    let behind = ask(&mut boss, r#"{"after": "ada"}"#);
    assert_eq!(behind["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(behind["more"], false);
}

#[test]
fn an_administrator_ends_a_session_whoever_has_it() {
    let home = Guarded::start();
    let asleep = home.v5("ada").keep();
    asleep.connect().disconnect();
    let mut eve = home.v5("eve").keep().connect();
    let mut boss = boss(&home);
    assert_eq!(ask(&mut boss, r#"{"end": "ada"}"#)["status"], "ok");
    assert!(!asleep.open().1, "it is gone");
    assert_eq!(ask(&mut boss, r#"{"end": "eve"}"#)["ended"], "eve");
    assert_eq!(eve.end(), Some(0x98), "by an administrator");
    let missing = ask(&mut boss, r#"{"end": "nobody"}"#);
    assert!(missing["error"].as_str().unwrap().contains("nobody"), "{missing}");
    for odd in ["[]", "ON", r#"{"end": 1}"#, r#"{"end": "a", "after": "b"}"#] {
        assert_eq!(ask(&mut boss, odd)["status"], "error", "{odd}");
    }
}

#[test]
fn nobody_else_is_answered() {
    let home = Guarded::start();
    let mut watcher = boss(&home);
    watcher.subscribe("hearth/home/broker/#", 0);
    for user in ["ada", "gw-1", "hall/lamp"] {
        let mut client = home.v5(user).connect();
        assert_eq!(publish(&mut client, TOPIC, 1, &[]), 0x87, "{user}");
    }
    // A client of MQTT 3.1.1 is answered where its payload says, or beside the topic.
    let mut old = home.broker.v4("old").user("boss", "boss!").connect();
    old.publish(TOPIC, r#"{"end": "x", "reply_to": "$SYS/x"}"#, 0);
    assert_eq!(
        watcher.got().topic,
        "hearth/home/broker/sessions/response",
        "no request is passed on"
    );
    old.publish(TOPIC, r#"{"end": "x", "reply_to": "reply/boss"}"#, 0);
    assert_eq!(watcher.got().topic, "reply/boss");
}
