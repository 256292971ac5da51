//! PUBLISH, chapter 3.3.

use crate::case::{Version, cases};
use crate::server::Server;
use crate::wire::{self, Publish, id};

cases! {
    qos_3_ends_the_connection: V311 "3.3.1-4", V5 "3.3.1-4";
    qos_0_has_no_dup: V311 "3.3.1-2", V5 "3.3.1-2";
    dup_does_not_travel: V311 "3.3.1-3 4.3.1-1 2.3.1-5", V5 "3.3.1-3 4.3.1-1 2.2.1-2";
    wildcards_in_a_topic_end_the_connection: V311 "3.3.2-2 4.7.1-1", V5 "3.3.2-2 4.7.0-1";
    a_topic_is_not_empty: V311 "4.7.3-1", V5 "4.7.3-1";
    the_qos_says_what_is_answered: V311 "3.3.4-1 2.3.1-6", V5 "3.3.4-1 2.2.1-5 3.4.2-1 3.5.2-1 3.7.2-1";
    topics_of_deliveries_match: V311 "3.3.2-3", V5 "3.3.2-3";
    nobody_gets_the_identifiers_of_a_publisher: V5 "3.3.4-6";
    from_5_to_3_1_1_and_back: V311 "", V5 "";
    nobody_listens: V311 "3.3.4-1", V5 "3.3.4-1";
}

fn qos_3_ends_the_connection(server: &Server) {
    for dup in [0, 8] {
        let mut client = server.client("publisher");
        let mut bytes = Publish::new(server.topic("x"), "x").qos(1).pid(1).bytes(server.version);
        bytes[0] = 0x36 | dup;
        client.send(&bytes);
        client.ends(0x81);
    }
}

fn qos_0_has_no_dup(server: &Server) {
    let mut client = server.client("publisher");
    client.start(&Publish::new(server.topic("x"), "x").dup());
    client.ends(0x81);
}

fn dup_does_not_travel(server: &Server) {
    let topic = server.topic("dup");
    let mut watchers = [0, 1, 2].map(|qos| server.watcher(&format!("{qos}"), &topic, qos));
    let mut client = server.client("publisher");
    for qos in [1, 2] {
        client.publish(&Publish::new(&topic, "x").qos(qos).dup());
        for watcher in &mut watchers {
            assert!(!watcher.take().dup());
        }
    }
}

fn wildcards_in_a_topic_end_the_connection(server: &Server) {
    for name in ["#", "+", "a/#", "a/+/b", "a+", "a#b"] {
        let mut client = server.client("publisher");
        client.start(&Publish::new(server.topic(name), "x"));
        client.ends(0x90);
    }
}

fn a_topic_is_not_empty(server: &Server) {
    let mut client = server.client("publisher");
    client.start(&Publish::new("", "x").qos(1));
    client.ends(if server.version == Version::V5 { 0x82 } else { 0x90 });
}

fn the_qos_says_what_is_answered(server: &Server) {
    let mut client = server.client("publisher");
    client.publish(&Publish::new(server.topic("x"), "x"));
    // Nothing answers QoS 0, so this PINGRESP is next.
    client.ping();
    for qos in [1, 2] {
        for pid in [1, 255, 256, 65_535] {
            client.publish(&Publish::new(server.topic("x"), "x").qos(qos).pid(pid));
        }
    }
}

fn nobody_listens(server: &Server) {
    let mut client = server.client("publisher");
    client.publish(&Publish::new(server.topic("nobody"), "x").qos(1));
    client.publish(&Publish::new(server.topic("nobody"), "").qos(2).retain());
}

fn topics_of_deliveries_match(server: &Server) {
    let mut watcher = server.watcher("watcher", &server.topic("+/on"), 0);
    let mut client = server.client("publisher");
    for name in ["a/on", "a/off", "on", "/on", "a/b/on", "b/on"] {
        client.start(&Publish::new(server.topic(name), name));
    }
    for name in ["a/on", "/on", "b/on"] {
        let got = watcher.take();
        assert_eq!((got.topic, got.payload), (server.topic(name), name.into()));
    }
}

fn nobody_gets_the_identifiers_of_a_publisher(server: &Server) {
    let mut client = server.client("publisher");
    client.start(&Publish::new(server.topic("x"), "x").with(wire::subscription(5)));
    client.ends(0x82);
}

fn from_5_to_3_1_1_and_back(server: &Server) {
    let topic = server.topic("bridge");
    let other = match server.version {
        Version::V311 => Version::V5,
        Version::V5 => Version::V311,
    };
    let mut there = server.speaking(other).watcher("there", &topic, 2);
    let mut publish = Publish::new(&topic, "across").qos(2).retain();
    if server.version == Version::V5 {
        publish = publish.with(wire::user("a", "b")).with(wire::byte(id::PAYLOAD_FORMAT, 1));
    }
    server.client("here").publish(&publish);
    // What 3.1.1 has no room for is left out, so what comes is just this.
    let got = there.take();
    assert_eq!((&got.topic, got.text(), got.qos(), got.retain()), (&topic, "across", 2, false));
    let stored = server.speaking(other).watcher("later", &topic, 1).take();
    assert_eq!((stored.text(), stored.qos(), stored.retain()), ("across", 1, true));
    assert!(got.properties.pairs().is_empty());
    // And the other way, to the one that understands more.
    let mut here = server.watcher("back", &topic, 0);
    here.take();
    server.speaking(other).client("writer").publish(&Publish::new(&topic, "back").qos(1));
    assert_eq!(here.take().text(), "back");
}
