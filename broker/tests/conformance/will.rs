//! Wills, chapters 3.1.2.5 to 3.1.2.7, 3.1.3.2 and 3.14.4.

use std::io::Write;

use crate::case::{Version, cases};
use crate::server::Server;
use crate::wire::{self, Connect, Publish, Will, id};

cases! {
    a_will_follows_a_lost_connection: V311 "3.1.2-8", V5 "3.1.2-7 3.1.2-8";
    a_will_follows_a_reset: V311 "3.1.2-8", V5 "3.1.2-8";
    a_will_follows_a_fault: V311 "3.1.2-8", V5 "3.1.2-8";
    a_will_follows_a_takeover: V311 "3.1.2-8", V5 "3.1.2-8";
    a_will_follows_the_takeover_of_a_kept_session: V311 "3.1.2-8", V5 "3.1.2-8";
    goodbye_destroys_the_will: V311 "3.1.2-10 3.14.4-3", V5 "3.1.2-10 3.14.4-3";
    goodbye_with_will: V5 "3.1.2-8";
    goodbye_with_a_fault: V5 "3.1.2-8";
    a_will_comes_once: V311 "3.1.2-10", V5 "3.1.2-10";
    without_a_will_none_comes: V311 "3.1.2-12", V5 "";
    a_will_is_not_retained: V311 "3.1.2-16", V5 "3.1.2-14";
    a_retained_will_is: V311 "3.1.2-17", V5 "3.1.2-15";
    a_will_has_its_qos: V311 "3.1.2-8", V5 "3.1.2-8";
    a_will_may_be_empty: V311 "", V5 "";
    a_will_topic_has_no_wildcards: V311 "", V5 "";
    a_will_waits_for_its_delay: V5 "3.1.2-8";
    a_will_comes_when_the_session_ends: V5 "3.1.2-8 4.1.0-2";
    no_will_for_those_who_come_back: V5 "3.1.3-9 3.1.2-8";
    a_clean_start_ends_the_session_and_brings_the_will: V5 "3.1.2-8 3.1.2-4";
    a_will_keeps_its_properties: V5 "3.1.3-10 3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-18 3.3.2-20";
}

/// Returns when at least so many seconds have passed, which a broker of MQTT 5 knows from a will's delay.
pub(crate) fn wait_seconds(server: &Server, seconds: u32) {
    let server = &server.speaking(Version::V5);
    let topic = server.topic("clock/will");
    let mut watcher = server.watcher("clock-watcher", &topic, 0);
    server.open(&delayed(server, "clock", &topic, seconds)).0.vanish();
    watcher.take();
}

/// A client with a session and a will that waits.
fn delayed(server: &Server, who: &str, topic: &str, seconds: u32) -> Connect {
    let will = Will::new(topic, who).with(wire::four(id::WILL_DELAY, seconds));
    let connect = server.connect(who).will(will);
    connect.with(wire::four(id::SESSION_EXPIRY, 3600))
}

fn a_will_follows_a_lost_connection(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    server.open(&server.connect("lost").will(Will::new(&topic, "will"))).0.vanish();
    let got = watcher.take();
    assert_eq!((got.text(), &got.topic), ("will", &topic));
}

fn a_will_follows_a_reset(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let (mut client, _) = server.open(&server.connect("reset").will(Will::new(&topic, "will")));
    // Closing with something unread resets the connection.
    client.send(&[0xC0, 0]);
    client.stream.peek(&mut [0]).expect("PINGRESP");
    client.vanish();
    assert_eq!(watcher.take().text(), "will");
}

fn a_will_follows_a_fault(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let (mut client, _) = server.open(&server.connect("fault").will(Will::new(&topic, "will")));
    client.stream.write_all(&[0xF7, 0]).expect("an open connection");
    assert_eq!(watcher.take().text(), "will");
}

fn a_will_follows_a_takeover(server: &Server) {
    takeover(server, server.connect("taken"));
}

fn a_will_follows_the_takeover_of_a_kept_session(server: &Server) {
    takeover(server, server.connect("taken").keep());
}

fn takeover(server: &Server, connect: Connect) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let (mut old, _) = server.open(&connect.clone().will(Will::new(&topic, "will")));
    let (mut new, _) = server.open(&connect);
    assert_eq!(watcher.take().text(), "will");
    old.ends_at_once(0x8E);
    new.ping();
}

fn goodbye_destroys_the_will(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    for connect in [server.connect("polite"), server.connect("polite").keep()] {
        server.open(&connect.will(Will::new(&topic, "will"))).0.disconnect();
        server.client("marker").start(&Publish::new(&topic, "none"));
        assert_eq!(watcher.take().text(), "none");
    }
}

fn goodbye_with_will(server: &Server) {
    goodbye(server, &[0x04]);
}

fn goodbye_with_a_fault(server: &Server) {
    goodbye(server, &[0x80, 0x81, 0x99]);
}

/// Only DISCONNECT with reason 0 destroys the will.
fn goodbye(server: &Server, reasons: &[u8]) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    for &reason in reasons {
        let (mut client, _) = server.open(&server.connect("will").will(Will::new(&topic, "will")));
        client.send(&[0xE0, 1, reason]);
        assert_eq!(watcher.take().text(), "will", "reason {reason:#x}");
        client.end();
    }
}

