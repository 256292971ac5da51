//! Files and folders that a store refuses, and what it says.

use super::*;
use rusqlite::Connection;
use std::path::Path;

fn file(folder: &TempDir) -> std::path::PathBuf {
    crate::inspect::file(folder.path(), 1)
}

fn open_in(folder: &Path) -> Result<(Store, Recovered), StoreError> {
    Store::open(folder, &site(), GatewayId(1), UnixMillis(0), 0)
}

#[test]
fn the_folder_is_made() {
    let folder = TempDir::new().unwrap();
    let deep = folder.path().join("a/b");
    assert!(open_in(&deep).is_ok());
    assert!(crate::inspect::file(&deep, 1).is_file());
}

#[test]
fn the_file_is_opened_as_durable_as_promised() {
    let folder = TempDir::new().unwrap();
    let (store, _) = open(&folder);
    let pragma = |name| -> String {
        let value = store
            .connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
        match value.unwrap() {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    };
    let found = ["journal_mode", "synchronous", "foreign_keys", "user_version"].map(pragma);
    assert_eq!(found, ["wal", "2", "1", "2"]);
}

#[test]
fn a_second_process_on_the_folder_fails_at_once() {
    let folder = TempDir::new().unwrap();
    let (store, _) = open(&folder);
    let error = refusal(try_open(&folder, 1));
    let StoreError::Locked { holder, .. } = &error else { panic!("{error:?}") };
    assert_eq!(holder.as_deref(), Some(format!("process {}", std::process::id()).as_str()));
    let text = error.to_string();
    assert!(text.contains("gateway-1.lock") && text.contains("stop it"), "{text}");
    // Another gateway may use the same folder.
    assert!(try_open(&folder, 2).is_ok());
    drop(store);
    assert!(try_open(&folder, 1).is_ok());
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = TempDir::new().unwrap();
    let letter = folder.path().join("letter");
    std::fs::write(&letter, "not a folder").unwrap();
    for unusable in [letter.as_path(), &letter.join("data"), Path::new("/proc/hearth")] {
        let error = refusal(open_in(unusable));
        assert!(matches!(error, StoreError::Folder { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&*unusable.to_string_lossy()), "{text}");
    }
    std::fs::create_dir(file(&folder)).unwrap();
    let error = refusal(try_open(&folder, 1));
    assert!(matches!(error, StoreError::Unwritable { .. }), "{error:?}");
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::write(file(&folder), "a letter of more than sixteen bytes").unwrap();
    let error = refusal(try_open(&folder, 1));
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("gateway-1.db is damaged") && text.contains("new number"), "{text}");
}

/// The first page of every table and index.
fn roots(folder: &TempDir) -> Vec<(String, u32)> {
    let connection = Connection::open(file(folder)).unwrap();
    let sql = "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0";
    let mut roots = connection.prepare(sql).unwrap();
    let roots = roots.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    roots.map(Result::unwrap).collect()
}

#[test]
fn damage_is_found_in_every_table_and_index() {
    let folder = TempDir::new().unwrap();
    drop(tell(&folder).store);
    let roots = roots(&folder);
    let sound = std::fs::read(file(&folder)).unwrap();
    for (name, page) in &roots {
        let mut bytes = sound.clone();
        bytes[(*page as usize - 1) * 4096..][..200].fill(0xa5);
        std::fs::write(file(&folder), &bytes).unwrap();
        let error = refusal(try_open(&folder, 1));
        assert!(matches!(error, StoreError::Corrupt { .. }), "{name}: {error:?}");
    }
    assert!(roots.len() > 12, "{roots:?}");
}

#[test]
fn a_row_that_cannot_be_is_damage_that_is_named() {
    for (change, named) in [
        ("UPDATE devices SET kind = 'dog' WHERE node = 3", "devices.kind is \"dog\""),
        ("UPDATE timers SET name = 'tea/4'", "timers.name is \"tea/4\""),
        ("DELETE FROM house WHERE name = 'seq'", "house.seq is missing"),
        ("UPDATE log SET value = x'02' WHERE slot = 13", "slot 13"),
        ("DELETE FROM log WHERE slot = 13; UPDATE replica SET applied = 11", "slots 12 to 13"),
        ("DELETE FROM replica", "no rows"),
    ] {
        let folder = TempDir::new().unwrap();
        drop(tell(&folder).store);
        Connection::open(file(&folder)).unwrap().execute_batch(change).unwrap();
        let error = refusal(try_open(&folder, 1));
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn the_file_of_another_replica_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder));
    std::fs::copy(file(&folder), crate::inspect::file(folder.path(), 2)).unwrap();
    let error = refusal(try_open(&folder, 2));
    assert!(matches!(error, StoreError::OtherReplica { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("gateway 1 of site \"home\", not to gateway 2"), "{text}");
    let farm = Site::new("farm").unwrap();
    let error = refusal(Store::open(folder.path(), &farm, GatewayId(1), UnixMillis(0), 0));
    assert!(error.to_string().contains("not to gateway 1 of site \"farm\""), "{error}");
}

#[test]
fn one_voter_comes_or_goes_at_a_time() {
    let folder = TempDir::new().unwrap();
    let vote =
        |voters: &[u8]| open(&folder).0.vote_with(&voters.iter().map(|n| GatewayId(*n)).collect());
    assert!(vote(&[1, 2, 3]).is_ok());
    assert!(vote(&[3, 1, 2]).is_ok(), "the order means nothing");
    for others in [&[1][..], &[1, 2, 4], &[1, 2, 3, 4, 5]] {
        let error = vote(others).expect_err("refused");
        assert!(matches!(error, StoreError::OtherVoters { .. }), "{error:?}");
        assert!(error.to_string().contains("--voters 1,2,3,"), "{error}");
    }
    for next in [&[1, 2, 3, 4][..], &[1, 2, 4], &[1, 2]] {
        assert!(vote(next).is_ok(), "{next:?}");
    }
}

#[test]
fn a_file_of_the_first_version_takes_the_voters_that_it_meets() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder));
    let first = "ALTER TABLE replica DROP COLUMN voters; PRAGMA user_version = 1";
    Connection::open(file(&folder)).unwrap().execute_batch(first).unwrap();
    let voters = [GatewayId(1)].into();
    assert!(open(&folder).0.vote_with(&voters).is_ok());
    assert!(open(&folder).0.vote_with(&[GatewayId(2)].into()).is_err(), "it is kept");
}

#[test]
fn a_newer_file_and_a_foreign_one_are_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder));
    let version = |version: i64| {
        Connection::open(file(&folder))
            .unwrap()
            .pragma_update(None, "user_version", version)
            .unwrap();
    };
    version(99);
    let before = std::fs::read(file(&folder)).unwrap();
    let error = refusal(try_open(&folder, 1));
    assert!(matches!(error, StoreError::Newer { found: 99, known: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("version 99"), "{error}");
    assert!(std::fs::read(file(&folder)).unwrap() == before, "it was changed");
    for foreign in [0, -1] {
        version(foreign);
        let error = refusal(try_open(&folder, 1));
        assert!(matches!(error, StoreError::Foreign { .. }), "{error:?}");
    }
}

#[test]
fn a_file_that_was_never_written_is_a_new_one() {
    let folder = TempDir::new().unwrap();
    std::fs::write(file(&folder), "").unwrap();
    assert_eq!(open(&folder).1.paxos, paxos::Recovered::empty());
}
