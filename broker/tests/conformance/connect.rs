//! CONNECT and CONNACK, chapters 3.1 and 3.2.

use crate::case::{Version, cases};
use crate::server::Server;
use crate::wire::{self, Connect, Publish, Will, id, kind};

cases! {
    nothing_comes_before_connect: V311 "3.1.0-1 4.8.0-1", V5 "3.1.0-1 4.13.1-1";
    a_second_connect_ends_the_connection: V311 "3.1.0-2", V5 "3.1.0-2";
    a_foreign_protocol_is_not_served: V311 "3.1.2-1", V5 "3.1.2-1";
    mqtt_3_1_gets_an_answer: V311 "3.1.2-2 3.2.2-4 3.2.2-5";
    an_unknown_level_gets_an_answer: V311 "3.1.2-2", V5 "3.1.2-2";
    the_reserved_flag_is_checked: V311 "3.1.2-3", V5 "3.1.2-3";
    will_flags_need_a_will: V311 "3.1.2-11 3.1.2-13 3.1.2-15", V5 "3.1.2-11 3.1.2-13";
    will_qos_3_is_refused: V311 "3.1.2-14", V5 "3.1.2-12";
    flags_and_payload_agree:
        V311 "3.1.2-9 3.1.2-18 3.1.2-19 3.1.2-20 3.1.2-21 3.1.3-1 3.1.3-3",
        V5 "3.1.2-9 3.1.2-16 3.1.2-17 3.1.2-18 3.1.2-19 3.1.3-1 3.1.3-3";
    no_password_without_a_user_name: V311 "3.1.2-22";
    a_connect_out_of_format_is_not_answered_with_success:
        V311 "3.1.4-1 3.2.2-6", V5 "3.1.4-1 3.14.0-1";
    letters_and_digits_are_an_id: V311 "3.1.3-5 3.1.4-4 7.1.1-1", V5 "3.1.3-5 3.1.4-5 4.2.0-1";
    an_empty_id_is_replaced: V311 "3.1.3-6", V5 "3.1.3-6 3.1.3-7 3.2.2-16";
    an_empty_id_needs_a_clean_session: V311 "3.1.3-8 3.1.3-9 3.2.2-4 3.2.2-5";
    a_second_client_with_the_id_ends_the_first: V311 "3.1.4-2", V5 "3.1.4-3 4.13.2-1";
    what_follows_a_refused_connect_is_ignored:
        V311 "3.1.4-5 3.2.2-5", V5 "3.1.4-6 3.2.2-6 3.2.2-7";
    connack_comes_first_and_once: V311 "3.2.0-1", V5 "3.2.0-1 3.2.0-2 3.2.2-1 3.2.2-8";
    an_authentication_method_is_refused: V5 "4.12.0-1 4.12.0-4 3.1.4-2 3.2.2-6 3.2.2-7";
    without_a_method_there_is_no_auth: V5 "4.12.0-6 3.15.1-1";
    auth_data_needs_a_method: V5 "";
    response_information_is_given_on_request_only: V5 "3.1.2-28";
}

fn nothing_comes_before_connect(server: &Server) {
    let publish = Publish::new(server.topic("early"), "x").bytes(server.version);
    let subscribe = wire::packet(0x82, &wire::subscribe(server.version, 1, &[], &[("#", 0)]));
    for packet in [publish, subscribe, vec![0xC0, 0], vec![0xE0, 0], vec![0x00, 0]] {
        let mut client = server.say(&packet);
        assert!(client.next().is_none(), "an answer to {packet:x?}");
    }
}

fn a_second_connect_ends_the_connection(server: &Server) {
    let connect = server.connect("twice");
    let (mut client, _) = server.open(&connect);
    client.send(&connect.bytes());
    client.ends(0x82);
}

fn a_foreign_protocol_is_not_served(server: &Server) {
    for name in ["mqtt", "MQTT ", "MQT", "AMQP", ""] {
        let connect = Connect { name: name.into(), ..server.connect("foreign") };
        let code = server.say(&connect.bytes()).refusal();
        assert!(matches!(code, None | Some(1 | 0x84)), "{name}: {code:?}");
    }
}

