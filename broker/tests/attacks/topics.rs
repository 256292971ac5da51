//! Topics and filters without end.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use crate::Attack;
use crate::kit::{Client, packet, text};
use crate::victim::{KIB, MIB, Victim};
use crate::witness::Witness;

pub(crate) const ATTACKS: &[Attack] = &[
    ("a_hundred_thousand_retained_topics", a_hundred_thousand_retained_topics),
    ("a_hundred_thousand_filters", a_hundred_thousand_filters),
    ("filters_of_all_sessions_together", filters_of_all_sessions_together),
    ("topics_as_deep_as_they_come", topics_as_deep_as_they_come),
];

const QUOTA: u8 = 0x97;

fn a_hundred_thousand_retained_topics() {
    /// Of 120,000 those that are not kept for gateways, in thousands.
    const THOUSANDS: usize = 114;
    let victim = Victim::start("");
    let witness = Witness::of(&victim);
    let mut writer = victim.v5("writer").connect();
    for thousand in 0..THOUSANDS {
        let mut batch = Vec::new();
        for number in 0..1_000 {
            let topic = format!("made/up/{}", thousand * 1_000 + number);
            batch.extend(writer.publish_bytes(&topic, "payload", 3, &[]).1);
        }
        writer.send(&batch);
        for _ in 0..1_000 {
            assert_eq!(writer.expect(0x40).len(), 2, "acknowledged");
        }
    }
    for _ in 0..3 {
        writer.publish("made/up/one-more", "payload", 3);
        assert_eq!(writer.expect(0x40)[2], QUOTA);
    }
    victim.has_logged_once("127.0.0.1: published what there is no room for (client writer");
    writer.publish("made/up/7", "again", 3);
    assert_eq!(writer.expect(0x40).len(), 2, "a topic that is there may change");
    let mut old = victim.v4("old").connect();
    old.publish("made/up/one-more", "payload", 3);
    assert_eq!(old.end(), None, "MQTT 3.1.1 has no word for it: the connection ends");
    let mut reader = victim.v5("reader").connect();
    reader.subscribe("made/#", 0);
    for _ in 0..THOUSANDS * 1_000 {
        assert_eq!(reader.packet().0, 0x31);
    }
    witness.was_served();
    // Each a message and an entry of the table with its topic, half a KiB at most; each once more in the reader's
    // queue.
    victim.stays_below("retained topics", THOUSANDS * 1_000 * (512 + 128));
}

/// Subscribes to many filters in one packet; the codes.
fn subscribe(client: &mut Client, v5: bool, filters: &[String]) -> Vec<u8> {
    let mut body = client.pid().to_be_bytes().to_vec();
    if v5 {
        body.push(0);
    }
    for filter in filters {
        text(&mut body, filter);
        body.push(0);
    }
    client.send(&packet(0x82, &body));
    client.expect(0x90)[if v5 { 3 } else { 2 }..].to_vec()
}

fn filters(of: impl std::fmt::Display, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("made/up/{of}/{number}")).collect()
}

fn a_hundred_thousand_filters() {
    let victim = Victim::start("");
    let witness = Witness::of(&victim);
    let mut clients: Vec<(bool, Client)> = Vec::new();
    for number in 0..10 {
        let (v5, name) = (number % 2 == 0, format!("collector-{number}"));
        let options = if v5 { victim.v5(&name) } else { victim.v4(&name) };
        let mut client = options.connect();
        for from in (0..10_000).step_by(1_000) {
            let codes = subscribe(&mut client, v5, &filters(number, from..from + 1_000));
            assert!(codes.iter().all(|&code| code == 0));
        }
        let one_more = subscribe(&mut client, v5, &filters(number, 10_000..10_001));
        assert_eq!(one_more, [if v5 { QUOTA } else { 0x80 }]);
        clients.push((v5, client));
    }
    victim.has_logged_once("has as many subscriptions as there is room for");
    // Wildcards are dearer, so there may be fewer: 512 of one session, 20,000 altogether, of which 1,000 are kept for
    // gateways.
    let mut granted = 0;
    for number in 0..41 {
        let mut client = victim.v5(&format!("wild-{number}")).connect();
        let wild: Vec<_> = (0..513).map(|n| format!("wild/{number}/{n}/+")).collect();
        let codes = subscribe(&mut client, true, &wild);
        assert_eq!(codes[512], QUOTA);
        granted += codes.iter().filter(|&&code| code == 0).count();
        clients.push((true, client));
    }
    // One is the witness's.
    assert_eq!(granted, 19_000 - 1);
    victim.v5("hearth-home-1").connect().subscribe("home/+/reserve", 1);
    for (_, client) in &mut clients {
        client.ping();
    }
    witness.was_served();
    // An exact one stands in two tables, a wildcard one in a tree and two tables.
    victim.stays_below("filters", 100_000 * 512 + 20_000 * KIB);
}

fn filters_of_all_sessions_together() {
    let victim = Victim::start("session_bytes=8388608");
    let witness = Witness::of(&victim);
    // 8 MiB at 2.2 KiB each.
    let long = |of: usize| (0..100).map(move |n| format!("{of}/{n}/{}", "x".repeat(1_000)));
    let mut clients: Vec<Client> =
        (0..60).map(|number| victim.v5(&format!("c{number}")).connect()).collect();
    let mut granted = 0;
    for (number, client) in clients.iter_mut().enumerate() {
        let codes = subscribe(client, true, &long(number).collect::<Vec<_>>());
        assert!(codes.iter().all(|&code| code == 0 || code == QUOTA));
        granted += codes.iter().filter(|&&code| code == 0).count();
    }
    assert!((3_000..4_000).contains(&granted), "{granted} filters were granted");
    let mut last = clients.pop().unwrap();
    clients.truncate(30);
    // The end of a session is heard of a moment after the end of its connection.
    while subscribe(&mut last, true, &long(99).collect::<Vec<_>>()).contains(&QUOTA) {}
    witness.was_served();
    victim.stays_below("filters of all sessions", 8 * MIB + 62 * 20 * KIB);
}

fn topics_as_deep_as_they_come() {
    let victim = Victim::start("");
    let witness = Witness::of(&victim);
    let (deep, deeper) = ("d/".repeat(199), "d/".repeat(200));
    let mut client = victim.v5("deep").connect();
    client.subscribe(&deep, 1);
    client.publish_acked(&deep, "arrives");
    assert_eq!(client.got().payload, "arrives");
    assert_eq!(client.subscribe_only(&deeper, 1), 0x8F, "Topic filter invalid");
    client.publish(&deeper, "too deep", 2);
    assert_eq!(client.end(), Some(0x90), "Topic name invalid");
    let mut old = victim.v4("old").connect();
    assert_eq!(old.subscribe_only(&deeper, 1), 0x80);
    // A tree of 100,000 levels: no more than 500 filters that share nothing and have 200 of them.
    let mut granted = 0;
    let mut clients = Vec::new();
    for number in 0..3 {
        let mut client = victim.v5(&format!("c{number}")).connect();
        let filters: Vec<_> =
            (0..400).map(|n| format!("{number}-{n}/{}+", "d/".repeat(198))).collect();
        let codes = subscribe(&mut client, true, &filters);
        granted += codes.iter().filter(|&&code| code == 0).count();
        assert!(codes.iter().all(|&code| code == 0 || code == QUOTA));
        clients.push(client);
    }
    assert!((490..=500).contains(&granted), "{granted} filters were granted");
    witness.was_served();
    victim.stays_below("deep topics", 100_000 * 360);
}
