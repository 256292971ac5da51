//! What an attacker does, who has a login.

use std::time::Duration;

use super::Attack;
use super::raw::{Hello, Raw};
use crate::kit::Home;

pub(super) const ALL: [Attack; 12] = [
    Attack {
        name: "handshakes left open",
        run: handshakes,
        role: PERSON,
        memory: 8,
        log: "leaves more QoS 2 handshakes open",
    },
    Attack { name: "large wills that wait", run: wills, role: PERSON, memory: 8, log: ROOM },
    Attack { name: "sessions without end", run: sessions, role: DEVICE, memory: 8, log: ROOM },
    Attack { name: "sleeping subscribers", run: sleepers, role: PERSON, memory: 48, log: "" },
    Attack {
        name: "queries whose answers nobody reads",
        run: queries,
        role: PERSON,
        memory: 48,
        log: "",
    },
    Attack {
        name: "histories that nobody reads",
        run: histories,
        role: PERSON,
        memory: 48,
        log: "",
    },
    Attack { name: "half of a large packet", run: halves, role: PERSON, memory: 48, log: "" },
    Attack { name: "wildcards", run: filters, role: PERSON, memory: 8, log: "" },
    Attack { name: "reports that mean nothing", run: nonsense, role: DEVICE, memory: 8, log: "" },
    Attack {
        name: "a flood of reports with ids",
        run: ids,
        role: DEVICE,
        memory: 16,
        log: "faster than a device may",
    },
    Attack { name: "retained orders", run: retained, role: PERSON, memory: 16, log: "" },
    Attack { name: "coming and going", run: churn, role: PERSON, memory: 16, log: "" },
];

const PERSON: &str = "person";
const DEVICE: &str = "device";
const ROOM: &str = "as much in sessions and wills as there is room for";

fn old<'a>(user: &'a str, client: &'a str) -> Hello<'a> {
    Hello { user, client, v5: false, will: None }
}

fn new<'a>(user: &'a str, client: &'a str) -> Hello<'a> {
    Hello { user, client, v5: true, will: None }
}

/// Reads what comes until the connection is over or silent, and counts it.
fn drained(mut raw: Raw) -> usize {
    raw.patience(Duration::from_millis(500));
    std::iter::from_fn(|| raw.packet()).count()
}

/// Five connections give 900 orders each, which nobody takes; how many are refused.
pub(super) fn orders(home: &Home, user: &str) -> usize {
    let connections: Vec<Raw> = (0..5)
        .map(|number| {
            let mut raw = new(user, &format!("orders-{number}")).connect(home).unwrap();
            for pid in 1..=900 {
                assert!(raw.publish("home/hall/door/set", b"open", (1, pid)));
            }
            raw
        })
        .collect();
    connections.into_iter().map(drained).sum()
}

/// QoS 2 handshakes are begun in many sessions and never ended.
fn handshakes(home: &Home, user: &str) {
    let mut taken = 0;
    for number in 0..4 {
        let Ok(mut raw) = old(user, &format!("handshakes-{number}")).connect(home) else { break };
        let reader = raw.twin();
        let reading = std::thread::spawn(move || drained(reader));
        let begun = (1..20_000).take_while(|pid| raw.publish("reply/x", b"", (2, *pid)));
        begun.for_each(drop);
        taken += reading.join().unwrap();
    }
    // A quarter of 8 MiB is hers, of which each 1,024 take 64 KiB; the first 1,023 of a session are free.
    assert!(taken < (32 + 4) * 1024, "{taken}");
}

/// Each session has a will of 60 kB that waits for an hour.
fn wills(home: &Home, user: &str) {
    let will = Some(("reply/will", 60_000));
    let come = |number: u32| {
        let client = format!("will-{number}");
        Hello { v5: true, will, ..old(user, &client) }.connect(home).map(drop)
    };
    let refused = (0..60).filter_map(|number| come(number).err());
    assert!(refused.count() >= 25, "a quarter of 8 MiB is hers");
}

/// A device begins sessions that last for ever.
fn sessions(home: &Home, user: &str) {
    let come = |number: u32| new(user, &format!("session-{number}")).connect(home).map(drop);
    let refused = (0..200).filter_map(|number| come(number).err()).count();
    assert_eq!(refused, 160, "a fiftieth of 2,000 is a device's");
}