fn mqtt_3_1_gets_an_answer(server: &Server) {
    let connect = Connect { name: b"MQIsdp".into(), level: 3, ..server.connect("old") };
    assert_eq!(server.say(&connect.bytes()).refusal(), Some(1));
}

fn an_unknown_level_gets_an_answer(server: &Server) {
    // Which answer a client of the future understands nobody knows; all know the first two bytes of this one.
    for level in [0, 3, 6, 255] {
        let connect = Connect { level, ..server.connect("level") };
        let mut client = server.speaking(Version::V311).say(&connect.bytes());
        assert_eq!(client.refusal(), Some(1), "level {level}");
    }
}

fn the_reserved_flag_is_checked(server: &Server) {
    let connect = server.connect("reserved").flags(0b0000_0011);
    refused_as_malformed(server, &connect.bytes());
}

fn will_flags_need_a_will(server: &Server) {
    for flags in [0b0000_1010, 0b0001_0010, 0b0010_0010] {
        let connect = server.connect("will").flags(flags);
        refused_as_malformed(server, &connect.bytes());
    }
}

fn will_qos_3_is_refused(server: &Server) {
    let connect = server.connect("will").will(Will::new(&server.topic("will"), "x").qos(3));
    refused_as_malformed(server, &connect.bytes());
}

fn flags_and_payload_agree(server: &Server) {
    let login = Connect {
        user: Some("someone".into()),
        password: Some("secret".into()),
        will: Some(Will::new(&server.topic("will"), "x")),
        ..server.connect("all")
    };
    let bytes = login.bytes();
    // Each flag without its field, each field without its flag.
    for missing in [
        Connect { will: None, ..login.clone() },
        Connect { user: None, ..login.clone() },
        Connect { password: None, ..login.clone() },
    ] {
        refused_as_malformed(server, &missing.clone().flags(bytes[9]).bytes());
        let usual = missing.bytes()[9];
        refused_as_malformed(server, &login.clone().flags(usual).bytes());
    }
}

fn no_password_without_a_user_name(server: &Server) {
    let connect = Connect { password: Some("secret".into()), ..server.connect("password") };
    refused_as_malformed(server, &connect.bytes());
}

fn a_connect_out_of_format_is_not_answered_with_success(server: &Server) {
    let good = server.connect("format").body();
    let longer = [&good[..], &[0]].concat();
    let shorter = &good[..good.len() - 1];
    refused_as_malformed(server, &wire::packet(0x10, &longer));
    refused_as_malformed(server, &wire::packet(0x10, shorter));
    refused_as_malformed(server, &wire::packet(0x10, &good[..7]));
    refused_as_malformed(server, &wire::packet(0x11, &good));
}

/// With 3.1.1 there is no return code for it, so there must be no CONNACK.
fn refused_as_malformed(server: &Server, bytes: &[u8]) {
    let code = server.say(bytes).refusal();
    match server.version {
        Version::V311 => assert_eq!(code, None, "{bytes:x?}"),
        Version::V5 => assert!(code.is_none_or(|code| code >= 0x80), "{code:?} to {bytes:x?}"),
    }
}

fn letters_and_digits_are_an_id(server: &Server) {
    for name in ["a", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ"] {
        // Other versions use the same ids at the same time; one of them may be ended, but is accepted first.
        let (_client, connack) = server.open(&Connect::new(server.version, name));
        assert_eq!(connack.code, 0, "{name}");
    }
}

fn an_empty_id_is_replaced(server: &Server) {
    let (mut one, first) = server.open(&Connect::new(server.version, ""));
    let (mut two, second) = server.open(&Connect::new(server.version, ""));
    assert!(!first.session_present && !second.session_present);
    if server.version == Version::V5 {
        let [first, second] =
            [first, second].map(|c| c.properties.bytes(id::ASSIGNED_ID).map(<[u8]>::to_vec));
        assert!(first.as_ref().is_some_and(|id| !id.is_empty()), "an id is told");
        assert!(second.is_some() && first != second, "another one");
        // The client may use it like one of its own.
        let told = String::from_utf8(first.unwrap_or_default()).unwrap_or_default();
        let _again = server.open(&Connect::new(server.version, &told));
        one.ends_at_once(0x8E);
    } else {
        one.ping();
    }
    two.ping();
}

