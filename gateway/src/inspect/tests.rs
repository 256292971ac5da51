use std::path::PathBuf;

use rusqlite::params;
use tempfile::TempDir;

use super::*;

/// A replica's file as a gateway would have written it.
struct Written {
    path: PathBuf,
    connection: Connection,
}

impl Written {
    fn new(folder: &TempDir, gateway: u8, applied: i64) -> Self {
        let path = file(folder.path(), gateway);
        let connection = Connection::open(&path).expect("a new file");
        connection.pragma_update(None, "journal_mode", "WAL").expect("WAL");
        connection.execute_batch(include_str!("../schema.sql")).expect("the schema");
        connection.pragma_update(None, "user_version", FORMAT.version().0).expect("version");
        connection
            .execute("INSERT INTO replica VALUES (1, 'home', ?1, 1, ?2)", params![gateway, applied])
            .expect("replica");
        connection
            .execute("INSERT INTO acceptor VALUES (1, 4, 6, ?1)", [applied])
            .expect("acceptor");
        connection.execute("INSERT INTO zones VALUES ('hallway', 2, 1, 3, 1)", []).expect("zones");
        connection
            .execute("INSERT INTO devices VALUES (2, 'hallway', 'doorSensor', 'door', 5, 0, 0)", [])
            .expect("devices");
        Self { path, connection }
    }

    fn change(&self, seq: i64, value: &str) {
        let history =
            "INSERT INTO history VALUES (?1, ?1 * 1000, 2, 'state', ?2, NULL, ?1, 1, NULL)";
        self.connection.execute(history, params![seq, value]).expect("history");
        let status = "INSERT OR REPLACE INTO status VALUES (2, ?1 * 1000, ?1, ?1, ?2, NULL, NULL)";
        self.connection.execute(status, params![seq, value]).expect("status");
    }

    fn read(&self) -> Replica {
        read(&self.path).expect("readable")
    }
}

fn two(folder: &TempDir, slots: (i64, i64)) -> (Written, Written) {
    (Written::new(folder, 1, slots.0), Written::new(folder, 2, slots.1))
}

#[test]
fn a_file_is_read_while_its_gateway_writes() {
    let folder = TempDir::new().expect("a folder");
    let written = Written::new(&folder, 1, 7);
    written.change(1, "1");
    let replica = written.read();
    assert_eq!((replica.gateway, replica.applied, replica.chosen), (1, 7, 7));
    assert_eq!(replica.promised, Ballot { round: 4, gateway: 6 });
    assert_eq!(replica.status.first().map(|row| row.name.as_str()), Some("doorSensor"));
    assert_eq!(replica.history.len(), 1);
    assert_eq!(replica.registrations().get(&2).map(Vec::len), Some(1));
    written.change(2, "0");
    assert_ne!(written.read().hash(), replica.hash());
}

#[test]
fn a_killed_gateways_file_is_read_with_its_write_ahead_log() {
    let folder = TempDir::new().expect("a folder");
    let written = Written::new(&folder, 1, 7);
    written.change(1, "1");
    // A copy taken while it is open is what a crash leaves: the last commits are in the -wal only.
    let crashed = TempDir::new().expect("a folder");
    for end in ["", "-wal"] {
        let name = format!("gateway-1.db{end}");
        std::fs::copy(folder.path().join(&name), crashed.path().join(&name)).expect("copied");
    }
    let replica = read(&file(crashed.path(), 1)).expect("readable");
    assert_eq!(replica, written.read());
}

#[test]
fn equal_replicas_have_equal_hashes() {
    let folder = TempDir::new().expect("a folder");
    let (one, other) = two(&folder, (7, 7));
    for written in [&one, &other] {
        written.change(1, "1");
    }
    assert_eq!(one.read().hash(), other.read().hash());
    assert_eq!(differences(&one.read(), &other.read()), [""; 0]);
}

#[test]
fn a_difference_at_equal_slot_is_named() {
    let folder = TempDir::new().expect("a folder");
    let (one, other) = two(&folder, (7, 7));
    one.change(1, "1");
    other.change(1, "0");
    let text = differences(&one.read(), &other.read()).join("; ");
    assert!(text.contains("table status of gateways 1 and 2 differs at slot 7"), "{text}");
    assert!(text.contains("differs at seq 1"), "{text}");
    let (one, other) = (one.read(), other.read());
    assert_ne!(one.hash(), other.hash());
}

#[test]
fn a_dead_replica_must_be_a_prefix_of_the_living() {
    let folder = TempDir::new().expect("a folder");
    let (dead, live) = two(&folder, (5, 7));
    for written in [&dead, &live] {
        written.change(1, "1");
    }
    live.change(2, "0");
    assert_eq!(differences(&dead.read(), &live.read()), [""; 0]);
    assert_eq!(differences(&live.read(), &dead.read()), [""; 0]);
    dead.change(2, "54");
    let text = differences(&dead.read(), &live.read()).join("; ");
    assert!(text.contains("seq 2") && text.contains("status of doorSensor"), "{text}");
}

#[test]
fn two_values_in_one_chosen_slot_are_found() {
    let folder = TempDir::new().expect("a folder");
    let (one, other) = two(&folder, (7, 7));
    for (written, value) in [(&one, b"a"), (&other, b"b")] {
        written
            .connection
            .execute("INSERT INTO log VALUES (3, 1, 6, ?1)", [value.as_slice()])
            .expect("log");
    }
    let text = differences(&one.read(), &other.read()).join("; ");
    assert!(text.contains("slot 3"), "{text}");
}

#[test]
fn what_is_no_replicas_file_is_said_so() {
    let folder = TempDir::new().expect("a folder");
    let error = |path: &Path| read(path).expect_err("refused");
    let missing = folder.path().join("gateway-9.db");
    assert!(matches!(error(&missing), Error::Missing(_)));
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is a letter, not a database, and it is long enough")
        .expect("written");
    assert!(matches!(error(&text), Error::Foreign(_)), "{}", error(&text));
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").expect("written");
    assert!(matches!(error(&empty), Error::Foreign(_)), "{}", error(&empty));
    let newer = Written::new(&folder, 3, 1);
    newer.connection.pragma_update(None, "user_version", 99).expect("version");
    assert!(matches!(error(&newer.path), Error::Version { found: 99, .. }));
}

#[test]
fn a_damaged_file_is_said_so() {
    let folder = TempDir::new().expect("a folder");
    let written = Written::new(&folder, 1, 7);
    (1..200).for_each(|seq| written.change(seq, "1"));
    written.connection.pragma_update(None, "journal_mode", "DELETE").expect("one file");
    let path = written.path.clone();
    drop(written);
    let mut bytes = std::fs::read(&path).expect("read");
    bytes.iter_mut().skip(4096).for_each(|byte| *byte = 0xA5);
    std::fs::write(&path, bytes).expect("written");
    let error = read(&path).expect_err("refused");
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("start it again"));
}
