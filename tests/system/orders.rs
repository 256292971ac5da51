//! Once, and in order: repeated requests, orders, and the home's own rules.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::kit::{Home, text};

fn changes(home: &Home) -> usize {
    let history = home.answer("hearth/home/api/history", "");
    history["history"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_request_that_is_repeated_with_its_id_is_agreed_once() {
    let home = Home::start();
    home.publish("home/porch/bell/report", r#"{"state":1,"id":"a"}"#, &[]);
    home.publish("home/porch/bell/report", r#"{"state":1,"id":"a"}"#, &[]);
    assert_eq!(changes(&home), 1);
    // Without an id the same content is a new report.
    home.publish("home/porch/bell/report", "ON", &[]);
    home.publish("home/porch/bell/report", "ON", &[]);
    assert_eq!(changes(&home), 3);
    let first = home.answer("home/porch/bell/set", r#"{"state":0,"id":"s1"}"#);
    let again = home.answer("home/porch/bell/set", r#"{"state":0,"id":"s1"}"#);
    assert_eq!((&first["order"], &first["seq"]), (&again["order"], &again["seq"]));
    assert_eq!(again["id"], "s1");
    assert_eq!(changes(&home), 4);
}

#[test]
fn a_simulated_device_obeys_and_the_requester_hears_of_it() {
    let mut home = Home::start();
    home.device("outlet", "kitchen", "smartOutlet");
    let answer = home.answer("home/kitchen/smartOutlet/set", r#"{"state":"ON","wait":"state"}"#);
    assert_eq!((&answer["status"], &answer["fulfilled"]), (&"ok".into(), &true.into()), "{answer}");
    let registers = home.answer("home/kitchen/smartOutlet/get", "");
    assert_eq!((&registers["state"], &registers["desired"]["state"]), (&"on".into(), &"ON".into()));
    let fresh = home.answer("home/kitchen/smartOutlet/get", r#"{"refresh":true}"#);
    assert_eq!(fresh["state"], "on", "{fresh}");
}

#[test]
fn the_rules_run_once_where_the_entries_are_applied() {
    let mut home = Home::start();
    home.device("door", "hallway", "doorSensor");
    home.device("bulb", "bedroom", "smartBulb");
    home.device("motion", "landing", "motionSensor");
    let user = |event: &str| {
        let output = home.hearth(&["user", event]);
        assert!(output.status.success(), "{event}: {output:?}");
    };
    user("DOOR OPEN PS");
    home.until("the door has closed itself", |home| {
        let door = home.ask("home/hallway/doorSensor/get", "");
        door["state"] == "closed" && door["desired"]["order"] == 1
    });
    user("MOTION ACTIVE");
    home.until("the light is on", |home| home.ask("home/bedroom/smartBulb/get", "")["value"] == 1);
    user("MOTION INACTIVE");
    user("DOOR OPEN PS");
    let history = home.answer("hearth/home/api/history", "");
    let notes: Vec<&str> = history["history"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["note"].as_str())
        .collect();
    let expected = [
        "Closing Door Automatically.",
        "USER ENTERED",
        "Turning on Lights.",
        "USER EXIT",
        "Closing Door Automatically.",
    ];
    assert_eq!(notes, expected, "{history}");
}

#[test]
fn a_door_closes_after_its_delay_also_when_its_owner_has_died() {
    let mut home = Home::with(&["--door-closes-after", "1500"]);
    home.publish("home/hallway/door/report", r#"{"state":"open","kind":"door"}"#, &[]);
    let mut owner = None;
    home.until("the hallway has an owner", |home| {
        owner = home.owner("hallway");
        owner.is_some()
    });
    let mut orders = home.listen(&["home/hallway/door/command"]);
    home.kill(owner.unwrap());
    let (_, order) = orders.next("/command");
    let order: Json = serde_json::from_str(&order).unwrap();
    assert_eq!((&order["order"], &order["value"]), (&1.into(), &0.into()));
}

#[test]
fn an_order_that_nobody_fulfils_expires() {
    let home = Home::start();
    home.publish("home/attic/fan/report", "OFF", &[]);
    let answer = home.answer("home/attic/fan/set", r#"{"state":"ON","expires":0.2}"#);
    assert_eq!(answer["order"], 1);
    home.until("the order is dropped", |home| {
        home.ask("hearth/home/gateway/1/stats", "")["open_orders"] == 0
    });
}

#[test]
fn an_order_that_is_over_does_not_wait_in_the_broker_for_a_device_that_is_away() {
    let home = Home::start();
    home.publish("home/attic/fan/report", "OFF", &[]);
    // A stock device with a kept session and no last will: nobody knows that it is away.
    let comes_online = |seconds: &str| {
        let mut device = home.mosquitto("sub");
        device.args(["-i", "fan", "-c", "-q", "1", "-t", "home/attic/fan/command", "-W", seconds]);
        text(&device.output().unwrap().stdout)
    };
    assert_eq!(comes_online("1"), "");
    home.answer("home/attic/fan/set", r#"{"state":"ON","expires":1}"#);
    home.until("the order is over", |home| {
        home.ask("hearth/home/gateway/1/stats", "")["open_orders"] == 0
    });
    // What the broker counts are whole seconds.
    let since = Instant::now();
    home.answer("home/attic/fan/set", r#"{"state":"OFF"}"#);
    home.until("two seconds are over", |_| since.elapsed() > Duration::from_secs(2));
    let heard = comes_online("1");
    assert!(heard.contains("\"OFF\"") && !heard.contains("\"ON\""), "{heard}");
}
