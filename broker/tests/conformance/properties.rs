//! Properties of MQTT 5 that travel with a message, chapter 3.3.2.3, and those that have no place in a packet.

use crate::case::cases;
use crate::server::{Kind, Server};
use crate::wire::{self, Connect, Publish, id, kind};

cases! {
    properties_travel_unaltered: V5 "3.3.2-4 3.3.2-15 3.3.2-16 3.3.2-17 3.3.2-18 3.3.2-20";
    no_properties_stay_none: V5 "2.2.2-1";
    many_user_properties_arrive: V5 "3.3.2-17 3.3.2-18";
    the_rest_of_the_expiry_arrives: V5 "3.3.2-6";
    an_expired_message_is_not_stored: V5 "3.3.2-5";
    unknown_properties_end_the_connection: V5 "4.13.1-1";
    properties_stand_once: V5 "4.13.1-1";
    properties_stand_in_their_packets: V5 "4.13.1-1";
    properties_have_their_values: V5 "4.13.1-1";
    connect_properties_stand_once: V5 "3.1.4-1";
    connect_properties_have_their_values: V5 "3.1.4-1";
    connect_has_no_foreign_properties: V5 "3.1.4-1";
    a_password_needs_no_user_name: V5 "";
    without_problem_information_there_is_none: V5 "3.1.2-29";
}

fn properties_travel_unaltered(server: &Server) {
    let topic = server.topic("all");
    let mut now = server.watcher("now", &topic, 1);
    let mut by_wildcard = server.watcher("wild", &server.topic("+"), 1);
    let publish = Publish::new(&topic, "x")
        .qos(1)
        .retain()
        .with(wire::byte(id::PAYLOAD_FORMAT, 1))
        .with(wire::string(id::CONTENT_TYPE, "a/b; c=\u{E9}"))
        .with(wire::string(id::RESPONSE_TOPIC, "answers/to/me"))
        .with(wire::string(id::CORRELATION, [0, 1, 255]))
        .with(wire::user("b", "1"))
        .with(wire::user("a", "2"))
        .with(wire::user("b", "1"))
        .with(wire::user("", ""));
    server.client("publisher").publish(&publish);
    let mut later = server.watcher("later", &topic, 1);
    for watcher in [&mut now, &mut by_wildcard, &mut later] {
        let got = watcher.take().properties;
        assert_eq!(got.number(id::PAYLOAD_FORMAT), Some(1));
        assert_eq!(got.bytes(id::CONTENT_TYPE), Some("a/b; c=\u{E9}".as_bytes()));
        assert_eq!(got.bytes(id::RESPONSE_TOPIC), Some(&b"answers/to/me"[..]));
        assert_eq!(got.bytes(id::CORRELATION), Some(&[0, 1, 255][..]));
        assert_eq!(got.pairs(), [("b", "1"), ("a", "2"), ("b", "1"), ("", "")]);
        assert!(!got.has(id::MESSAGE_EXPIRY));
    }
}

fn no_properties_stay_none(server: &Server) {
    let topic = server.topic("none");
    let mut watcher = server.watcher("watcher", &topic, 0);
    server.client("publisher").start(&Publish::new(&topic, "x"));
    // Kind, length, topic, a properties length of one byte, payload.
    assert_eq!(watcher.take().size, 2 + 2 + topic.len() + 1 + 1);
}

fn many_user_properties_arrive(server: &Server) {
    let topic = server.topic("many");
    let mut watcher = server.watcher("watcher", &topic, 0);
    let long = "v".repeat(1000);
    let names: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    let publish = names
        .iter()
        .fold(Publish::new(&topic, "x"), |publish, name| publish.with(wire::user(name, &long)));
    server.client("publisher").start(&publish);
    let got = watcher.take();
    assert!(names.iter().map(|name| (&name[..], &long[..])).eq(got.properties.pairs()));
}

fn the_rest_of_the_expiry_arrives(server: &Server) {
    let topic = server.topic("expiry");
    let mut watcher = server.watcher("watcher", &topic, 0);
    let publish = Publish::new(&topic, "x").with(wire::four(id::MESSAGE_EXPIRY, 1000));
    server.client("publisher").start(&publish);
    let left = watcher.take().properties.number(id::MESSAGE_EXPIRY);
    assert!(left.is_some_and(|left| (900..=1000).contains(&left)), "{left:?}");
}

fn an_expired_message_is_not_stored(server: &Server) {
    let topic = server.topic("brief");
    let mut client = server.client("publisher");
    let brief = wire::four(id::MESSAGE_EXPIRY, 1);
    client.publish(&Publish::new(&topic, "x").qos(1).retain().with(brief));
    crate::will::wait_seconds(server, 2);
    server.watcher("later", &topic, 0).ping();
}

/// A PUBLISH with these properties ends the connection.
fn publish_ends(server: &Server, list: &[Vec<u8>], reason: u8) {
    let mut client = server.client("publisher");
    let mut publish = Publish::new(server.topic("x"), "x");
    publish.properties = list.into();
    client.start(&publish);
    client.ends(reason);
}

fn unknown_properties_end_the_connection(server: &Server) {
    for property in [vec![0x00, 0], vec![0x04, 0], vec![0x2B, 0], vec![0x7F, 0]] {
        publish_ends(server, &[property], 0x81);
    }
}

