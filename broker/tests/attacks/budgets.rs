//! One user takes all that it can get. The others still find room, and the log names the user.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use crate::Attack;
use crate::devices::home;
use crate::kit::{Client, Options};
use crate::victim::{KIB, MIB, Victim};

pub(crate) const ATTACKS: &[Attack] = &[
    ("sessions_of_one_device", sessions_of_one_device),
    ("wildcards_of_one_person", wildcards_of_one_person),
    ("retained_messages_of_one_person", retained_messages_of_one_person),
    ("sleepers_of_one_person", sleepers_of_one_person),
    ("client_id_of_somebody_else", client_id_of_somebody_else),
];

const QUOTA: u8 = 0x97;

fn login(victim: &Victim, id: &str, user: &str) -> Options {
    victim.v5(id).user(user, "secret")
}

/// The code of the CONNACK of somebody who leaves his session behind.
fn come_and_go(options: &Options, victim: &Victim) -> u8 {
    let mut client = Client::raw(victim.addr, true);
    client.send(&options.packet());
    let code = client.expect(0x20)[1];
    if code == 0 {
        client.disconnect();
    }
    code
}

fn sessions_of_one_device() {
    const SESSIONS: usize = 2_000;
    /// Two in a hundred.
    const ITS_OWN: usize = 40;
    let (victim, witness, _folder) = home(&format!("sessions={SESSIONS}"));
    let come = |number: usize| {
        come_and_go(&login(&victim, &format!("lamp-{number}"), "kitchen/lamp").keep(), &victim)
    };
    for number in 0..ITS_OWN {
        assert_eq!(come(number), 0, "session {number}");
    }
    assert_eq!(come(ITS_OWN), QUOTA);
    assert_eq!(come(0), 0, "it comes back to what it has");
    assert_eq!(come_and_go(&login(&victim, "door", "hall/door").keep(), &victim), 0);
    victim.has_logged("user kitchen/lamp");
    witness.was_served();
}

fn wildcards_of_one_person() {
    /// A quarter.
    const ITS_OWN: usize = 100;
    let (victim, witness, _folder) = home("wildcard_filters=400");
    let mut granted = 0;
    let mut clients = Vec::new();
    for number in 0..3 {
        let mut client = login(&victim, &format!("eve-{number}"), "eve").connect();
        for filter in 0..50 {
            match client.subscribe_only(&format!("made-up/{number}/{filter}/+"), 1) {
                1 => granted += 1,
                code => assert_eq!(code, QUOTA),
            }
        }
        clients.push(client);
    }
    assert_eq!(granted, ITS_OWN);
    login(&victim, "ada", "ada").connect().subscribe("something/+", 1);
    victim.has_logged_once("eve: has as many subscriptions as there is room for");
    witness.was_served();
}

fn retained_messages_of_one_person() {
    /// A quarter.
    const ITS_OWN: usize = 100;
    let (victim, witness, _folder) = home("retained_messages=400");
    let mut eve = login(&victim, "eve", "eve").connect();
    let keep = |client: &mut Client, topic: &str| {
        let pid = client.publish(topic, "x", 3);
        let answer = client.expect(0x40);
        assert_eq!(answer[..2], pid.to_be_bytes());
        answer.get(2).copied().unwrap_or(0)
    };
    for number in 0..ITS_OWN {
        assert!(keep(&mut eve, &format!("made-up/{number}")) < 0x80, "message {number}");
    }
    assert_eq!(keep(&mut eve, "made-up/more"), QUOTA);
    assert!(keep(&mut eve, "made-up/0") < 0x80, "in place of her own");
    // Answers are not kept at all, nor counted.
    assert!(keep(&mut eve, "reply/eve") < 0x80);
    victim.has_logged("eve: published an answer with RETAIN");
    let mut asks = login(&victim, "asks", "ada").connect();
    asks.subscribe("reply/#", 0);
    asks.ping();
    // Where she is not told, the log is.
    eve.publish("made-up/more", "x", 1);
    victim.has_logged("eve: published what is delivered but not retained");
    let mut ada = login(&victim, "ada", "ada").connect();
    assert!(keep(&mut ada, "news") < 0x80);
    assert!(keep(&mut ada, "made-up/1") < 0x80, "in place of hers");
    assert!(keep(&mut eve, "made-up/more") < 0x80, "which is one less of hers");
    witness.was_served();
}

fn sleepers_of_one_person() {
    let (victim, witness, _folder) = home("waiting_bytes=67108864");
    let sleep = |id: &str, user: &str, filter: &str| {
        let options = login(&victim, id, user).keep();
        let mut client = options.connect();
        client.subscribe(filter, 1);
        client.disconnect();
        options
    };
    let ada = sleep("ada", "ada", "#");
    let eves: Vec<_> =
        (0..40).map(|number| sleep(&format!("eve-{number}"), "eve", "flood/+")).collect();
    let mut eve = login(&victim, "eve", "eve").connect();
    let payload = "x".repeat(64 * KIB);
    // 2 MiB, which stand there once, and on her account 40 times: she has 16 MiB.
    for _ in 0..32 {
        eve.publish_acked("flood/x", &payload);
    }
    let left = eves.iter().filter(|options| options.open().1).count();
    assert!(left < 20, "{left} sessions of 40 have more than her part");
    victim.has_logged_once("eve: more waits for a session than there is room for");
    let (mut ada, present) = ada.open();
    assert!(present, "somebody else's session sleeps on");
    for _ in 0..32 {
        let got = ada.got();
        ada.ack(&got);
    }
    witness.was_served();
    victim.stays_below("sleepers", 24 * MIB + 16 * MIB);
}

/// A session that is kept for ever lies on a client id that somebody else needs.
fn client_id_of_somebody_else() {
    const CLIENT_ID: u8 = 0x85;
    let (victim, witness, _folder) = home("");
    let lamp = login(&victim, "DVES_1", "kitchen/lamp").keep();
    assert_eq!(come_and_go(&login(&victim, "DVES_1", "eve").keep(), &victim), 0);
    for _ in 0..3 {
        assert_eq!(come_and_go(&lamp, &victim), CLIENT_ID);
    }
    victim.has_logged_once("eve: has a session under a client id that another user asked for");
    let mut ada = login(&victim, "ada", "ada").connect();
    ada.publish_acked("hearth/home/broker/sessions", r#"{"end": "DVES_1"}"#);
    assert_eq!(come_and_go(&lamp, &victim), 0, "an administrator has ended it");
    // What is called after a user is that user's from the beginning.
    assert_eq!(come_and_go(&login(&victim, "kitchen/lamp:2", "eve").keep(), &victim), CLIENT_ID);
    assert_eq!(come_and_go(&login(&victim, "kitchen/lamp:2", "kitchen/lamp").keep(), &victim), 0);
    witness.was_served();
}
