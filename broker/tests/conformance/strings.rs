//! Text on the wire, chapter 1.5, and how topics made of it are compared, chapter 4.7.3.

use crate::case::cases;
use crate::server::Server;
use crate::wire::{self, Connect, Publish, Will, id, kind};

cases! {
    connect_takes_only_text:
        V311 "1.5.3-1 3.1.3-4 3.1.3-10 3.1.3-11", V5 "1.5.4-1 3.1.3-4 3.1.3-11 3.1.3-12";
    publish_takes_only_text: V311 "1.5.3-1 3.3.2-1", V5 "1.5.4-1 3.3.2-1";
    subscribe_takes_only_text: V311 "1.5.3-1 3.8.3-1", V5 "1.5.4-1 3.8.3-1";
    unsubscribe_takes_only_text: V311 "1.5.3-1 3.10.3-1", V5 "1.5.4-1 3.10.3-1";
    publish_properties_are_text: V5 "1.5.4-1 1.5.7-1 3.3.2-13 3.3.2-19";
    other_properties_are_text: V5 "1.5.4-1 1.5.7-1";
    connect_takes_no_null: V311 "1.5.3-2", V5 "1.5.4-2";
    publish_takes_no_null: V311 "1.5.3-2 4.7.3-2", V5 "1.5.4-2 4.7.3-2";
    subscribe_takes_no_null: V311 "1.5.3-2 4.7.3-2", V5 "1.5.4-2 4.7.3-2";
    unsubscribe_takes_no_null: V311 "1.5.3-2 4.7.3-2", V5 "1.5.4-2 4.7.3-2";
    properties_hold_no_null: V5 "1.5.4-2";
    a_byte_order_mark_stays: V311 "1.5.3-3", V5 "1.5.4-3";
    nothing_is_normalised: V311 "4.7.3-4", V5 "4.7.3-4";
    a_long_topic_arrives: V311 "", V5 "";
}

/// Cut short, a surrogate, a null in two bytes, a byte that never occurs, beyond the last character.
const NOT_TEXT: &[&[u8]] = &[b"a\xC3", b"\xED\xA0\x80", b"\xC0\x80", b"\xFF", b"\xF4\x90\x80\x80"];
const NULL: &[u8] = b"a\0b";

fn connect_takes_only_text(server: &Server) {
    NOT_TEXT.iter().for_each(|bytes| connect_refuses(server, bytes));
}

fn connect_takes_no_null(server: &Server) {
    connect_refuses(server, NULL);
}

fn connect_refuses(server: &Server, bytes: &[u8]) {
    let usual = server.connect("text");
    let will = Will { topic: bytes.into(), ..Will::new("x", "x") };
    for connect in [
        Connect { id: bytes.into(), ..usual.clone() },
        Connect { user: Some(bytes.into()), ..usual.clone() },
        usual.will(will),
    ] {
        let code = server.say(&connect.bytes()).refusal();
        let identifier = connect.id == bytes && code == Some(2);
        assert!(identifier || code.is_none_or(|code| code >= 0x80), "{code:?} to {bytes:x?}");
    }
}

fn publish_takes_only_text(server: &Server) {
    NOT_TEXT.iter().for_each(|bytes| publish_refuses(server, bytes));
}

fn publish_takes_no_null(server: &Server) {
    publish_refuses(server, NULL);
}

fn publish_refuses(server: &Server, bytes: &[u8]) {
    let mut client = server.client("publisher");
    client.start(&Publish::new(bytes, "x"));
    client.ends(0x81);
}

fn subscribe_takes_only_text(server: &Server) {
    NOT_TEXT.iter().for_each(|bytes| subscribe_refuses(server, bytes));
}

fn subscribe_takes_no_null(server: &Server) {
    subscribe_refuses(server, NULL);
}

fn subscribe_refuses(server: &Server, bytes: &[u8]) {
    let mut client = server.client("subscriber");
    client.send(&wire::packet(0x82, &wire::subscribe(server.version, 1, &[], &[(bytes, 0)])));
    client.ends(0x81);
}

fn unsubscribe_takes_only_text(server: &Server) {
    NOT_TEXT.iter().for_each(|bytes| unsubscribe_refuses(server, bytes));
}