fn an_empty_id_needs_a_clean_session(server: &Server) {
    let connect = Connect::new(server.version, "").resume();
    assert_eq!(server.say(&connect.bytes()).refusal(), Some(2));
}

fn a_second_client_with_the_id_ends_the_first(server: &Server) {
    let connect = server.connect("same");
    let (mut first, _) = server.open(&connect);
    let (mut second, _) = server.open(&connect);
    first.ends_at_once(0x8E);
    second.ping();
    // Of whichever version the second is.
    for version in [Version::V311, Version::V5] {
        let other = Connect { level: Connect::new(version, "").level, version, ..connect.clone() };
        let (mut third, _) = server.speaking(version).open(&other);
        second.ends_at_once(0x8E);
        third.ping();
        second = third;
    }
}

fn what_follows_a_refused_connect_is_ignored(server: &Server) {
    let topic = server.topic("secret");
    let mut watcher = server.watcher("watcher", &topic, 0);
    let connect = Connect { level: 9, ..server.connect("refused") };
    let publish = Publish::new(&topic, "from the refused").bytes(server.version);
    let mut client = server.speaking(Version::V311).say(&[connect.bytes(), publish].concat());
    assert_eq!(client.refusal(), Some(1));
    server.client("marker").start(&Publish::new(&topic, "marker"));
    assert_eq!(watcher.take().text(), "marker");
}

fn connack_comes_first_and_once(server: &Server) {
    // Retained messages, QoS 2 and a ping are already on their way when CONNECT is read.
    let topic = server.topic("kept");
    server.client("writer").publish(&Publish::new(&topic, "kept").qos(1).retain());
    let connect = server.connect("eager").bytes();
    let subscribe = wire::packet(0x82, &wire::subscribe(server.version, 1, &[], &[(&topic, 0)]));
    let mut client = server.say(&[connect, subscribe, vec![0xC0, 0]].concat());
    // The client checks that there is one CONNACK, and first.
    assert_eq!(client.expect(kind::CONNACK).code, 0);
    let mut kinds: Vec<_> = (0..3).map(|_| client.next().map(|packet| packet.kind)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [kind::PUBLISH, kind::SUBACK, kind::PINGRESP].map(Some));
}

fn an_authentication_method_is_refused(server: &Server) {
    let connect = server.connect("auth").with(wire::string(id::AUTH_METHOD, "SCRAM-SHA-1"));
    let code = server.say(&connect.bytes()).refusal();
    assert!(matches!(code, None | Some(0x87 | 0x8C)), "{code:x?}");
}

fn without_a_method_there_is_no_auth(server: &Server) {
    let (mut client, connack) = server.open(&server.connect("auth"));
    assert!(!connack.properties.has(id::AUTH_METHOD) && !connack.properties.has(id::AUTH_DATA));
    // Again authenticating what never was, and with a wrong flag. That no AUTH comes, the client checks.
    client.send(&wire::packet(kind::AUTH << 4, &[0x19, 0]));
    client.ends(0x82);
    let mut client = server.client("flags");
    client.send(&wire::packet((kind::AUTH << 4) | 1, &[0x19, 0]));
    client.ends(0x81);
}

fn auth_data_needs_a_method(server: &Server) {
    let connect = server.connect("auth").with(wire::string(id::AUTH_DATA, "x"));
    server.say(&connect.bytes()).refusal();
}

fn response_information_is_given_on_request_only(server: &Server) {
    for connect in
        [server.connect("silent"), server.connect("no").with(wire::byte(id::REQUEST_RESPONSE, 0))]
    {
        let (_client, connack) = server.open(&connect);
        assert!(!connack.properties.has(id::RESPONSE_INFORMATION));
    }
}
