//! Reason codes on every answer, chapters 2.4 and 4.13. That no other codes come, the client checks everywhere.

use crate::case::{Version, cases};
use crate::server::{Kind, Server};
use crate::wire::{self, Publish, id, kind};

cases! {
    answers_have_their_codes: V5 "3.4.2-1 3.5.2-1 3.6.2-1 3.7.2-1 3.9.3-2 3.11.3-2 3.2.2-8";
    the_end_has_a_reason: V5 "3.14.2-1 3.14.4-1 3.14.4-2 4.13.2-1";
    the_end_of_the_broker_has_a_reason: V311 "", V5 "3.14.2-1 4.13.2-1";
    clients_use_their_codes: V5 "4.13.1-1";
    refusals_are_told: V311 "", V5 "";
    no_disconnect_before_connack: V311 "", V5 "3.14.0-1";
}

fn answers_have_their_codes(server: &Server) {
    let topic = server.topic("a");
    let (mut client, connack) = server.open(&server.connect("codes"));
    assert_eq!(connack.code, 0);
    assert_eq!(client.subscribe(&[(&topic, 1), (&topic, 2), (&topic, 0)]), [1, 2, 0]);
    assert_eq!(client.unsubscribe(&[&topic, &topic]).codes, [0, 0x11]);
    for qos in [1, 2] {
        let pid = client.start(&Publish::new(&topic, "x").qos(qos));
        let kind = if qos == 1 { kind::PUBACK } else { kind::PUBREC };
        // 0x10 tells that nobody listens; a server may.
        assert!(matches!(client.expect_ack(kind, pid).code, 0 | 0x10));
    }
    client.answer(kind::PUBREL, 4);
    client.expect(kind::PUBCOMP);
    client.answer_with(kind::PUBREC, 999, 0);
    let pubrel = client.expect(kind::PUBREL);
    assert_eq!(pubrel.pid, 999);
}

fn the_end_has_a_reason(server: &Server) {
    // That it is DISCONNECT with this code, then the end and nothing else, is what `ends` and `end` ask for.
    for (fault, reason) in [
        (vec![0x36, 5, 0, 1, b'x', 0, 1], 0x81),
        (vec![0x20, 2, 0, 0], 0x82),
        (wire::packet(0x30, b"\0\x01#\0"), 0x90),
        (wire::packet(0x30, b"\0\x01x\x03\x23\xFF\xFF"), 0x94),
    ] {
        let mut client = server.client("fault");
        client.send(&fault);
        client.ends_at_once(reason);
    }
}

fn the_end_of_the_broker_has_a_reason(server: &Server) {
    let own = server.own(|_| {}, "");
    let mut client = own.server.client("last");
    own.stop();
    client.ends_at_once(0x8B);
}

fn clients_use_their_codes(server: &Server) {
    for packet in [
        wire::packet(kind::PUBACK << 4, &[0, 1, 0x01]),
        wire::packet(kind::PUBREC << 4, &[0, 1, 0x92]),
        wire::packet(0x62, &[0, 1, 0x10]),
        wire::packet(kind::PUBCOMP << 4, &[0, 1, 0x80]),
        wire::packet(kind::DISCONNECT << 4, &[0x01]),
    ] {
        let mut client = server.client("code");
        client.send(&packet);
        client.ends(0x81);
    }
}

fn refusals_are_told(server: &Server) {
    let mut client = server.client("refused");
    let failure = if server.version == Version::V5 { 0x8F } else { 0x80 };
    if server.kind == Kind::Hearth {
        // A filter that is not taken fails by itself; its neighbours do not.
        let (good, bad) = (server.topic("a"), server.topic(&"a/".repeat(200)));
        assert_eq!(client.subscribe(&[(&good, 1), (&bad, 1), (&good, 0)]), [1, failure, 0]);
    }
    client.ping();
}

fn no_disconnect_before_connack(server: &Server) {
    // A DISCONNECT out of its turn fails in the client.
    server.say(&server.connect("flags").flags(0x01).bytes()).refusal();
    if server.version == Version::V5 {
        let method = wire::string(id::AUTH_METHOD, "x");
        server.say(&server.connect("method").with(method).bytes()).refusal();
    }
}
