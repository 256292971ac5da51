//! Logins: many at once, and guesses from everywhere.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::fs;
use std::net::Ipv4Addr;

use broker::{User, Users, hash_password};
use tempfile::TempDir;

use crate::Attack;
use crate::arrivals::connect_from;
use crate::kit::{Client, Options};
use crate::victim::{KIB, MIB, Victim};
use crate::witness::Witness;

pub(crate) const ATTACKS: &[Attack] = &[
    ("forty_logins_at_once", forty_logins_at_once),
    ("guesses_from_700_addresses", guesses_from_700_addresses),
];

/// What argon2 works in.
const ARGON2: usize = 19 * MIB;
const BAD_CREDENTIALS: u8 = 0x86;

/// A broker with 42 persons who share a password; two of them are the witness's.
fn guarded(how: &str) -> (Victim, Witness, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut users = Users::default();
    let hash = hash_password(b"secret").unwrap();
    for number in 0..42 {
        let user = User { role: "admin".to_owned(), hash: Some(hash.clone()) };
        users.set(&format!("user-{number}"), user).unwrap();
    }
    let file = folder.path().join("users");
    fs::write(&file, users.to_text()).unwrap();
    let victim = Victim::start(&format!("{how} users={}", file.display()));
    let witness = Witness::with(&victim, |options| options.user("user-41", "secret"));
    (victim, witness, folder)
}

fn login(victim: &Victim, number: usize, password: &str) -> Options {
    victim.v5(&format!("login-{number}")).user(&format!("user-{number}"), password)
}

/// Sends a CONNECT from an address of this machine.
fn knock(victim: &Victim, from: Ipv4Addr, options: &Options) -> Client {
    let mut client = Client::on(connect_from(from, victim.addr), true);
    client.send(&options.packet());
    client
}

fn forty_logins_at_once() {
    let (victim, witness, _folder) = guarded("");
    let here = Ipv4Addr::LOCALHOST;
    let mut logins: Vec<_> =
        (0..40).map(|number| knock(&victim, here, &login(&victim, number, "secret"))).collect();
    for login in &mut logins {
        assert_eq!(login.expect(0x20)[1], 0);
    }
    witness.was_served();
    let at_a_time = (std::thread::available_parallelism().unwrap().get() / 2).max(1);
    victim.stays_below("logins", at_a_time * ARGON2 + 42 * 20 * KIB);
    victim.is_back_below(8 * MIB);
}

fn guesses_from_700_addresses() {
    let (victim, witness, _folder) = guarded("connect_seconds=60");
    let mut guesses: Vec<_> = (0..700)
        .map(|number| {
            let from = Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 1, 0).to_bits() + number);
            knock(&victim, from, &login(&victim, 0, "guess"))
        })
        .collect();
    let answered = |guesses: &Vec<Client>| guesses.iter().filter(|guess| guess.has_more()).count();
    for number in 1..4 {
        let from = Ipv4Addr::new(127, 0, 9, number);
        let before = answered(&guesses);
        let mut fresh = knock(&victim, from, &login(&victim, usize::from(number), "secret"));
        assert_eq!(fresh.expect(0x20)[1], 0, "a fresh login");
        let between = answered(&guesses) - before;
        assert!(between <= 100, "{between} guesses were verified before a fresh login");
    }
    assert!(answered(&guesses) < 600, "the guesses are not over yet");
    let first = guesses.iter_mut().find(|guess| guess.has_more()).unwrap();
    assert_eq!(first.expect(0x20)[1], BAD_CREDENTIALS);
    // Who does not wait for the answer is not verified.
    drop(guesses);
    let fresh = login(&victim, 9, "secret");
    fresh.connect().ping();
    witness.was_served();
}