fn properties_stand_once(server: &Server) {
    for property in [
        wire::byte(id::PAYLOAD_FORMAT, 1),
        wire::four(id::MESSAGE_EXPIRY, 9),
        wire::two(id::ALIAS, 1),
        wire::string(id::RESPONSE_TOPIC, "x"),
        wire::string(id::CORRELATION, "x"),
        wire::string(id::CONTENT_TYPE, "x"),
    ] {
        publish_ends(server, &[property.clone(), property], 0x82);
    }
}

fn properties_stand_in_their_packets(server: &Server) {
    for property in [
        wire::four(id::SESSION_EXPIRY, 1),
        wire::two(id::RECEIVE_MAXIMUM, 1),
        wire::four(id::WILL_DELAY, 1),
        wire::string(id::REASON, "x"),
        wire::byte(id::MAXIMUM_QOS, 1),
    ] {
        publish_ends(server, &[property], 0x81);
    }
    let foreign = wire::properties(&[wire::two(id::ALIAS, 1)]);
    for packet in [
        wire::packet(kind::PUBACK << 4, &[&[0, 1, 0][..], &foreign].concat()),
        wire::packet(0x62, &[&[0, 1, 0][..], &foreign].concat()),
        wire::packet(0x82, &[&[0, 1][..], &foreign, b"\0\x01x\0"].concat()),
        wire::packet(0xA2, &[&[0, 1][..], &foreign, b"\0\x01x"].concat()),
        wire::packet(0xE0, &[&[0][..], &foreign].concat()),
    ] {
        let mut client = server.client("foreign");
        client.send(&packet);
        client.ends(0x81);
    }
}

fn properties_have_their_values(server: &Server) {
    publish_ends(server, &[wire::byte(id::PAYLOAD_FORMAT, 2)], 0x82);
}

fn connect_properties_stand_once(server: &Server) {
    for property in [
        wire::four(id::SESSION_EXPIRY, 1),
        wire::two(id::RECEIVE_MAXIMUM, 1),
        wire::four(id::MAXIMUM_PACKET, 100),
        wire::two(id::ALIAS_MAXIMUM, 1),
        wire::byte(id::REQUEST_PROBLEM, 1),
        wire::byte(id::REQUEST_RESPONSE, 0),
    ] {
        let connect = server.connect("twice").with(property.clone()).with(property);
        connect_is_refused(&connect, server, 0x82);
    }
}

fn connect_properties_have_their_values(server: &Server) {
    for property in [
        wire::two(id::RECEIVE_MAXIMUM, 0),
        wire::four(id::MAXIMUM_PACKET, 0),
        wire::byte(id::REQUEST_PROBLEM, 2),
        wire::byte(id::REQUEST_RESPONSE, 2),
    ] {
        connect_is_refused(&server.connect("value").with(property), server, 0x82);
    }
}

fn connect_has_no_foreign_properties(server: &Server) {
    for property in [
        wire::two(id::ALIAS, 1),
        wire::byte(id::PAYLOAD_FORMAT, 1),
        wire::four(id::WILL_DELAY, 1),
        wire::string(id::REASON, "x"),
        vec![0x7F, 0],
    ] {
        connect_is_refused(&server.connect("foreign").with(property), server, 0x81);
    }
    for property in [wire::two(id::ALIAS, 1), wire::four(id::SESSION_EXPIRY, 1)] {
        let will = wire::Will::new(&server.topic("x"), "x").with(property);
        connect_is_refused(&server.connect("will").will(will), server, 0x81);
    }
}

/// A code may be told; ours is told, and is this one.
fn connect_is_refused(connect: &Connect, server: &Server, reason: u8) {
    let told = server.say(&connect.bytes()).refusal();
    let right = if server.kind == Kind::Hearth { Some(reason) } else { told };
    assert_eq!(told, right);
    assert!(told.is_none_or(|code| code >= 0x80));
}

fn a_password_needs_no_user_name(server: &Server) {
    let connect = Connect { password: Some("token".into()), ..server.connect("token") };
    server.open(&connect).0.ping();
}

fn without_problem_information_there_is_none(server: &Server) {
    let connect = server.connect("terse").with(wire::byte(id::REQUEST_PROBLEM, 0));
    let (mut client, _) = server.open(&connect);
    let none = |list: &crate::packet::Properties| {
        assert!(!list.has(id::REASON) && list.pairs().is_empty(), "{list:?}");
    };
    // Things that go wrong, each of which could be explained.
    client.answer(kind::PUBREL, 77);
    none(&client.expect(kind::PUBCOMP).properties);
    none(&client.unsubscribe(&["never"]).properties);
    let subscribe = wire::subscribe(server.version, 9, &[], &[("$share/x/y", 0)]);
    client.send(&wire::packet(0x82, &subscribe));
    none(&client.expect(kind::SUBACK).properties);
    let pid = client.start(&Publish::new(server.topic("nobody"), "x").qos(1));
    none(&client.expect_ack(kind::PUBACK, pid).properties);
    let pid = client.start(&Publish::new(server.topic("nobody"), "x").qos(2));
    none(&client.expect_ack(kind::PUBREC, pid).properties);
}
