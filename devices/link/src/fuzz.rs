//! What a broker that lies, or is none, may send: a connection ends with an error or goes on as it was.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use bytes::{Buf, BytesMut};
use hearth_fuzz::{hash, keep, pieces, run};

use crate::codec::{self, Accepted, Incoming, LARGEST};
use crate::message::{Event, Publish};
use crate::session::{Session, Subscriptions};
use crate::{Address, Options, Qos, Version};

#[test]
fn packets_of_a_broker_are_the_same_however_their_bytes_are_cut() {
    for (name, version) in [("server-packets-3", Version::V3), ("server-packets-5", Version::V5)] {
        run(name, 80_000, |input| {
            let (packets, end) = decode(version, [input]);
            let cut = decode(version, pieces(input));
            assert_eq!(format!("{packets:?} {end:?}"), format!("{:?} {:?}", cut.0, cut.1));
            for packet in &packets {
                if let Incoming::Publish(arrived) = packet {
                    let (message, id) = (&arrived.message, arrived.packet);
                    assert!(!message.topic.is_empty() && !message.topic.contains(['+', '#', '\0']));
                    assert_eq!(id > 0, message.qos > Qos::AtMostOnce);
                }
            }
            !packets.is_empty() && end.is_none()
        });
    }
}

#[test]
fn no_talk_of_a_broker_breaks_a_session() {
    for (name, version) in [("server-packets-3", Version::V3), ("server-packets-5", Version::V5)] {
        run(name, 40_000, |input| {
            let manual = hash(input).is_multiple_of(2);
            converse(version, manual, input)
        });
    }
}

fn decode<'a>(
    version: Version,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Incoming>, Option<String>) {
    let (mut packets, mut buffer) = (Vec::new(), BytesMut::new());
    for part in parts {
        buffer.extend_from_slice(part);
        loop {
            match codec::read(version, &mut buffer) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(why) => return (packets, Some(why)),
            }
        }
        assert!(buffer.capacity() <= 4 * (LARGEST + part.len()));
    }
    (packets, None)
}

#[test]
fn a_broker_that_sends_on_and_takes_no_answers_is_left() {
    let mut subscriptions = Subscriptions::default();
    let mut session = session(Version::V5, false, &mut subscriptions);
    let releases = packet(0x62, &[&[0, 9]]).repeat(1000);
    let ended = (0..10_000).find_map(|_| session.read(&mut BytesMut::from(&releases[..])).err());
    assert_eq!(ended.unwrap().text, "the broker sends on and takes no answers");
    assert!(session.output.len() < 5 * LARGEST);
}

fn session(version: Version, manual_acks: bool, subscriptions: &mut Subscriptions) -> Session<'_> {
    let address = "mqtt://here".parse::<Address>().unwrap();
    let options = Options { version, manual_acks, in_flight: 4, ..Options::new(address, "me") };
    let accepted =
        Accepted { session_present: false, receive_maximum: None, largest: None, keep_alive: None };
    Session::new(&options, 1, &accepted, subscriptions)
}

/// A session with something of everything under way hears all of it; whether it stands.
fn converse(version: Version, manual_acks: bool, input: &[u8]) -> bool {
    let mut subscriptions = Subscriptions::default();
    subscriptions.add(&[("a/#".to_owned(), Qos::AtLeastOnce)]);
    let mut session = session(version, manual_acks, &mut subscriptions);
    // The subscription has the id 1, these 2 and 3.
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce, Qos::AtMostOnce] {
        session.publish(Publish::new("t", "x").qos(qos));
    }
    let mut buffer = BytesMut::new();
    for piece in pieces(input) {
        buffer.extend_from_slice(piece);
        if session.read(&mut buffer).is_err() {
            return false;
        }
        while let Some(event) = session.event() {
            if let Event::Message(delivery) = event
                && let Some(due) = delivery.ack.0
            {
                session.acknowledge(due);
            }
        }
        // A broker that reads.
        let said = session.output.len();
        session.output.advance(said);
    }
    // Whatever it was told, the caller can go on: what was never answered is all that counts.
    let waiting = (2..=3).filter(|id| session.waits_for(*id)).count();
    assert_eq!(session.in_flight(), waiting, "publishes that are counted and not there");
    true
}

