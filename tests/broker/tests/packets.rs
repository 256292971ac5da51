//! Bytes that no client should send, cut into pieces of any size; what is read of them is written and read again.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use std::sync::Arc;

use broker_core::protocol::{
    Action, Decoder, Encoder, Outgoing, Packet, Publish, Qos, Reason, Version, topic,
};
use broker_core::{Message, Moment};
use bytes::BytesMut;
use hearth_fuzz::{keep, pieces, run};

/// Largest packet. Smaller than the broker's own bound, so that many inputs are larger.
const LARGEST: u32 = 20_000;

#[test]
fn packets_are_the_same_however_their_bytes_are_cut() {
    run("client-packets", 150_000, |input| {
        let (packets, end) = decode([input]);
        let cut = decode(pieces(input));
        assert_eq!(format!("{packets:?} {end:?}"), format!("{:?} {:?}", cut.0, cut.1));
        packets.iter().for_each(sound);
        packets.len() > 1 && end.is_none()
    });
}

/// What one connection sends, and the reason that it ends with.
fn decode<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Packet>, Option<Reason>) {
    let (mut decoder, mut buffer) = (Decoder::new(LARGEST), BytesMut::new());
    let mut packets = Vec::new();
    for part in parts {
        // As much is in memory as one read may bring, and one packet.
        buffer.extend_from_slice(part);
        let bound = 4 * (LARGEST as usize + part.len());
        loop {
            match decoder.next(&mut buffer) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(reason) => return (packets, Some(reason)),
            }
            assert!(buffer.capacity() <= bound);
        }
        assert!(buffer.capacity() <= bound, "{} bytes for {bound}", buffer.capacity());
    }
    (packets, None)
}

/// What the rest of the broker relies on.
fn sound(packet: &Packet) {
    match packet {
        Packet::Publish(publish) => passed_on(publish),
        Packet::Connect(connect) => {
            assert!(connect.receive_maximum > 0 && connect.maximum_packet > 0);
            connect.will.iter().for_each(|will| passed_on(&will.publish));
        }
        Packet::Subscribe { pid, filters, .. } => assert!(*pid > 0 && !filters.is_empty()),
        Packet::Unsubscribe { pid, filters } => assert!(*pid > 0 && !filters.is_empty()),
        Packet::Puback(pid, _) | Packet::Pubrec(pid, _) | Packet::Pubrel(pid) => assert!(*pid > 0),
        Packet::Pubcomp(pid) => assert!(*pid > 0),
        Packet::Pingreq | Packet::Disconnect { .. } => {}
    }
}

/// A subscriber of either version reads one message: the one that was published.
fn passed_on(publish: &Publish) {
    assert!(topic::valid_name(&publish.topic));
    assert_eq!(publish.pid > 0, publish.qos > Qos::AtMostOnce && publish.pid > 0);
    let message = Arc::new(Message::new(publish.clone(), Moment::default(), 0));
    for (version, greeting) in [(Version::V311, connect(4, &[])), (Version::V5, connect(5, &[]))] {
        let outgoing = Outgoing {
            message: message.clone(),
            pid: publish.pid.max(1),
            qos: publish.qos,
            dup: false,
            retain: publish.retain,
            expiry: publish.properties.expiry,
            ids: [].into(),
            extra: [].into(),
            alias: Default::default(),
        };
        let size = outgoing.size(version);
        let mut bytes = BytesMut::from(&greeting[..]);
        Encoder(version).put(&mut bytes, &Action::Publish(outgoing));
        assert_eq!(bytes.len(), greeting.len() + size);
        if size > LARGEST as usize {
            continue;
        }
        let (packets, end) = decode([&bytes[..]]);
        let [_, Packet::Publish(read)] = &packets[..] else { panic!("{packets:?} {end:?}") };
        assert_eq!((&read.topic, &read.payload), (&publish.topic, &publish.payload));
        assert_eq!((read.qos, read.retain), (publish.qos, publish.retain));
        if version == Version::V5 {
            assert_eq!(read.properties, publish.properties);
        }
    }
}

