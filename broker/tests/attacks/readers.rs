//! Clients that do not read, or do not acknowledge what they read; and those who send more than anyone wants.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use crate::Attack;
use crate::kit::{Client, packet, text};
use crate::victim::{KIB, MIB, Victim};
use crate::witness::Witness;

pub(crate) const ATTACKS: &[Attack] = &[
    ("subscribers_that_stop_reading", subscribers_that_stop_reading),
    ("slow_readers_of_many_topics", slow_readers_of_many_topics),
    ("subscribers_that_never_acknowledge", subscribers_that_never_acknowledge),
    ("huge_payloads_that_never_end", huge_payloads_that_never_end),
];

/// The router's window, see `core/window.rs`.
const WINDOW: usize = 16 * MIB;
/// What is encoded for a connection ahead of its socket, doubled as buffers are, with a message of 64 KiB on top.
const AHEAD: usize = 2 * (64 + 64) * KIB;

/// A PUBLISH at QoS 1 with so many bytes.
fn publish(topic: &str, pid: u16, bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, topic);
    body.extend(pid.to_be_bytes());
    body.push(0);
    body.resize(bytes, b'x');
    packet(0x32, &body)
}

fn subscribers_that_stop_reading() {
    let victim = Victim::start("queue_bytes=8388608");
    let witness = Witness::of(&victim);
    let asleep: Vec<(u8, String, Client)> = (0..30)
        .map(|number| {
            let (qos, name) = (number % 3, format!("asleep-{number}"));
            let mut client = victim.v5(&name).keep().connect();
            client.subscribe("flood/+", qos);
            (qos, name, client)
        })
        .collect();
    let mut reader = victim.v5("reader").connect();
    reader.subscribe("flood/+", 1);
    const MESSAGES: u16 = 800;
    let reading = std::thread::spawn(move || {
        for _ in 0..MESSAGES {
            let got = read_large(&mut reader);
            reader.pid_packet(0x40, got);
        }
    });
    let mut writer = victim.v5("writer").connect();
    for pid in 1..=MESSAGES {
        writer.send(&publish("flood/x", pid, 64 * KIB));
        assert_eq!(writer.expect(0x40), [pid.to_be_bytes().as_slice(), &[]].concat());
    }
    reading.join().unwrap();
    witness.is_served();
    for (qos, name, client) in asleep {
        drop(client);
        let present = victim.v5(&name).keep().open().1;
        // At QoS 0 messages may go; at QoS 1 and 2 the session went, and its client learns of it.
        assert_eq!(present, qos == 0, "QoS {qos}");
    }
    witness.was_served();
    victim.stays_below("subscribers that stop reading", 8 * MIB + WINDOW + 31 * AHEAD);
}

/// The packet id of a PUBLISH too large for `Client::got`.
fn read_large(client: &mut Client) -> u16 {
    let (first, body) = client.packet();
    assert_eq!(first >> 4, 3, "a PUBLISH, not {first:#x}");
    let at = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
    u16::from_be_bytes([body[at], body[at + 1]])
}

fn slow_readers_of_many_topics() {
    const TOPICS: usize = 30;
    const MESSAGES: usize = 40;
    let victim = Victim::start("waiting_bytes=33554432");
    let witness = Witness::of(&victim);
    let names: Vec<String> = (0..TOPICS).map(|number| format!("slow-{number}")).collect();
    for name in &names {
        victim.v5(name).keep().connect().subscribe(name, 1);
    }
    let mut writer = victim.v5("writer").connect();
    for round in 0..MESSAGES {
        for (number, name) in names.iter().enumerate() {
            let pid = (round * TOPICS + number + 1) as u16;
            writer.send(&publish(name, pid, 64 * KIB));
            assert_eq!(writer.expect(0x40)[..2], pid.to_be_bytes());
        }
    }
    witness.is_served();
    let mut told = 0;
    for name in &names {
        let (mut client, present) = victim.v5(name).keep().open();
        if !present {
            told += 1;
            continue;
        }
        // A session that goes on has everything.
        for _ in 0..MESSAGES {
            let pid = read_large(&mut client);
            client.pid_packet(0x40, pid);
        }
    }
    assert!(told > 0, "75 MiB do not fit into 32");
    witness.was_served();
    victim.stays_below("slow readers of many topics", 32 * MIB + WINDOW + 2 * AHEAD);
}

fn subscribers_that_never_acknowledge() {
    let victim = Victim::start("queue_bytes=4194304");
    let witness = Witness::of(&victim);
    let mut writer = victim.v5("writer").connect();
    let mute: Vec<_> = (0..8)
        .map(|number| {
            let name = format!("mute-{number}");
            let mut client = victim.v5(&name).connect();
            client.subscribe(&name, 1 + number % 2);
            let reading = std::thread::spawn(move || client.end());
            (name, reading)
        })
        .collect();
    for pid in 1..=70_u16 {
        for (name, _) in &mute {
            writer.send(&publish(name, pid, 64 * KIB));
            assert_eq!(writer.expect(0x40)[..2], pid.to_be_bytes());
        }
    }
    for (name, reading) in mute {
        assert_eq!(reading.join().unwrap(), Some(0x97), "{name} is told that it is too slow");
    }
    witness.was_served();
    victim.stays_below("subscribers that never acknowledge", 8 * 4 * MIB + 8 * AHEAD);
}

fn huge_payloads_that_never_end() {
    const SENDERS: usize = 60;
    let victim = Victim::start("");
    let witness = Witness::of(&victim);
    // All of them together have room beside each other.
    let mut large = publish("huge", 1, MIB - 4);
    let last = large.pop().unwrap();
    let mut senders: Vec<Client> = (0..SENDERS)
        .map(|number| {
            let mut client = victim.v5(&format!("huge-{number}")).connect();
            client.send(&large);
            client
        })
        .collect();
    let mut greedy = victim.v5("greedy").connect();
    // One byte more than 17 MiB.
    greedy.send(b"\x32\x81\x80\xc0\x08");
    assert_eq!(greedy.end(), Some(0x95), "Packet too large");
    victim.has_logged_once("sent a packet that is too large");
    witness.is_served();
    let mut reader = victim.v5("reader").connect();
    reader.subscribe("huge", 1);
    for sender in &mut senders {
        sender.send(&[last]);
        let pid = read_large(&mut reader);
        reader.pid_packet(0x40, pid);
        sender.expect(0x40);
    }
    witness.was_served();
    // Each sender's packet in a buffer that grew by doubling, and one copy on its way out.
    victim.stays_below("huge payloads", SENDERS * 2 * MIB + 3 * MIB);
}