fn unsubscribe_takes_no_null(server: &Server) {
    unsubscribe_refuses(server, NULL);
}

fn unsubscribe_refuses(server: &Server, bytes: &[u8]) {
    let mut client = server.client("subscriber");
    client.send(&wire::packet(0xA2, &wire::unsubscribe(server.version, 1, &[bytes])));
    client.ends(0x81);
}

fn publish_properties_are_text(server: &Server) {
    NOT_TEXT.iter().for_each(|bytes| publish_properties_refuse(server, bytes));
}

fn properties_hold_no_null(server: &Server) {
    publish_properties_refuse(server, NULL);
    other_properties_refuse(server, NULL);
}

fn publish_properties_refuse(server: &Server, bytes: &[u8]) {
    for property in [
        wire::string(id::CONTENT_TYPE, bytes),
        wire::string(id::RESPONSE_TOPIC, bytes),
        wire::user(bytes, "value"),
        wire::user("key", bytes),
    ] {
        let mut client = server.client("publisher");
        client.start(&Publish::new(server.topic("x"), "x").with(property));
        client.ends(0x81);
    }
}

fn other_properties_are_text(server: &Server) {
    NOT_TEXT.iter().for_each(|bytes| other_properties_refuse(server, bytes));
}

fn other_properties_refuse(server: &Server, bytes: &[u8]) {
    let connect = server.connect("user").with(wire::user("key", bytes));
    assert!(server.say(&connect.bytes()).refusal().is_none_or(|code| code >= 0x80));
    let will = Will::new(&server.topic("x"), "x").with(wire::user(bytes, "value"));
    let connect = server.connect("user").will(will);
    assert!(server.say(&connect.bytes()).refusal().is_none_or(|code| code >= 0x80));

    let user = [wire::user("key", bytes)];
    let subscribe = wire::subscribe(server.version, 1, &user, &[("x", 0)]);
    let puback = [&[0, 1, 0][..], &wire::properties(&user)].concat();
    let reason = wire::string(id::REASON, bytes);
    let disconnect = [&[4][..], &wire::properties(&[reason])].concat();
    for packet in [
        wire::packet(0x82, &subscribe),
        wire::packet(kind::PUBACK << 4, &puback),
        wire::packet(kind::DISCONNECT << 4, &disconnect),
    ] {
        let mut client = server.client("other");
        client.send(&packet);
        client.ends(0x81);
    }
}

fn a_byte_order_mark_stays(server: &Server) {
    let marked = server.topic("\u{FEFF}x");
    let mut with = server.watcher("with", &marked, 0);
    let mut without = server.watcher("without", &server.topic("x"), 0);
    let mut client = server.client("publisher");
    client.start(&Publish::new(&marked, "\u{FEFF}marked"));
    client.start(&Publish::new(server.topic("x"), "plain"));
    let got = with.take();
    assert_eq!((&got.topic, got.text()), (&marked, "\u{FEFF}marked"));
    assert_eq!(without.take().text(), "plain");
}

fn nothing_is_normalised(server: &Server) {
    // Composed and decomposed, case, a ligature, full width, a character that is not assigned, a space.
    for (one, other) in [
        ("\u{E9}", "e\u{301}"),
        ("a", "A"),
        ("\u{FB00}", "ff"),
        ("\u{FF41}", "a"),
        ("\u{378}", "\u{FFFD}"),
        ("a", "a "),
        ("a", "/a"),
    ] {
        let (one, other) = (server.topic(one), server.topic(other));
        let mut exact = server.watcher("exact", &one, 0);
        let mut client = server.client("publisher");
        client.start(&Publish::new(&other, "other"));
        client.start(&Publish::new(&one, "one"));
        assert_eq!(exact.take().text(), "one", "{one:?} is not {other:?}");
    }
}

fn a_long_topic_arrives(server: &Server) {
    // Longer ones our broker refuses: they only serve to fill memory.
    let topic = server.topic(&"x".repeat(4096 - server.topic("").len()));
    let mut watcher = server.watcher("watcher", &topic, 1);
    server.client("publisher").publish(&Publish::new(&topic, "far").qos(1));
    assert_eq!(watcher.take().topic, topic);
}
