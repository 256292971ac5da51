//! Packets as large as they may be, sent and read slowly.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::io::Write;
use std::net::TcpStream;

use crate::Attack;
use crate::devices::home;
use crate::kit::{Client, text};
use crate::victim::{KIB, MIB, Victim};

pub(crate) const ATTACKS: &[Attack] = &[
    ("slow_senders_of_large_packets", slow_senders_of_large_packets),
    ("slow_readers_of_large_packets", slow_readers_of_large_packets),
];

/// Connections of one user. Each has up to 256 KiB in any case.
const CONNECTIONS: usize = 60;
/// A quarter of the room for large packets.
const ITS_OWN: usize = 64 * MIB;

fn login(victim: &Victim, id: &str, user: &str) -> Client {
    victim.v5(id).user(user, "secret").connect()
}

/// What Zigbee2MQTT says of a large home.
fn is_served(victim: &Victim) {
    const TOPIC: &str = "zigbee2mqtt/bridge/devices";
    let devices = "d".repeat(2 * MIB);
    let mut bridge = login(victim, "bridge", "ada");
    let pid = bridge.publish(TOPIC, &devices, 3);
    assert_eq!(bridge.expect(0x40)[..2], pid.to_be_bytes());
    for options in [victim.v4("later"), victim.v5("later")] {
        let mut later = options.user("ada", "secret").connect();
        later.subscribe(TOPIC, 0);
        let got = later.got();
        assert!(got.payload == devices && got.retain, "{} bytes", got.payload.len());
    }
}

fn slow_senders_of_large_packets() {
    let (victim, witness, _folder) = home("");
    for number in 0..CONNECTIONS {
        let options = victim.v4(&format!("eve-{number}")).user("eve", "secret");
        let mut stream = TcpStream::connect(victim.addr).unwrap();
        stream.write_all(&options.packet()).unwrap();
        // 16 MiB are announced, and 1 MiB less comes.
        let mut packet = vec![0x30, 0x80, 0x80, 0x80, 0x08];
        text(&mut packet, "flood");
        packet.resize(15 * MIB, b'x');
        // It ends with the broker.
        std::thread::spawn(move || {
            let written = stream.write_all(&packet);
            std::thread::park();
            drop((written, stream));
        });
    }
    victim.has_logged_once("eve: has as many large packets under way as there is room for");
    is_served(&victim);
    witness.was_served();
    victim.stays_below("large packets", ITS_OWN + CONNECTIONS * 288 * KIB + 16 * MIB);
}

fn slow_readers_of_large_packets() {
    let (victim, witness, _folder) = home("");
    let readers: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let mut reader = login(&victim, &format!("eve-{number}"), "eve");
            reader.subscribe(&format!("flood/{number}"), 0);
            reader
        })
        .collect();
    let payload = "x".repeat(8 * MIB);
    let mut writer = login(&victim, "writer", "ada");
    // What is being written is in no queue any more, so that the next one finds room there.
    for number in 0..CONNECTIONS {
        writer.publish_acked(&format!("flood/{number}"), &payload);
    }
    is_served(&victim);
    assert_eq!(readers.len(), CONNECTIONS, "they are connected all the time");
    witness.was_served();
    // What waits in queues, what is being written, and what comes in.
    victim.stays_below("large packets", 2 * ITS_OWN + CONNECTIONS * 288 * KIB + 32 * MIB);
}
