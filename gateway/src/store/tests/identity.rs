//! Which file it is: what is copied, moved, put back or lost, and how a store can tell.

use super::super::{Disk, Doubt, Found};
use super::*;
use gateway_core::witness::Witness;
use paxos::Voters;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};

fn file(folder: &TempDir) -> PathBuf {
    crate::inspect::file(folder.path(), 1)
}

fn life_file(folder: &TempDir) -> PathBuf {
    folder.path().join("gateway-1.life")
}

/// A replica that votes among three, with something in its file; gives the number of that.
fn founded(folder: &TempDir) -> u64 {
    let (mut store, recovered) = open(folder);
    let number = recovered.disk.number;
    let founders = [ReplicaId::new(1, number), ReplicaId(2), ReplicaId(3)];
    let records = [Record::Founded(Voters::new(founders).unwrap())];
    store.commit(Write { records: &records, ..NOTHING }).unwrap();
    number
}

#[test]
fn what_is_remembered_of_other_files_makes_this_one_no_older() {
    let folder = TempDir::new().unwrap();
    founded(&folder);
    let (mut store, recovered) = open(&folder);
    promise(&mut store, 7);
    let (two, three) = (ReplicaId::new(2, 77), ReplicaId::new(3, 78));
    let seen = Witness { life: 5, age: 640 };
    let remember = [(two, Some(seen)), (three, Some(seen))];
    let stored = store.commit(Write { witnesses: &remember, ..NOTHING }).unwrap();
    assert!(stored.is_empty(), "{stored:?}");
    store.commit(Write { witnesses: &[(three, None)], ..NOTHING }).unwrap();
    drop(store);
    let again = open(&folder).1;
    assert_eq!(again.witnesses, [(two, seen)].into());
    // The promise counts; neither the beginning of a life nor what is remembered does.
    assert_eq!(again.file.found, recovered.file.found + 1);
    assert_ne!(again.file.life, recovered.file.life);
}

#[test]
fn a_file_that_gives_its_number_up_keeps_it_for_an_operators_word() {
    let folder = TempDir::new().unwrap();
    let before = founded(&folder);
    let (mut store, recovered) = open(&folder);
    let renounced = store.renounce(recovered.disk).unwrap();
    assert_ne!(renounced.number, before);
    drop(store);
    let (mut store, recovered) = open(&folder);
    assert_eq!(recovered.disk, renounced);
    assert_eq!(renounced.found, Found::Doubted { before, doubt: Doubt::Older });
    assert_eq!(store.trust(recovered.disk).unwrap().number, before);
}

/// A promise, which a file that is put back has forgotten.
fn promise(store: &mut Store, round: u64) {
    let records = [Record::Promised(Ballot { round, replica: ReplicaId(2) })];
    store.commit(Write { records: &records, ..NOTHING }).unwrap();
}

/// The bytes of the file, with everything in it.
fn bytes(folder: &TempDir) -> Vec<u8> {
    let connection = Connection::open(file(folder)).unwrap();
    let moved = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(moved, [], |_| Ok(())).unwrap();
    fs::read(file(folder)).unwrap()
}

/// As `cp` puts a backup in the place of a file: its inode and its time of birth stay.
fn put_back(folder: &TempDir, bytes: &[u8]) {
    for end in ["-wal", "-shm"] {
        drop(fs::remove_file(folder.path().join(format!("gateway-1.db{end}"))));
    }
    fs::write(file(folder), bytes).unwrap();
}

fn found(folder: &TempDir) -> Found {
    open(folder).1.disk.found
}

#[test]
fn every_file_has_a_number_and_keeps_it() {
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let first = open(&folder).1.disk;
    assert!(first.found == Found::New && first.number > 0 && first.number < 1 << 56);
    assert_eq!(open(&folder).1.disk, Disk { found: Found::Known, ..first });
    assert_ne!(open(&other).1.disk.number, first.number);
}

#[test]
fn a_backup_that_was_copied_over_the_file_is_older() {
    let folder = TempDir::new().unwrap();
    let before = founded(&folder);
    let backup = bytes(&folder);
    promise(&mut open(&folder).0, 7);
    let later = (0..5).map(|_| open(&folder).1.incarnation).max().unwrap();
    put_back(&folder, &backup);
    let recovered = open(&folder).1;
    assert_eq!(recovered.disk.found, Found::Doubted { before, doubt: Doubt::Older });
    assert_ne!(recovered.disk.number, before);
    // The clock stands still here, and the file knows nothing of the lives that came later.
    assert!(recovered.incarnation > later, "{} is a life that was", recovered.incarnation);
}

#[test]
fn a_backup_of_the_same_life_is_older_too() {
    let folder = TempDir::new().unwrap();
    let before = founded(&folder);
    let (mut store, _) = open(&folder);
    promise(&mut store, 7);
    let backup = bytes(&folder);
    promise(&mut store, 8);
    drop(store);
    put_back(&folder, &backup);
    assert_eq!(found(&folder), Found::Doubted { before, doubt: Doubt::Older });
}

#[test]
fn a_file_from_before_life_files_is_older_once_there_was_one() {
    let folder = TempDir::new().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/f4fe4dd/gateway-1.db");
    fs::copy(&golden, file(&folder)).unwrap();
    let Found::Doubted { before, doubt: Doubt::Copied } = found(&folder) else { panic!("a copy") };
    put_back(&folder, &fs::read(golden).unwrap());
    assert_eq!(found(&folder), Found::Doubted { before, doubt: Doubt::Older });
}

