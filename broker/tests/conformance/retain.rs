//! Retained messages, chapter 3.3.1.3.

use crate::case::cases;
use crate::client::Client;
use crate::server::Server;
use crate::wire::{Publish, four, id};

cases! {
    retained_messages_are_kept_for_later:
        V311 "3.3.1-5 3.3.1-6 3.3.1-8", V5 "3.3.1-5 3.3.1-9";
    the_last_one_counts: V311 "3.3.1-6 3.3.1-7", V5 "3.3.1-5";
    established_subscriptions_get_no_retain: V311 "3.3.1-9", V5 "3.3.1-12";
    retain_as_published: V5 "3.3.1-12 3.3.1-13";
    an_empty_one_clears: V311 "3.3.1-10 3.3.1-11", V5 "3.3.1-6 3.3.1-7";
    without_retain_nothing_changes: V311 "3.3.1-12", V5 "3.3.1-8";
    every_subscribe_brings_them_again: V311 "3.8.4-3", V5 "3.3.1-9 3.8.4-4";
    retain_handling_1_brings_them_once: V5 "3.3.1-10";
    retain_handling_2_brings_none: V5 "3.3.1-11";
    they_outlive_sessions: V311 "3.1.2-7", V5 "";
    stored_qos_is_kept: V311 "3.3.1-5 3.8.4-6", V5 "3.8.4-8";
    stored_messages_expire: V5 "3.3.2-5 3.3.2-6";
    a_hundred_thousand_arrive: V311 "3.3.1-6", V5 "3.3.1-9";
}

const AS_PUBLISHED: u8 = 8;
const IF_NEW: u8 = 0x10;
const NEVER: u8 = 0x20;

/// Publishes a retained message and waits until it is stored.
fn keep(client: &mut Client, topic: &str, text: &str) {
    client.publish(&Publish::new(topic, text).qos(1).retain());
}

fn retained_messages_are_kept_for_later(server: &Server) {
    let topics = ["a/1", "a/2", "b/1"].map(|name| server.topic(name));
    let mut client = server.client("publisher");
    topics.iter().for_each(|topic| keep(&mut client, topic, topic));
    for filter in ["#", "+/+", "a/1"] {
        let mut watcher = server.watcher("watcher", &server.topic(filter), 1);
        let expected = if filter == "a/1" { &topics[..1] } else { &topics[..] };
        let mut got: Vec<_> = expected.iter().map(|_| watcher.take()).collect();
        got.sort_by(|a, b| a.topic.cmp(&b.topic));
        for (got, topic) in got.iter().zip(expected) {
            assert_eq!((got.text(), &got.topic, got.retain()), (&topic[..], topic, true));
        }
        watcher.ping();
    }
}

fn the_last_one_counts(server: &Server) {
    let topic = server.topic("last");
    let mut client = server.client("publisher");
    for (qos, text) in [(1, "one"), (2, "two"), (0, "three")] {
        client.publish(&Publish::new(&topic, text).qos(qos).retain());
        client.ping();
        let mut watcher = server.watcher("watcher", &topic, 0);
        assert_eq!(watcher.take().text(), text);
        watcher.ping();
    }
}

fn established_subscriptions_get_no_retain(server: &Server) {
    let topic = server.topic("flag");
    for filter in ["flag", "+"] {
        let mut watcher = server.watcher("watcher", &server.topic(filter), 1);
        keep(&mut server.client("publisher"), &topic, "fresh");
        assert!(!watcher.take().retain());
        keep(&mut server.client("publisher"), &topic, "");
        assert!(!watcher.take().retain());
    }
}

fn retain_as_published(server: &Server) {
    let topic = server.topic("flag");
    for filter in ["flag", "+"] {
        let mut plain = server.watcher("plain", &server.topic(filter), 0);
        let mut same = server.watcher("same", &server.topic(filter), AS_PUBLISHED);
        let mut client = server.client("publisher");
        for publish in [Publish::new(&topic, "x").retain(), Publish::new(&topic, "x")] {
            client.start(&publish);
            assert!(!plain.take().retain());
            assert_eq!(same.take().retain(), publish.retain);
        }
        keep(&mut client, &topic, "");
    }
}

fn an_empty_one_clears(server: &Server) {
    let topic = server.topic("clear");
    let mut client = server.client("publisher");
    let mut watcher = server.watcher("watcher", &topic, 0);
    for qos in [0, 1, 2] {
        keep(&mut client, &topic, "full");
        client.publish(&Publish::new(&topic, "").qos(qos).retain());
        assert_eq!(watcher.take_texts(2), ["full", ""], "an ordinary message to those who listen");
        client.ping();
        // Neither the old one nor the empty one is there.
        server.watcher("later", &topic, 0).ping();
    }
}

