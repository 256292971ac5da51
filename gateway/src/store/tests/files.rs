//! Files and folders that a store refuses, and what it says.

use super::super::{Disk, Found, sums};
use super::*;
use gateway_core::id::Ticket;
use hearth_storage::Version;
use paxos::Voters;
use rusqlite::Connection;
use std::path::Path;

fn file(folder: &TempDir) -> std::path::PathBuf {
    crate::inspect::file(folder.path(), 1)
}

/// As no disk would: with the sums that belong to it.
fn change_by_hand(folder: &TempDir, sql: &str) {
    let connection = Connection::open(file(folder)).unwrap();
    connection.execute_batch(sql).unwrap();
    sums::write_all(&connection).unwrap();
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
    assert_eq!(found, ["wal", "2", "1", "7"]);
}

#[test]
fn a_second_process_on_the_folder_fails_at_once() {
    let folder = TempDir::new().unwrap();
    let (store, _) = open(&folder);
    let error = refusal(try_open(&folder, 1));
    let Some(Fault::Locked { holder, .. }) = error.fault() else { panic!("{error:?}") };
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
        assert!(matches!(error.fault(), Some(Fault::Unusable(_))), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&*unusable.to_string_lossy()), "{text}");
    }
    std::fs::create_dir(file(&folder)).unwrap();
    let error = refusal(try_open(&folder, 1));
    assert!(matches!(error.fault(), Some(Fault::Unwritable(_))), "{error:?}");
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::write(file(&folder), "a letter of more than sixteen bytes").unwrap();
    let error = refusal(try_open(&folder, 1));
    assert!(matches!(error.fault(), Some(Fault::Damaged(_))), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("gateway-1.db is damaged") && text.contains("move it away"), "{text}");
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
        assert!(matches!(error.fault(), Some(Fault::Damaged(_))), "{name}: {error:?}");
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
        change_by_hand(&folder, change);
        let error = refusal(try_open(&folder, 1));
        assert!(matches!(error.fault(), Some(Fault::Damaged(_))), "{error:?}");
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn a_bit_that_flips_in_any_column_is_damage() {
    let folder = TempDir::new().unwrap();
    drop(tell(&folder).store);
    let sound = std::fs::read(file(&folder)).unwrap();
    for (table, change) in [
        ("status", "UPDATE status SET state = '1' WHERE state = '21.5'"),
        ("history", "UPDATE history SET time = time | 64 WHERE seq = 1"),
        ("seen", "UPDATE seen SET ordered = 2"),
        ("log", "UPDATE log SET round = round + 1 WHERE slot = 3"),
        ("acceptor", "UPDATE acceptor SET promised_round = promised_round + 2"),
        ("replica", "UPDATE replica SET disk = disk + 1"),
    ] {
        std::fs::write(file(&folder), &sound).unwrap();
        let connection = Connection::open(file(&folder)).unwrap();
        let changed = connection.execute(change, []).unwrap();
        assert!(changed > 0, "{change}");
        drop(connection);
        let error = refusal(try_open(&folder, 1)).to_string();
        assert!(
            error.contains(&format!(" of table {table} ")) && error.contains("not as written"),
            "{error}"
        );
    }
}

#[test]
fn what_is_spoilt_while_the_replica_runs_is_not_told() {
    for (change, read) in [
        ("UPDATE status SET state = '7' WHERE node = 2", Read::Status(NodeId(2), Ticket(1))),
        ("UPDATE history SET value = '7' WHERE seq = 2", history_of_all()),
        ("UPDATE log SET value = x'0100' WHERE slot = 3", log_from(3)),
    ] {
        let folder = TempDir::new().unwrap();
        let mut replica = tell(&folder);
        replica.store.connection.execute(change, []).unwrap();
        let error = replica.store.commit(Write { reads: &[read], ..NOTHING }).unwrap_err();
        assert!(matches!(error.fault(), Some(Fault::Damaged(_))), "{error:?}");
    }
}

fn history_of_all() -> Read {
    Read::History { node: None, from: None, limit: 100, ticket: Ticket(1) }
}

