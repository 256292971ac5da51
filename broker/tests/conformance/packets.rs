//! The format of packets, chapter 2, and what happens to those that have another, chapters 4.8 and 4.13.

use crate::case::{Version, cases};
use crate::server::Server;
use crate::wire::{self, Publish, Will, kind};

cases! {
    reserved_flags_end_the_connection: V311 "2.2.2-1 2.2.2-2 4.8.0-1", V5 "2.1.3-1 4.13.1-1";
    pubrel_has_its_flags: V311 "3.6.1-1", V5 "3.6.1-1";
    subscribe_has_its_flags: V311 "3.8.1-1", V5 "3.8.1-1";
    unsubscribe_has_its_flags: V311 "3.10.1-1", V5 "3.10.1-1";
    disconnect_has_its_flags: V311 "3.14.1-1", V5 "3.14.1-1";
    packet_id_0_does_not_exist: V311 "2.3.1-1", V5 "4.13.1-1";
    lengths_have_four_bytes_at_most: V311 "4.8.0-1", V5 "4.13.1-1";
    lengths_are_as_short_as_possible: V5 "1.5.5-1";
    a_server_does_not_take_what_servers_say: V311 "4.8.0-1", V5 "4.13.1-1";
    pingreq_is_empty: V311 "4.8.0-1", V5 "4.13.1-1";
    packets_that_end_early: V311 "4.8.0-1", V5 "4.13.1-1";
    packets_come_in_pieces_and_together: V311 "7.1.1-1", V5 "4.2.0-1";
    all_sizes_arrive: V311 "2.2.2-1 7.0.0-2", V5 "1.5.5-1 2.2.2-1";
}

fn reserved_flags_end_the_connection(server: &Server) {
    for (kind, body) in
        [(kind::PUBACK, &[0, 1][..]), (kind::PUBREC, &[0, 1]), (kind::PUBCOMP, &[0, 1]), (12, &[])]
    {
        wrong_flags(server, kind, body, &[1, 2, 4, 8]);
    }
}

fn pubrel_has_its_flags(server: &Server) {
    wrong_flags(server, kind::PUBREL, &[0, 1], &[0, 1, 3, 6, 10]);
}

fn subscribe_has_its_flags(server: &Server) {
    let body = wire::subscribe(server.version, 1, &[], &[("x", 0)]);
    wrong_flags(server, 8, &body, &[0, 1, 3, 6, 10]);
}

fn unsubscribe_has_its_flags(server: &Server) {
    let body = wire::unsubscribe(server.version, 1, &["x"]);
    wrong_flags(server, 10, &body, &[0, 1, 3, 6, 10]);
}

fn wrong_flags(server: &Server, kind: u8, body: &[u8], wrong: &[u8]) {
    for flags in wrong {
        let mut client = server.client("flags");
        client.send(&wire::packet((kind << 4) | flags, body));
        client.ends(0x81);
    }
}

fn disconnect_has_its_flags(server: &Server) {
    // A connection that ends by such a packet ends by a fault, so there is a will.
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 0);
    for flags in [1, 2, 4, 8] {
        let (mut client, _) = server.open(&server.connect("flags").will(Will::new(&topic, "will")));
        client.send(&[0xE0 | flags, 0]);
        client.ends(0x81);
        assert_eq!(watcher.take().text(), "will", "flags {flags}");
    }
}

fn packet_id_0_does_not_exist(server: &Server) {
    let version = server.version;
    let publish = |qos| Publish::new(server.topic("x"), "x").qos(qos).pid(0).bytes(version);
    for packet in [
        publish(1),
        publish(2),
        wire::packet(0x82, &wire::subscribe(version, 0, &[], &[("x", 0)])),
        wire::packet(0xA2, &wire::unsubscribe(version, 0, &["x"])),
    ] {
        let mut client = server.client("zero");
        client.send(&packet);
        client.ends(0x81);
    }
}

fn lengths_have_four_bytes_at_most(server: &Server) {
    let mut client = server.client("length");
    client.send(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]);
    client.ends(0x81);
}

fn lengths_are_as_short_as_possible(server: &Server) {
    let mut client = server.client("length");
    client.send(&[0xC0, 0x80, 0x00]);
    client.ends(0x81);
    let mut client = server.client("length");
    // The same inside: a property length of 0 in two bytes.
    client.send(&wire::packet(0x30, b"\0\x01x\x80\x00"));
    client.ends(0x81);
}

fn a_server_does_not_take_what_servers_say(server: &Server) {
    let auth =
        wire::packet(kind::AUTH << 4, if server.version == Version::V5 { &[0, 0] } else { &[] });
    for packet in [
        vec![0x00, 0],
        vec![0x20, 2, 0, 0],
        vec![0x90, 3, 0, 1, 0],
        vec![0xB0, 2, 0, 1],
        vec![0xD0, 0],
        auth,
    ] {
        let mut client = server.client("kind");
        client.send(&packet);
        client.ends(0x82);
    }
}

fn pingreq_is_empty(server: &Server) {
    let mut client = server.client("ping");
    client.send(&wire::packet(0xC0, &[0]));
    client.ends(0x81);
}

fn packets_that_end_early(server: &Server) {
    let none: &[u8] = if server.version == Version::V5 { &[0] } else { &[] };
    for packet in [
        // Acknowledgements with half an id.
        wire::packet(0x40, &[1]),
        wire::packet(0x50, &[1]),
        wire::packet(0x62, &[1]),
        wire::packet(0x70, &[1]),
        // Topics and filters longer than the packet; no options behind the filter; half an id.
        wire::packet(0x30, b"\0\x05xxx"),
        wire::packet(0x32, b"\0\x01x\x01"),
        wire::packet(0x82, &[&[0, 1][..], none, b"\0\x05xxx"].concat()),
        wire::packet(0x82, &[&[0, 1][..], none, b"\0\x01x"].concat()),
        wire::packet(0xA2, &[&[0, 1][..], none, b"\0\x05xxx"].concat()),
    ] {
        let mut client = server.client("early");
        client.send(&packet);
        client.ends(0x81);
    }
}

fn packets_come_in_pieces_and_together(server: &Server) {
    let topic = server.topic("pieces");
    let mut all = server.connect("pieces").bytes();
    all.extend(wire::packet(0x82, &wire::subscribe(server.version, 1, &[], &[(&topic, 0)])));
    for number in 0..50 {
        all.extend(Publish::new(&topic, number.to_string()).bytes(server.version));
    }
    for piece in [1, 2, 3, all.len()] {
        let mut client = server.say(&[]);
        all.chunks(piece).for_each(|bytes| client.send(bytes));
        client.expect(kind::CONNACK);
        client.expect(kind::SUBACK);
        let texts = client.take_texts(50);
        assert!((0..50).map(|number| number.to_string()).eq(texts), "pieces of {piece}");
    }
}

fn all_sizes_arrive(server: &Server) {
    // Around every step of the length; that lengths are minimal, the client checks.
    let topic = server.topic("sizes");
    let mut client = server.watcher("sizes", &topic, 2);
    let rest = topic.len() + 3;
    for length in [rest, 126, 127, 128, 129, 16_382, 16_383, 16_384, 16_385, 300_000] {
        let payload = vec![b'x'; length - rest];
        client.start(&Publish::new(&topic, &payload));
        assert_eq!(client.take().payload, payload);
    }
}