fn a_will_comes_once(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let connect = server.connect("once").keep();
    server.open(&connect.clone().will(Will::new(&topic, "will"))).0.vanish();
    assert_eq!(watcher.take().text(), "will");
    // The session goes on without one.
    let (client, connack) = server.open(&connect);
    assert!(connack.session_present);
    client.vanish();
    server.client("marker").start(&Publish::new(&topic, "none"));
    assert_eq!(watcher.take().text(), "none");
}

fn without_a_will_none_comes(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let connect = server.connect("none").keep();
    server.open(&connect.clone().will(Will::new(&topic, "will"))).0.disconnect();
    server.open(&connect).0.vanish();
    server.client("marker").start(&Publish::new(&topic, "none"));
    assert_eq!(watcher.take().text(), "none");
}

fn a_will_is_not_retained(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    server.open(&server.connect("lost").will(Will::new(&topic, "will"))).0.vanish();
    watcher.take();
    server.watcher("later", &topic, 1).ping();
}

fn a_retained_will_is(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let will = Will::new(&topic, "will").retain();
    server.open(&server.connect("lost").will(will)).0.vanish();
    assert!(!watcher.take().retain());
    let got = server.watcher("later", &topic, 1).take();
    assert_eq!((got.text(), got.retain()), ("will", true));
}

fn a_will_has_its_qos(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 2);
    for qos in [0, 1, 2] {
        let will = Will::new(&topic, "will").qos(qos);
        server.open(&server.connect("lost").will(will)).0.vanish();
        assert_eq!(watcher.take().qos(), qos);
    }
}

fn a_will_may_be_empty(server: &Server) {
    let topic = server.topic("will");
    server.client("publisher").publish(&Publish::new(&topic, "online").qos(1).retain());
    let mut watcher = server.watcher("watcher", &topic, 1);
    watcher.take();
    server.open(&server.connect("lost").will(Will::new(&topic, "").retain())).0.vanish();
    assert_eq!(watcher.take().text(), "");
    server.watcher("later", &topic, 1).ping();
}

fn a_will_topic_has_no_wildcards(server: &Server) {
    for topic in ["#", "+", ""] {
        let connect = server.connect("wild").will(Will::new(topic, "will"));
        assert!(server.say(&connect.bytes()).refusal().is_none_or(|code| code >= 0x80));
    }
}

fn a_will_waits_for_its_delay(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    // In the order of their delays, not of their ends.
    for (who, seconds) in [("slow", 3), ("quick", 1)] {
        server.open(&delayed(server, who, &topic, seconds)).0.vanish();
    }
    server.client("marker").start(&Publish::new(&topic, "now"));
    assert_eq!(watcher.take_texts(3), ["now", "quick", "slow"]);
}

fn a_will_comes_when_the_session_ends(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let will = Will::new(&topic, "will").with(wire::four(id::WILL_DELAY, 3600));
    // At once if the session has no expiry, after a second if it has one.
    let connect = server.connect("brief").will(will);
    server.open(&connect).0.vanish();
    assert_eq!(watcher.take().text(), "will");
    let connect = connect.with(wire::four(id::SESSION_EXPIRY, 1));
    server.open(&connect).0.vanish();
    assert_eq!(watcher.take().text(), "will");
    let (_client, connack) = server.open(&server.connect("brief").resume());
    assert!(!connack.session_present, "the session has ended");
}

fn no_will_for_those_who_come_back(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let back = delayed(server, "back", &topic, 1);
    server.open(&back).0.vanish();
    let (mut client, connack) = server.open(&back.clone().resume());
    assert!(connack.session_present);
    // This one's will is due later than the one that must not come.
    server.open(&delayed(server, "gone", &topic, 2)).0.vanish();
    assert_eq!(watcher.take().text(), "gone");
    client.ping();
    // The same for one that comes back before it was missed.
    let (mut again, _) = server.open(&back.resume());
    client.ends_at_once(0x8E);
    server.open(&delayed(server, "gone", &topic, 2)).0.vanish();
    assert_eq!(watcher.take().text(), "gone");
    again.ping();
}

fn a_clean_start_ends_the_session_and_brings_the_will(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let connect = delayed(server, "anew", &topic, 3600);
    server.open(&connect).0.vanish();
    let _client = server.open(&server.connect("anew"));
    assert_eq!(watcher.take().text(), "anew");
}

fn a_will_keeps_its_properties(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let will = Will::new(&topic, "will")
        .with(wire::byte(id::PAYLOAD_FORMAT, 1))
        .with(wire::four(id::MESSAGE_EXPIRY, 600))
        .with(wire::string(id::CONTENT_TYPE, "text/plain"))
        .with(wire::string(id::RESPONSE_TOPIC, "answers/here"))
        .with(wire::string(id::CORRELATION, [0, 255]))
        .with(wire::user("b", "1"))
        .with(wire::user("a", "2"))
        .with(wire::user("b", "1"));
    server.open(&server.connect("lost").will(will)).0.vanish();
    let got = watcher.take().properties;
    assert_eq!(got.number(id::PAYLOAD_FORMAT), Some(1));
    assert!(got.number(id::MESSAGE_EXPIRY).is_some_and(|left| (1..=600).contains(&left)));
    assert_eq!(got.bytes(id::CONTENT_TYPE), Some(&b"text/plain"[..]));
    assert_eq!(got.bytes(id::RESPONSE_TOPIC), Some(&b"answers/here"[..]));
    assert_eq!(got.bytes(id::CORRELATION), Some(&[0, 255][..]));
    assert_eq!(got.pairs(), [("b", "1"), ("a", "2"), ("b", "1")]);
    assert!(!got.has(id::WILL_DELAY));
}
