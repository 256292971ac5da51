//! Sessions without end: their ids, their wills.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use crate::Attack;
use crate::kit::{Client, Options};
use crate::victim::{KIB, MIB, Victim};
use crate::witness::Witness;

pub(crate) const ATTACKS: &[Attack] = &[
    ("client_ids_without_end", client_ids_without_end),
    ("client_ids_as_long_as_they_come", client_ids_as_long_as_they_come),
    ("a_flood_of_wills", a_flood_of_wills),
];

/// What a sleeping session costs.
const SESSION: usize = 3 * KIB;

/// Connects with a session that stays, and goes; the code of the CONNACK.
fn come_and_go(options: &Options, addr: std::net::SocketAddr, v5: bool) -> u8 {
    let mut client = Client::raw(addr, v5);
    client.send(&options.packet());
    let code = client.expect(0x20)[1];
    if code == 0 {
        client.disconnect();
    }
    code
}

fn client_ids_without_end() {
    const SESSIONS: usize = 3_800;
    // Of 4,000 those that are not kept for gateways.
    let victim = Victim::start("sessions=4000");
    let witness = Witness::of(&victim);
    let come = |number: usize, v5: bool| {
        let name = format!("made-up-{number}");
        let options = if v5 { victim.v5(&name) } else { victim.v4(&name) };
        come_and_go(&options.keep(), victim.addr, v5)
    };
    // Two are the witness's.
    for number in 0..SESSIONS - 2 {
        assert_eq!(come(number, number % 2 == 0), 0, "session {number}");
    }
    assert_eq!(come(SESSIONS, true), 0x89, "Server busy");
    assert_eq!(come(SESSIONS, false), 3, "Server unavailable");
    victim.v5("hearth-home-1").connect().ping();
    assert!(victim.v5("made-up-0").keep().open().1, "who has a session comes back to it");
    witness.was_served();
    victim.stays_below("client ids", SESSIONS * SESSION);
}

fn client_ids_as_long_as_they_come() {
    let victim = Victim::start("session_bytes=8388608");
    let witness = Witness::of(&victim);
    let mut refused = 0;
    for number in 0..120 {
        let name = format!("{number}-{}", "x".repeat(60_000));
        match come_and_go(&victim.v5(&name).keep(), victim.addr, true) {
            0 => assert_eq!(refused, 0, "no room comes from nowhere"),
            code => {
                assert_eq!(code, 0x97, "Quota exceeded");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "14 MB do not fit into 8 MiB");
    let old = victim.v4(&"y".repeat(60_000)).keep();
    assert_eq!(come_and_go(&old, victim.addr, false), 3, "Server unavailable");
    victim.v5("short").connect().ping();
    witness.was_served();
    victim.stays_below("long client ids", 8 * MIB + MIB);
}

fn a_flood_of_wills() {
    let victim = Victim::start("session_bytes=8388608");
    let witness = Witness::of(&victim);
    let mut reader = victim.v4("reader").connect();
    reader.subscribe("will/+", 1);
    let mut dying = Vec::new();
    let mut refused = 0;
    for number in 0..200 {
        let name = format!("mortal-{number}");
        let topic = format!("will/{number}");
        let options = victim.v5(&name).will(&topic, &"x".repeat(60_000));
        let mut client = Client::raw(victim.addr, true);
        client.send(&options.packet());
        match client.expect(0x20)[1] {
            0 => dying.push(client),
            code => {
                assert_eq!(code, 0x97, "Quota exceeded");
                refused += 1;
            }
        }
    }
    assert!(refused > 0 && dying.len() > 100, "{refused} of 200 wills found no room");
    let died = dying.len();
    drop(dying);
    let mut topics = std::collections::BTreeSet::new();
    for _ in 0..died {
        let got = reader.got();
        assert!(topics.insert(got.topic.clone()), "{} comes once", got.topic);
        reader.ack(&got);
    }
    victim.v5("after").will("will/after", &"x".repeat(60_000)).connect().ping();
    witness.was_served();
    // The wills, once more while they are delivered, and the connections.
    victim.stays_below("wills", 2 * 8 * MIB + 202 * 20 * KIB);
}
