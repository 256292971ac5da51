//! Every topic of the design, spoken by stock MQTT clients.

use serde_json::Value as Json;

use crate::kit::Home;

#[test]
fn a_stock_device_joins_with_its_first_report() {
    let home = Home::start();
    let mut states = home.listen(&["home/+/+/state"]);
    home.publish("home/porch/bell/report", "ON", &[]);
    let (topic, state) = states.next("/state");
    assert_eq!(topic, "home/porch/bell/state");
    let state: Json = serde_json::from_str(&state).unwrap();
    assert_eq!(
        (&state["state"], &state["node"], &state["seq"]),
        (&"ON".into(), &2.into(), &1.into())
    );
    // The state is retained: who comes later knows it too.
    let (_, late) = home.listen(&["home/porch/bell/state"]).next("/state");
    assert_eq!(serde_json::from_str::<Json>(&late).unwrap()["state"], "ON");
    // What is no kind of its own says what it likes, and nothing is made of it.
    for spelling in ["closed", "21.50", "0E123456", "+491701234567", "half open "] {
        home.publish("home/porch/bell/report", spelling, &[]);
        let (_, state) = states.next("/state");
        let state: Json = serde_json::from_str(&state).unwrap();
        assert_eq!((&state["state"], &state["value"]), (&spelling.into(), &Json::Null));
    }
}

#[test]
fn a_query_is_answered_to_every_kind_of_client() {
    let home = Home::start();
    home.publish("home/hallway/doorSensor/report", r#"{"state":"open","kind":"bulb"}"#, &[]);
    let get = "home/hallway/doorSensor/get";
    // MQTT 5: Response Topic and Correlation Data.
    let answer = home.answer(get, "");
    assert_eq!((&answer["state"], &answer["value"]), (&"open".into(), &1.into()), "{answer}");
    // 3.1.1: the paired topic, with the id echoed.
    let mut answers = home.listen(&["home/hallway/doorSensor/get/response", "my/own/topic"]);
    home.publish(get, r#"{"id":"q1"}"#, &["-V", "mqttv311"]);
    let (_, answer) = answers.next("/response");
    assert!(answer.contains(r#""id":"q1""#), "{answer}");
    // 3.1.1: a topic named in the request.
    home.publish(get, r#"{"id":7,"reply_to":"my/own/topic"}"#, &["-V", "mqttv311"]);
    let (_, answer) = answers.next("my/own/topic");
    assert!(answer.contains(r#""id":"7""#) && answer.contains(r#""state":"open""#), "{answer}");
}

#[test]
fn an_order_is_agreed_delivered_and_fulfilled() {
    let home = Home::start();
    home.publish("home/bedroom/lamp/report", r#"{"state":"OFF","kind":"bulb"}"#, &[]);
    let mut commands = home.listen(&["home/bedroom/lamp/command", "home/bedroom/lamp/state"]);
    let answer = home.answer("home/bedroom/lamp/set", "ON");
    assert_eq!((&answer["status"], &answer["order"]), (&"ok".into(), &1.into()), "{answer}");
    let (_, command) = commands.next("/command");
    let command: Json = serde_json::from_str(&command).unwrap();
    assert_eq!((&command["order"], &command["state"]), (&1.into(), &"ON".into()));
    assert_eq!(command["value"], 1);
    // Until the device says so, the two registers differ.
    let registers = home.answer("home/bedroom/lamp/get", "");
    assert_eq!((&registers["value"], &registers["desired"]["value"]), (&0.into(), &1.into()));
    home.publish("home/bedroom/lamp/report", "ON", &[]);
    let (_, state) = commands.next_where("/state", |state| state.contains(r#""state":"ON","#));
    assert!(state.contains(r#""desired""#), "{state}");
}

#[test]
fn gateways_say_how_they_are_and_agree_in_the_open() {
    let home = Home::start();
    let mut talk = home.listen(&["hearth/home/gateway/+/status", "hearth/home/paxos/+/request"]);
    let (_, beat) = talk.next("/status");
    let beat: Json = serde_json::from_str(&beat).unwrap();
    for member in ["status", "epoch", "applied", "seq", "devices", "zones", "incarnation"] {
        assert!(!beat[member].is_null(), "{member} is missing in {beat}");
    }
    talk.next("/request");
    // A gateway's own copy is marked as such.
    home.publish("home/porch/bell/report", "ON", &[]);
    home.until("every gateway has the bell", |home| {
        (1..=3).all(|id| {
            let local = home.ask(&format!("hearth/home/gateway/{id}/get"), "porch/bell");
            local["state"] == "ON" && local["local"] == true && local["gateway"] == id
        })
    });
}

#[test]
fn a_will_tells_that_a_device_is_away_and_its_order_waits() {
    let mut home = Home::start();
    home.device("bulb", "bedroom", "smartBulb");
    let (_, status) = home.listen(&["home/bedroom/smartBulb/status"]).next("/status");
    assert_eq!(status, "online");
    home.end_devices();
    let mut wills = home.listen(&["home/bedroom/smartBulb/status"]);
    wills.next_where("/status", |status| status == "offline");
    let answer = home.answer("home/bedroom/smartBulb/set", "ON");
    assert_eq!(answer["status"], "ok");
    assert_eq!(home.answer("home/bedroom/smartBulb/get", "")["state"], "off");
    home.device("bulb", "bedroom", "smartBulb");
    home.until("the order reached the bulb", |home| {
        home.ask("home/bedroom/smartBulb/get", "")["state"] == "on"
    });
}