/// Sessions are subscribed to everything that she can say, go to sleep, and she goes on.
fn sleepers(home: &Home, user: &str) {
    for number in 0..20 {
        let mut sleeper = old(user, &format!("sleeper-{number}")).connect(home).unwrap();
        assert_eq!(sleeper.subscribe("reply/sleepers", 1), 1);
    }
    let mut raw = old(user, "sandman").connect(home).unwrap();
    for pid in 1..=300 {
        assert!(raw.publish("reply/sleepers", &[b'x'; 60_000], (1, pid)));
        assert!(raw.packet().is_some_and(|(kind, _)| kind == 0x40), "its PUBACK");
    }
}

/// She asks and never reads.
fn queries(home: &Home, user: &str) {
    let mut raw = old(user, "queries").connect(home).unwrap();
    raw.subscribe("reply/queries", 1);
    let query = br#"{"reply_to": "reply/queries"}"#;
    for _ in 0..5000 {
        if !raw.publish("home/hall/door/get", query, (0, 0)) {
            return;
        }
    }
}

/// The same with what is long to answer.
fn histories(home: &Home, user: &str) {
    let mut raw = old(user, "histories").connect(home).unwrap();
    raw.subscribe("reply/histories", 1);
    for pid in 1..=300 {
        for verb in ["log", "history"] {
            let query = br#"{"reply_to": "reply/histories", "zone": "hall", "name": "door"}"#;
            if !raw.publish(&format!("hearth/home/api/{verb}"), query, (1, pid)) {
                return;
            }
        }
    }
}

/// A hundred connections send the beginning of 16 MiB.
fn halves(home: &Home, user: &str) {
    let begun: Vec<Raw> = (0..100)
        .map(|number| {
            let mut raw = old(user, &format!("half-{number}")).connect(home).unwrap();
            raw.begin(0x30, 16 << 20, 400_000);
            raw
        })
        .collect();
    begun.into_iter().map(drained).for_each(drop);
}

/// She subscribes to as many filters with wildcards as she can.
fn filters(home: &Home, user: &str) {
    let mut raw = old(user, "filters").connect(home).unwrap();
    let refused = (0..400).filter(|number| raw.subscribe(&format!("reply/{number}/+"), 0) == 0x80);
    assert!(refused.count() >= 150, "a quarter of 1,000 is hers");
}

/// A device reports what nobody understands.
fn nonsense(home: &Home, user: &str) {
    let mut raw = new(user, "nonsense").connect(home).unwrap();
    for pid in 1..=500 {
        assert!(raw.publish(&format!("home/{user}/report"), br#"{"state":null}"#, (1, pid)));
    }
    let reader = raw.twin();
    reader.patience(Duration::from_secs(5));
    let mut reader = reader;
    let answers: Vec<_> = std::iter::from_fn(|| reader.packet())
        .take(500)
        .filter(|(kind, _)| *kind == 0x40)
        .collect();
    assert!(answers.iter().all(|(_, ack)| ack.get(2).is_some_and(|reason| *reason >= 0x80)));
}

/// A device reports as fast as it can, each time with another id.
fn ids(home: &Home, user: &str) {
    let mut raw = new(user, "ids").connect(home).unwrap();
    let reader = raw.twin();
    let reading = std::thread::spawn(move || drained(reader));
    for number in 1..=2500_u16 {
        let report = format!(r#"{{"state": "ON", "id": "{number}"}}"#);
        if !raw.publish(&format!("home/{user}/report"), report.as_bytes(), (1, number)) {
            break;
        }
    }
    drop(reading.join());
}

/// Orders that are to be obeyed again and again.
fn retained(home: &Home, user: &str) {
    let mut raw = old(user, "retained").connect(home).unwrap();
    let reader = raw.twin();
    let reading = std::thread::spawn(move || drained(reader));
    for number in 0..1000 {
        let topic = format!("home/hall/door-{number}/set");
        if !raw.retained(&topic, b"ON") {
            break;
        }
    }
    drop(reading.join());
}

/// She comes and goes.
fn churn(home: &Home, user: &str) {
    for number in 0..500 {
        assert!(old(user, &format!("churn-{}", number % 7)).connect(home).is_ok());
    }
}
