//! A broker's file as a broken disk gives it back: a clear error, or something that a broker can live with.

use hearth_fuzz::{Random, count, runs, seed, spoil};

use super::desk::Desk;
use super::tests::{SITE, life};
use super::writer::Writer;
use super::*;
use broker_core::Core;
use broker_core::access::Guest;
use broker_core::protocol::{Connect, Version};
use broker_core::{ConnId, Moment};
use broker_core::{Incarnation, Settings};

use std::time::Duration;

use tempfile::TempDir;

/// Files. 300: some seconds, since each is opened and written.
const USUAL: u64 = 300;

#[test]
fn a_spoilt_file_is_named_or_lived_with() {
    let folder = TempDir::new().unwrap();
    life(&folder);
    let path = folder.path().join("broker-1.db");
    let sound = std::fs::read(&path).unwrap();
    let mut random = Random::new(seed("broker-file"));
    let (files, mut taken) = (runs(USUAL), 0);
    for _ in 0..files {
        let number = random.next();
        println!("broker-file: file {number}");
        let mut file = sound.clone();
        spoil(&mut file, &mut Random::new(number));
        for end in ["-wal", "-shm"] {
            _ = std::fs::remove_file(folder.path().join(format!("broker-1.db{end}")));
        }
        std::fs::write(&path, file).unwrap();
        match super::open(folder.path(), 1, SITE, 1) {
            Ok(opened) => {
                live(opened);
                taken += 1;
            }
            Err(error) => assert!(error.to_string().contains("broker-1.db"), "{error}"),
        }
    }
    count("broker-file", files, taken);
}

/// A life with what is in the file, until all of it has been served, and is written again.
fn live(opened: Opened) {
    let Opened { file, memory, incarnation } = opened;
    let incarnation = Incarnation(incarnation);
    let settings = Settings { store: true, incarnation, ..Settings::default() };
    let mut core = Core::new(settings);
    let clients: Vec<_> = memory.sessions.iter().map(|session| session.client.clone()).collect();
    core.restore(Moment::default(), memory, |_| Some(Guest::Anyone));
    let everything = core.everything();
    for (number, client) in (1..).zip(&clients) {
        let connect = Connect {
            version: Version::V5,
            client_id: client.to_string(),
            login: Default::default(),
            clean: false,
            session_expiry: 60,
            keep_alive: 0,
            receive_maximum: u16::MAX,
            maximum_packet: u32::MAX,
            alias_maximum: 0,
            epoch: 0,
            will: None,
        };
        let came = core.connect(Moment::default(), ConnId(number), connect, Guest::Anyone);
        if came.is_ok() {
            core.pull(Moment::default(), ConnId(number), usize::MAX, &mut Vec::new());
        }
    }
    core.tick(Moment(Duration::from_secs(1 << 33)));
    let desk = Arc::<Desk>::default();
    for mut changes in [everything, std::mem::take(&mut core.effects().keep)] {
        desk.put(Moment::default(), &mut changes);
    }
    desk.close();
    // On this thread, so that a panic is seen here.
    Writer::new(file, desk, Box::new(Vec::new)).run();
}