#[test]
fn a_process_that_is_killed_at_any_moment_of_its_start_or_later_keeps_its_number() {
    let folder = TempDir::new().unwrap();
    let number = founded(&folder);
    let life = || fs::read(life_file(&folder)).unwrap();
    let (before, earlier) = (bytes(&folder), life());
    let (mut store, _) = open(&folder);
    let during = life();
    promise(&mut store, 7);
    let after = bytes(&folder);
    drop(store);
    // Killed before the first write to the database, after it, and later.
    let begun = {
        let mark = |life: &[u8]| {
            let text = String::from_utf8(life.to_vec()).unwrap();
            text.lines().find_map(|line| line.strip_prefix("mark ").map(str::to_owned)).unwrap()
        };
        let text = String::from_utf8(earlier).unwrap();
        format!("{text}next {}\n", mark(&during)).into_bytes()
    };
    for (life, database) in [(&begun, &before), (&begun, &after), (&during, &after)] {
        put_back(&folder, database);
        fs::write(life_file(&folder), life).unwrap();
        assert_eq!(open(&folder).1.disk, Disk { number, found: Found::Known });
    }
}

#[test]
fn a_copy_has_another_number() {
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let before = founded(&folder);
    fs::write(file(&other), bytes(&folder)).unwrap();
    // With and without its life file.
    assert_eq!(found(&other), Found::Doubted { before, doubt: Doubt::Copied });
    let third = TempDir::new().unwrap();
    fs::write(file(&third), bytes(&folder)).unwrap();
    fs::copy(life_file(&folder), life_file(&third)).unwrap();
    assert_eq!(found(&third), Found::Doubted { before, doubt: Doubt::Copied });
    // Nobody knows of the copies here.
    assert_eq!(open(&folder).1.disk, Disk { number: before, found: Found::Known });
}

#[test]
fn a_copy_of_a_copy_has_a_number_of_its_own() {
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let before = founded(&folder);
    fs::remove_file(life_file(&folder)).unwrap();
    let first = open(&folder).1.disk;
    fs::write(file(&other), bytes(&folder)).unwrap();
    let second = open(&other).1.disk;
    assert_eq!(second.found, Found::Doubted { before, doubt: Doubt::Copied });
    assert!(second.number != first.number && first.number != before);
}

#[test]
fn an_operators_word_gives_the_number_back_at_any_start() {
    let folder = TempDir::new().unwrap();
    let before = founded(&folder);
    fs::remove_file(life_file(&folder)).unwrap();
    let doubted = Found::Doubted { before, doubt: Doubt::Copied };
    let first = open(&folder).1.disk;
    // It has only one number more, however often it starts.
    for _ in 0..3 {
        assert_eq!(open(&folder).1.disk, Disk { found: doubted, ..first });
    }
    let (mut store, recovered) = open(&folder);
    let trusted = store.trust(recovered.disk).unwrap();
    assert_eq!(trusted, Disk { number: before, found: Found::Moved });
    drop(store);
    assert_eq!(open(&folder).1.disk, Disk { number: before, found: Found::Known });
}

#[test]
fn the_word_is_worth_nothing_once_another_file_has_the_vote() {
    let folder = TempDir::new().unwrap();
    let before = founded(&folder);
    fs::remove_file(life_file(&folder)).unwrap();
    let (mut store, recovered) = open(&folder);
    let doubted = recovered.disk;
    let voters = [ReplicaId::new(1, 77), ReplicaId(2), ReplicaId(3)];
    let changes = [Change::Voters(Voters::new(voters).unwrap())];
    let records = [Record::Chosen(Slot(1))];
    let applied = Some(Slot(1));
    store.commit(Write { records: &records, changes: &changes, applied, ..NOTHING }).unwrap();
    assert_eq!(store.trust(doubted).unwrap(), doubted);
    assert!(doubted.number != before);
}

#[test]
fn the_only_voters_file_may_be_moved_and_not_be_older() {
    let folder = TempDir::new().unwrap();
    let (mut store, recovered) = open(&folder);
    let number = recovered.disk.number;
    let alone = Voters::new([ReplicaId::new(1, number)]).unwrap();
    store.commit(Write { records: &[Record::Founded(alone)], ..NOTHING }).unwrap();
    drop(store);
    let backup = bytes(&folder);
    let moved = folder.path().join("moved");
    fs::copy(file(&folder), &moved).unwrap();
    fs::rename(&moved, file(&folder)).unwrap();
    assert_eq!(open(&folder).1.disk, Disk { number, found: Found::Moved });
    put_back(&folder, &backup);
    assert_eq!(found(&folder), Found::Doubted { before: number, doubt: Doubt::Older });
}

#[test]
fn a_file_that_is_gone_or_empty_was_there() {
    let folder = TempDir::new().unwrap();
    founded(&folder);
    put_back(&folder, b"");
    assert_eq!(found(&folder), Found::Lost);
    fs::remove_file(file(&folder)).unwrap();
    assert_eq!(found(&folder), Found::Lost);
    assert_eq!(found(&folder), Found::Known);
}

#[test]
fn a_life_file_of_a_newer_program_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    founded(&folder);
    fs::write(life_file(&folder), "hearth 9\nmark 1\n").unwrap();
    let error = refusal(try_open(&folder, 1)).to_string();
    assert!(error.contains("gateway-1.life has version 9"), "{error}");
}