fn without_retain_nothing_changes(server: &Server) {
    let topic = server.topic("plain");
    let mut client = server.client("publisher");
    client.publish(&Publish::new(&topic, "never stored").qos(1));
    server.watcher("early", &topic, 0).ping();
    keep(&mut client, &topic, "kept");
    for text in ["", "other"] {
        client.publish(&Publish::new(&topic, text).qos(1));
        let mut watcher = server.watcher("watcher", &topic, 0);
        assert_eq!(watcher.take().text(), "kept");
    }
}

fn every_subscribe_brings_them_again(server: &Server) {
    let topic = server.topic("again");
    keep(&mut server.client("publisher"), &topic, "kept");
    let mut watcher = server.client("watcher");
    for filter in ["again", "again", "+", "+", "again"] {
        watcher.watch(&server.topic(filter), 1);
        let got = watcher.take();
        assert_eq!((got.text(), got.retain()), ("kept", true));
        watcher.ping();
    }
}

fn retain_handling_1_brings_them_once(server: &Server) {
    let topic = server.topic("once");
    keep(&mut server.client("publisher"), &topic, "kept");
    for filter in ["once", "+"] {
        let filter = server.topic(filter);
        let mut watcher = server.watcher("watcher", &filter, IF_NEW);
        assert_eq!(watcher.take().text(), "kept");
        watcher.watch(&filter, IF_NEW | 1);
        watcher.ping();
        watcher.unsubscribe(&[&filter]);
        watcher.watch(&filter, IF_NEW);
        assert_eq!(watcher.take().text(), "kept", "new again");
    }
}

fn retain_handling_2_brings_none(server: &Server) {
    let topic = server.topic("never");
    keep(&mut server.client("publisher"), &topic, "kept");
    let mut watcher = server.client("watcher");
    for filter in ["never", "+", "never"] {
        watcher.watch(&server.topic(filter), NEVER);
        watcher.ping();
    }
}

fn they_outlive_sessions(server: &Server) {
    let topic = server.topic("outlive");
    let (mut client, _) = server.open(&server.connect("publisher"));
    keep(&mut client, &topic, "kept");
    client.disconnect();
    let (client, connack) = server.open(&server.connect("publisher").resume());
    assert!(!connack.session_present, "its session is gone");
    client.disconnect();
    server.open(&server.connect("publisher")).0.disconnect();
    assert_eq!(server.watcher("watcher", &topic, 0).take().text(), "kept");
}

fn stored_qos_is_kept(server: &Server) {
    let mut client = server.client("publisher");
    for stored in [0, 1, 2] {
        let topic = server.topic(&format!("{stored}"));
        client.publish(&Publish::new(&topic, "x").qos(stored).retain());
        client.ping();
        for granted in [0, 1, 2] {
            let mut watcher = server.watcher("watcher", &topic, granted);
            assert_eq!(watcher.take().qos(), stored.min(granted));
        }
    }
}

fn stored_messages_expire(server: &Server) {
    let (long, short) = (server.topic("long"), server.topic("short"));
    let mut client = server.client("publisher");
    let keep = |topic, seconds| {
        Publish::new(topic, "kept").qos(1).retain().with(four(id::MESSAGE_EXPIRY, seconds))
    };
    client.publish(&keep(&long, 100));
    client.publish(&keep(&short, 1));
    crate::will::wait_seconds(server, 2);
    let mut watcher = server.watcher("watcher", &server.topic("#"), 0);
    let got = watcher.take();
    let left = got.properties.number(id::MESSAGE_EXPIRY);
    assert_eq!(got.topic, long);
    assert!(left.is_some_and(|left| left < 100), "{left:?} seconds left of 100");
    watcher.ping();
}

fn a_hundred_thousand_arrive(server: &Server) {
    const MANY: usize = 100_000;
    let own = server.own(|_| {}, "");
    let server = &own.server;
    let mut client = server.client("publisher");
    let mut topics: Vec<_> = (0..MANY).map(|number| server.topic(&number.to_string())).collect();
    for some in topics.chunks(1000) {
        for topic in some {
            client.start(&Publish::new(topic, topic).retain());
        }
        client.ping();
    }
    let mut watcher = server.watcher("watcher", "#", 0);
    let mut got: Vec<_> = (0..MANY).map(|_| watcher.got().topic).collect();
    got.sort_unstable();
    topics.sort_unstable();
    assert!(got == topics, "each of them once");
}