fn packet(first: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    assert!(body.len() < 128, "one byte of length is enough for the corpus");
    [&[first, body.len() as u8], &body[..]].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// A CONNECT with some properties, and no will.
fn connect(level: u8, properties: &[u8]) -> Vec<u8> {
    let length = [properties.len() as u8];
    let properties: &[&[u8]] = if level == 5 { &[&length, properties] } else { &[] };
    packet(0x10, &[&text("MQTT"), &[level, 2, 0, 9], &properties.concat(), &text("me")])
}

/// A CONNECT with all that it may have.
fn full_connect(level: u8) -> Vec<u8> {
    let five = |bytes: &[u8]| if level == 5 { bytes.to_vec() } else { Vec::new() };
    let limits = five(&[13, 0x11, 0, 0, 1, 0, 0x21, 0, 9, 0x22, 0, 3, 0x19, 1]);
    let will = five(&[9, 0x18, 0, 0, 0, 5, 0x03, 0, 1, b't']);
    let head = [&text("MQTT")[..], &[level, 0xF4, 0, 60]].concat();
    let tail = [text("will"), text("gone"), text("user"), text("password")].concat();
    packet(0x10, &[&head, &limits, &text("me"), &will, &tail])
}

/// What a client of each version may say.
fn talk(level: u8) -> Vec<Vec<u8>> {
    let five = |bytes: &[u8]| if level == 5 { bytes.to_vec() } else { Vec::new() };
    let all = [&[0x01, 1, 0x02, 0, 0, 0, 9][..], &[0x08], &text("re/ply"), &[0x09], &text("id")];
    let all = [&all.concat()[..], &[0x03], &text("a"), &[0x26], &text("k"), &text("v")].concat();
    let all = five(&[&[all.len() as u8], &all[..]].concat());
    let (none, alias) = (five(&[0]), five(&[3, 0x23, 0, 1]));
    let report = text("home/hallway/door/report");
    vec![
        packet(0x30, &[&text("a/b"), &none, b"ON"]),
        packet(0x33, &[&report, &[0, 1], &all, b"{\"state\":1}"]),
        packet(0x3D, &[&report, &[0, 2], &alias, b"21.5"]),
        packet(0x32, &[&text(if level == 5 { "" } else { "c" }), &[0, 3], &alias, b""]),
        packet(0x82, &[&[0, 4], &five(&[2, 0x0B, 7]), &text("a/+"), &[1], &text("b/#"), &[2]]),
        packet(0x82, &[&[0, 5], &none, &text("c"), &[if level == 5 { 0x2D } else { 0 }]]),
        packet(0xA2, &[&[0, 6], &none, &text("a/+"), &text("c")]),
        packet(0x40, &[&[0, 7], &five(&[0x10, 0])]),
        packet(0x50, &[&[0, 8]]),
        packet(0x62, &[&[0, 9], &five(&[0x92])]),
        packet(0x70, &[&[0, 10]]),
        packet(0xC0, &[]),
        packet(0xE0, &[&five(&[4, 5, 0x11, 0, 0, 0, 9])]),
    ]
}

#[test]
fn the_corpus_is_what_clients_say() {
    for level in [4, 5] {
        let all = [full_connect(level), talk(level).concat()].concat();
        let (packets, end) = decode([&all[..]]);
        assert_eq!((packets.len(), end), (1 + talk(level).len(), None), "level {level}");
    }
}

#[test]
#[ignore = "writes files"]
fn the_corpus_is_written_anew() {
    for level in [4, 5] {
        let name = |what: &str| format!("{what}-{level}");
        let all = [full_connect(level), talk(level).concat()].concat();
        keep("client-packets", &name("all"), &all);
        for (at, said) in talk(level).iter().enumerate() {
            keep(
                "client-packets",
                &name(&format!("{at:02}")),
                &[connect(level, &[]), said.clone()].concat(),
            );
        }
    }
}