fn packet(first: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    assert!(body.len() < 128, "one byte of length is enough for the corpus");
    [&[first, body.len() as u8], &body[..]].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

/// What a broker may say, CONNACK and DISCONNECT not among it.
fn talk(version: Version) -> Vec<Vec<u8>> {
    let five = |bytes: &[u8]| if version == Version::V5 { bytes.to_vec() } else { Vec::new() };
    let all = [&[0x01, 1, 0x02, 0, 0, 0, 9][..], &[0x08], &text("re/ply"), &[0x09], &text("id")];
    let all = [&all.concat()[..], &[0x03], &text("a"), &[0x26], &text("k"), &text("v"), &[0x0B, 7]];
    let all = all.concat();
    let all = five(&[&[all.len() as u8], &all[..]].concat());
    let none = five(&[0]);
    let why = [&[0x1F][..], &text("no"), &[0x26], &text("k"), &text("v")].concat();
    let why = [&[why.len() as u8], &why[..]].concat();
    vec![
        packet(0x30, &[&text("a/b"), &none, b"ON"]),
        packet(0x33, &[&text("a/b"), &[0, 1], &all, b"{\"state\":1}"]),
        packet(0x3D, &[&text("a/b"), &[0, 2], &none, b"21.5"]),
        packet(0x90, &[&[0, 1], &none, &[1]]),
        packet(0x90, &[&[0, 1], &five(&why), &[0x80]]),
        packet(0x40, &[&[0, 2]]),
        packet(0x40, &[&[0, 2], &five(&[0x97]), &five(&why)]),
        packet(0x50, &[&[0, 3], &five(&[0x10, 0])]),
        packet(0x62, &[&[0, 2]]),
        packet(0x70, &[&[0, 3]]),
        packet(0xD0, &[]),
    ]
}

/// What a broker may not say: answers to other things than were asked, and what only clients send.
fn crossed(version: Version) -> Vec<Vec<u8>> {
    let none: &[u8] = if version == Version::V5 { &[0] } else { &[] };
    let taken = |id| [packet(0x50, &[&[0, id]]), packet(0x70, &[&[0, id]])].concat();
    vec![
        taken(1),
        taken(2),
        taken(3),
        packet(0x90, &[&[0, 2], none, &[1]]),
        packet(0x70, &[&[0, 3]]),
        packet(0x40, &[&[0, 1]]),
        packet(0x82, &[&[0, 1], none, &text("a/#"), &[1]]),
    ]
}

fn others(version: Version) -> Vec<Vec<u8>> {
    if version == Version::V3 {
        return vec![packet(0x20, &[&[1, 0]]), packet(0x20, &[&[0, 5]])];
    }
    let asked = [&[0x21, 0, 9, 0x27, 0, 0, 9, 0, 0x13, 0, 9, 0x12][..], &text("id")].concat();
    let asked = [&[asked.len() as u8], &asked[..]].concat();
    vec![
        packet(0x20, &[&[1, 0], &asked]),
        packet(0x20, &[&[0, 0x87, 0]]),
        packet(0xE0, &[&[0x8E, 0]]),
        packet(0xE0, &[&[0x8B]]),
        packet(0xE0, &[]),
    ]
}

#[test]
#[ignore = "writes files"]
fn the_corpus_is_written_anew() {
    for (name, version) in [("server-packets-3", Version::V3), ("server-packets-5", Version::V5)] {
        keep(name, "all", &talk(version).concat());
        let all = [talk(version), others(version), crossed(version)].concat();
        for (at, said) in all.iter().enumerate() {
            keep(name, &format!("{at:02}"), said);
        }
    }
}