fn log_from(slot: u64) -> Read {
    Read::Log(paxos::Fetch { to: ReplicaId(2), from: Slot(slot), limit: 9 })
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

/// What version 2 made of a file, with these voters.
const VERSION_2: &str = "
    ALTER TABLE acceptor DROP COLUMN sum; ALTER TABLE log DROP COLUMN sum;
    ALTER TABLE replica DROP COLUMN sum; ALTER TABLE house DROP COLUMN sum;
    ALTER TABLE gateways DROP COLUMN sum; ALTER TABLE zones DROP COLUMN sum;
    ALTER TABLE devices DROP COLUMN sum; ALTER TABLE status DROP COLUMN sum;
    ALTER TABLE history DROP COLUMN sum; ALTER TABLE orders DROP COLUMN sum;
    ALTER TABLE timers DROP COLUMN sum; ALTER TABLE seen DROP COLUMN sum;
    DROP TABLE witnesses; DROP TABLE recoveries; DROP TABLE life; DROP TABLE voters; ALTER TABLE acceptor DROP COLUMN founders;
    ALTER TABLE replica DROP COLUMN disk; ALTER TABLE replica DROP COLUMN inode;
    ALTER TABLE replica DROP COLUMN born;
    ALTER TABLE replica ADD COLUMN voters TEXT NOT NULL DEFAULT '';
    UPDATE replica SET voters = '1,2,3'; PRAGMA user_version = 2";

#[test]
fn the_voters_of_an_older_file_are_its_founders() {
    let folder = TempDir::new().unwrap();
    drop(open(&folder));
    Connection::open(file(&folder)).unwrap().execute_batch(VERSION_2).unwrap();
    std::fs::remove_file(folder.path().join("gateway-1.life")).unwrap();
    let recovered = open(&folder).1;
    let voters = Voters::new([1, 2, 3].map(ReplicaId)).unwrap();
    assert_eq!((recovered.paxos.founders, recovered.paxos.voters), (voters.clone(), voters));
    assert_eq!(recovered.disk, Disk { number: 0, found: Found::Known });
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
    assert!(
        matches!(error.fault(), Some(Fault::Newer { found: 99, known: Version(7) })),
        "{error:?}"
    );
    assert!(error.to_string().contains("version 99"), "{error}");
    assert!(std::fs::read(file(&folder)).unwrap() == before, "it was changed");
    for foreign in [0, -1] {
        version(foreign);
        let error = refusal(try_open(&folder, 1));
        assert!(matches!(error.fault(), Some(Fault::Foreign)), "{error:?}");
    }
}

#[test]
fn a_file_that_was_never_written_is_a_new_one() {
    let folder = TempDir::new().unwrap();
    std::fs::write(file(&folder), "").unwrap();
    assert_eq!(open(&folder).1.paxos, paxos::Recovered::empty());
}

#[test]
fn slots_that_cannot_be_are_damage_and_no_panic() {
    for sql in [
        "UPDATE replica SET applied = -1",
        "UPDATE replica SET applied = 5",
        "INSERT INTO log SELECT 1 << 60, 1, 1, value, 0 FROM log LIMIT 1",
    ] {
        let folder = TempDir::new().unwrap();
        let (mut store, _) = open(&folder);
        let records = [Record::Accepted { slot: Slot(1), ballot: BALLOT, value: Value::NoOp }];
        store.commit(Write { records: &records, ..NOTHING }).unwrap();
        drop(store);
        change_by_hand(&folder, sql);
        let error = refusal(try_open(&folder, 1));
        assert!(matches!(error.fault(), Some(Fault::Damaged(_))), "{sql}: {error:?}");
    }
}

/// A row that an older state of itself has taken the place of has a sum that fits.
#[test]
fn a_row_that_is_missing_added_or_older_is_damage() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let bytes = |replica: &Replica| {
        let moved = "PRAGMA wal_checkpoint(TRUNCATE)";
        replica.store.connection.query_row(moved, [], |_| Ok(())).unwrap();
        std::fs::read(file(&folder)).unwrap()
    };
    let older = folder.path().join("older.db");
    std::fs::write(&older, bytes(&replica)).unwrap();
    let door = replica.house.zones()[&zone("hallway")];
    let again = report("hallway", "door", said("0"), origin(door.epoch.0, door.next, None));
    replica.apply(&entry(99, again)).unwrap();
    let sound = bytes(&replica);
    drop(replica);
    for (table, change) in [
        ("status", "REPLACE INTO status SELECT * FROM older.status"),
        ("history", "DELETE FROM history WHERE seq = 2"),
        ("log", "DELETE FROM log WHERE slot = (SELECT max(slot) FROM log)"),
        ("voters", "INSERT INTO voters VALUES (9, 9, hearth_sum(9, 9))"),
    ] {
        std::fs::write(file(&folder), &sound).unwrap();
        let connection = Connection::open(file(&folder)).unwrap();
        sums::teach(&connection).unwrap();
        connection.execute("ATTACH ?1 AS older", [older.to_str()]).unwrap();
        connection.execute_batch(change).unwrap();
        drop(connection);
        let error = refusal(try_open(&folder, 1)).to_string();
        assert!(error.contains(&format!("the rows of table {table} are not those")), "{error}");
    }
}
