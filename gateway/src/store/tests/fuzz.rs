//! Files as a broken disk gives them back: a clear error or the right rows, never a panic and never other rows.

use super::snapshots::{Desk, ahead, carriers, late};
use super::*;
use crate::inspect;
use gateway_core::snapshots::{Report, Task};
use hearth_fuzz::{Random, count, runs, seed, spoil};

/// Files of each kind. 200: some seconds, since each is opened and written.
const USUAL: u64 = 200;

/// What a replica begins with, and what can be asked of it.
#[derive(Debug, PartialEq)]
struct Known {
    house: House,
    applied: Slot,
    paxos: paxos::Recovered,
    history: Vec<inspect::HistoryRow>,
    tables: std::collections::BTreeMap<String, inspect::TableHash>,
}

fn known(folder: &TempDir) -> Result<Known, StoreError> {
    let path = inspect::file(folder.path(), 1);
    // It looks at files that no replica would open, too.
    let _whatever = inspect::read(&path);
    let (store, Recovered { house, applied, paxos, .. }) = try_open(folder, 1)?;
    drop(store);
    let read = inspect::read(&path).unwrap();
    Ok(Known { house, applied, paxos, history: read.history, tables: read.tables })
}

/// Spoils one of a replica's files, many times; gives what comes of each that can be opened.
fn spoil_and_open(name: &str, end: &str, source: &TempDir, mut judge: impl FnMut(Known)) {
    let read = |end: &str| std::fs::read(source.path().join(format!("gateway-1.db{end}")));
    let sound = ["", "-wal"].map(|end| (end, read(end).ok()));
    let mut random = Random::new(seed(name));
    let (files, mut taken) = (runs(USUAL), 0);
    for _ in 0..files {
        let number = random.next();
        println!("{name}: file {number}");
        let folder = TempDir::new().unwrap();
        for (of, bytes) in &sound {
            let Some(mut bytes) = bytes.clone() else { continue };
            if *of == end {
                spoil(&mut bytes, &mut Random::new(number));
            }
            std::fs::write(folder.path().join(format!("gateway-1.db{of}")), bytes).unwrap();
        }
        match known(&folder) {
            Ok(known) => {
                judge(known);
                taken += 1;
            }
            Err(error) => assert!(error.to_string().contains("gateway-1.db"), "{error}"),
        }
    }
    count(name, files, taken);
}

#[test]
fn a_spoilt_file_is_refused_or_tells_the_truth() {
    let source = TempDir::new().unwrap();
    drop(tell(&source));
    let truth = known(&source).unwrap();
    let blank = known(&TempDir::new().unwrap()).unwrap();
    spoil_and_open("gateway-file", "", &source, |told| {
        // A file of which nothing is left is a new one, which has another number and no vote.
        assert!(told == truth || told == blank, "{told:#?}");
    });
}

#[test]
fn a_spoilt_write_ahead_log_ends_early_and_invents_nothing() {
    let source = TempDir::new().unwrap();
    let mut replica = Replica::new(&source);
    let mut lives = Vec::new();
    for entry in story() {
        lives.push(known(&killed(&source)).unwrap());
        replica.apply(&entry).unwrap();
    }
    let source = killed(&source);
    lives.push(known(&source).unwrap());
    let source = {
        let again = TempDir::new().unwrap();
        let mut replica = Replica::new(&again);
        story().iter().for_each(|entry| drop(replica.apply(entry).unwrap()));
        killed(&again)
    };
    let blank = known(&TempDir::new().unwrap()).unwrap();
    spoil_and_open("gateway-wal", "-wal", &source, |told| {
        assert!(lives.contains(&told) || told == blank, "{told:#?}");
    });
}

#[test]
fn a_spoilt_snapshot_is_never_taken_for_sound() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ahead, late) = (ahead(&one), late(&two));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let mut random = Random::new(seed("snapshot-file"));
    let (files, mut taken) = (runs(50), 0);
    for _ in 0..files {
        let number = random.next();
        println!("snapshot-file: file {number}");
        let id = taker.fetch(&mut giver);
        let path = carriers(two.path()).remove(0);
        let sound = std::fs::read(&path).unwrap();
        let mut bytes = sound.clone();
        spoil(&mut bytes, &mut Random::new(number));
        std::fs::write(&path, &bytes).unwrap();
        match taker.ask(Task::Check(id)) {
            Report::Failed(why) => assert!(bytes != sound && !why.is_empty(), "{why}"),
            Report::Sound(_, house) => {
                assert!(bytes == sound && *house == ahead.house, "other bytes are sound");
                taken += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    count("snapshot-file", files, taken);
}
