//! A device that somebody has made his own.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use broker::{User, Users, hash_password};
use tempfile::TempDir;

use crate::Attack;
use crate::kit::{packet, text};
use crate::victim::{MIB, Victim};
use crate::witness::Witness;

pub(crate) const ATTACKS: &[Attack] =
    &[("a_device_that_reports_without_a_pause", a_device_that_reports_without_a_pause)];

/// A broker with two devices and two administrators, and the witness of one of them.
pub(crate) fn home(how: &str) -> (Victim, Witness, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut users = Users::default();
    let hash = hash_password(b"secret").unwrap();
    let devices = ["kitchen/lamp", "hall/door"].map(|name| (name, "device"));
    for (name, role) in devices.into_iter().chain([("ada", "admin"), ("eve", "admin")]) {
        users.set(name, User { role: role.to_owned(), hash: Some(hash.clone()) }).unwrap();
    }
    let file = folder.path().join("users");
    fs::write(&file, users.to_text()).unwrap();
    let victim = Victim::start(&format!("{how} users={}", file.display()));
    let witness = Witness::with(&victim, |options| options.user("ada", "secret"));
    (victim, witness, folder)
}

/// Two connections of one device send reports as fast as they are taken.
fn a_device_that_reports_without_a_pause() {
    /// As in the defaults.
    const A_SECOND: u32 = 500;
    const AT_ONCE: u32 = 1_000;
    const FOR: Duration = Duration::from_secs(4);
    let (victim, witness, _folder) = home("grace_ms=1");
    let mut reader = victim.v5("reader").user("ada", "secret").connect();
    reader.subscribe("home/kitchen/lamp/report", 0);
    let began = Instant::now();
    for number in 0..2 {
        let options = victim.v4(&format!("lamp-{number}")).user("kitchen/lamp", "secret");
        let mut stream = TcpStream::connect(victim.addr).unwrap();
        stream.write_all(&options.packet()).unwrap();
        let mut body = Vec::new();
        text(&mut body, "home/kitchen/lamp/report");
        body.extend(b"ON");
        let reports = packet(0x30, &body).repeat(100);
        // It ends with the broker.
        std::thread::spawn(move || while stream.write_all(&reports).is_ok() {});
    }
    let mut door = victim.v5("door").user("hall/door", "secret").connect();
    let (mut reports, mut slowest) = (0, Duration::ZERO);
    while began.elapsed() < FOR {
        let asked = Instant::now();
        door.publish_acked("home/hall/door/report", "OPEN");
        slowest = slowest.max(asked.elapsed());
        // So that the other device stays below its own bound.
        for _ in 0..10 {
            reader.got();
            reports += 1;
        }
    }
    let most = AT_ONCE + A_SECOND * (began.elapsed().as_secs_f64().ceil() as u32);
    println!("{reports} reports, of {most} at most; another device waited {slowest:?} at most");
    assert!(reports > AT_ONCE, "it is read all the same");
    assert!(reports <= most, "{reports} reports were taken, more than {most}");
    witness.was_served();
    victim.has_logged_once("publishes faster than a device may");
    // 256 KiB that are read ahead of each connection, and what an argon2 verification leaves.
    victim.stays_below("reports", 24 * MIB);
}
