//! Somebody who makes zones up costs nobody anything: only a report or a registration makes a zone.

use std::collections::BTreeSet;
use std::time::Duration;

use link::{Event, Link, Options, Publish, Qos, Version};
use serde_json::{Value as Json, json};

use crate::kit::{Home, PATIENCE};

const EVE: &str = "eve";
const DOOR: &str = "hall/door";
/// Orders of one attack, each to another zone.
const ORDERS: usize = 1000;

#[test]
fn a_thousand_orders_to_invented_zones_are_refused_and_leave_nothing() {
    let mut home = Home::guarded(&[], &[(EVE, "person"), (DOOR, "device")]);
    report(&home);
    for life in 0..2 {
        let (slots, files) = (slots(&home), bytes(&home));
        let mut reports = 0;
        let answers = std::thread::scope(|scope| {
            let attack = scope.spawn(|| give_orders(&home));
            // Each of these is a login too.
            while !attack.is_finished() {
                report(&home);
                reports += 1;
            }
            attack.join().unwrap()
        });
        let why = "there is no zone";
        assert!(answers.iter().all(|answer| answer["error"].as_str().unwrap().contains(why)));
        assert_eq!(zones(&home), ["hall"], "life {life}");
        let more = self::slots(&home) - slots;
        assert!(more < reports + 50, "life {life}: {more} slots of the log, and {reports} reports");
        let grown = bytes(&home) - files;
        assert!(grown < 1_000_000, "life {life}: the files grew by {grown} bytes");
        restart(&mut home);
        report(&home);
    }
    assert_eq!(zones(&home), ["hall"]);
}

fn zones(home: &Home) -> Vec<String> {
    let answer = home.answer("hearth/home/api/zones", "");
    let all = answer["zones"].as_array().unwrap_or_else(|| panic!("{answer}"));
    all.iter().map(|zone| zone["zone"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_user_makes_as_many_zones_as_it_may_also_over_a_restart() {
    let limits = [("HEARTH_BROKER__LIMITS__ZONES", "20")];
    let users = [("bridge", "admin"), (DOOR, "device"), ("attic/lamp", "device")];
    let mut home = Home::guarded_within(&limits, &[], &users);
    report(&home);
    let bridge = |home: &Home, zone: &str| {
        let mut command = home.mosquitto_as("pub", "bridge");
        let topic = format!("home/{zone}/lamp/report");
        command.args(["-V", "5", "-d", "-q", "1", "-t", &topic, "-m", "1"]);
        crate::kit::text(&command.output().unwrap().stdout)
    };
    for zone in ["a", "b", "c", "d", "e"] {
        assert!(bridge(&home, zone).contains("RC:0"), "{zone}");
    }
    for life in 0..2 {
        let told = bridge(&home, "f");
        assert!(told.contains("RC:151"), "life {life}: {told}");
        let register = r#"{"zone": "f", "name": "lamp"}"#;
        let mut command = home.mosquitto_as("rr", "bridge");
        command.args(["-t", "hearth/home/api/register", "-e", "reply/bridge", "-m", register]);
        let told: Json = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        assert_eq!(told["error"], "bridge has made 5 zones, and may make no more", "life {life}");
        assert!(bridge(&home, "a").contains("RC:0"), "a zone that there is takes its reports");
        report(&home);
        restart(&mut home);
    }
    let mut command = home.mosquitto_as("pub", "attic/lamp");
    command.args(["-q", "1", "-t", "home/attic/lamp/report", "-m", "1"]);
    assert!(command.status().unwrap().success(), "another user's zone is made");
    assert_eq!(zones(&home), ["a", "attic", "b", "c", "d", "e", "hall"]);
}

/// Orders to a thousand zones that there are not; gives the answers once each has come.
fn give_orders(home: &Home) -> Vec<Json> {
    let address = format!("mqtt://{EVE}:{EVE}!@127.0.0.1:{}", home.port).parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // MQTT 3.1.1 waits where MQTT 5 is told that there is no room.
        let mut options = Options::new(address, EVE);
        (options.version, options.keep_alive) = (Version::V3, Duration::from_secs(30));
        let (link, mut events) = Link::open(options);
        link.subscribe(vec![("reply/eve".into(), Qos::AtLeastOnce)]).await.unwrap();
        let orders = link.clone();
        tokio::spawn(async move {
            for number in 0..ORDERS {
                let order =
                    json!({"state": "ON", "reply_to": "reply/eve", "id": number.to_string()});
                let topic = format!("home/invented-{number}/lamp/set");
                orders.publish(Publish::new(topic, order.to_string())).await.unwrap();
            }
        });
        let mut answers = Vec::new();
        let mut answered = BTreeSet::new();
        while answered.len() < ORDERS {
            let event = tokio::time::timeout(PATIENCE, events.next()).await;
            let event = event.unwrap_or_else(|_| panic!("{} answers", answered.len()));
            match event.unwrap() {
                Event::Message(message) => {
                    let answer: Json = serde_json::from_slice(&message.payload).unwrap();
                    answered.insert(answer["id"].to_string());
                    answers.push(answer);
                }
                Event::Down(why) => panic!("{why}"),
                _ => {}
            }
        }
        answers
    })
}

/// kill -9 of everything, and a new life.
fn restart(home: &mut Home) {
    home.kill_broker();
    (1..=3).for_each(|id| home.kill(id));
    home.start_broker();
    for id in 1..=3 {
        home.start_gateway(id);
    }
    (1..=3).for_each(|id| home.until_alive(id));
}

/// The door says that it is open, and is told that this is on disk at a majority.
fn report(home: &Home) {
    let mut command = home.mosquitto_as("pub", DOOR);
    command.args(["-q", "1", "-t", "home/hall/door/report", "-m", "1"]);
    assert!(command.status().unwrap().success());
}

/// Of the log that are applied.
fn slots(home: &Home) -> u64 {
    home.answer("hearth/home/api/stats", "")["applied"].as_u64().unwrap()
}

/// Of all databases of the home. What is written ahead of them grows up to a bound of its own and is used again.
fn bytes(home: &Home) -> i64 {
    let files = std::fs::read_dir(home.data()).unwrap().map(|file| file.unwrap());
    let files = files.filter(|file| file.path().extension().is_some_and(|end| end == "db"));
    files.map(|file| file.metadata().map_or(0, |file| file.len() as i64)).sum()
}
