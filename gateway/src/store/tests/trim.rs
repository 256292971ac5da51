//! The log is trimmed behind what is applied.

use super::super::read::unsigned;
use super::snapshots::{Desk, ahead, carriers, late};
use super::*;

/// Slots in the log.
fn log(replica: &Replica) -> (u64, u64) {
    let sql = "SELECT min(slot), max(slot) FROM log";
    let slots = |row: &rusqlite::Row<'_>| Ok((unsigned(row, 0)?, unsigned(row, 1)?));
    replica.store.connection.query_row(sql, [], slots).unwrap()
}

fn write_slots(replica: &mut Replica, count: u64) {
    for _ in 0..count {
        replica.apply(&entry(300, join(4, true))).unwrap();
    }
}

#[test]
fn the_log_is_trimmed_behind_what_is_applied() {
    let folder = TempDir::new().unwrap();
    let mut replica = Replica::new(&folder);
    write_slots(&mut replica, 600);
    assert_eq!(log(&replica), (1, 600), "nobody said how much is to be kept");
    replica.store.keep_log(64);
    // What is accepted and not applied is no reason to trim.
    let far = Record::Accepted { slot: Slot(900), ballot: BALLOT, value: Value::NoOp };
    replica.store.commit(Write { records: &[far], ..NOTHING }).unwrap();
    assert_eq!(log(&replica), (1, 900));
    // An old file comes to its bound in pieces.
    for first in [257, 513, 540] {
        write_slots(&mut replica, 1);
        assert_eq!(log(&replica).0, first.min(replica.slot.0 - 63));
    }
    write_slots(&mut replica, 100);
    assert_eq!(log(&replica).0, replica.slot.0 - 63);
    let fetch = |from| Read::Log(paxos::Fetch { to: ReplicaId(2), from: Slot(from), limit: 9 });
    let from = replica.slot.0 - 63;
    let entries = |stored| match stored {
        Stored::Log { entries, .. } => entries.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(entries(replica.read(fetch(from))), 9);
    assert_eq!(entries(replica.read(fetch(from - 1))), 0, "who asks for this needs a snapshot");
    // A start finds what is left.
    drop(replica.store);
    let (mut store, recovered) = open(&folder);
    assert_eq!((recovered.applied, recovered.house), (replica.slot, replica.house.clone()));
    store.keep_log(64);
    replica.store = store;
    write_slots(&mut replica, 1);
    assert_eq!(log(&replica).0, from + 1);
}

#[test]
fn the_log_stays_behind_a_snapshot_that_somebody_fetches() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (mut ahead, late) = (ahead(&one), late(&two));
    ahead.store.keep_log(16);
    write_slots(&mut ahead, 100);
    assert_eq!(log(&ahead).0, ahead.slot.0 - 15);
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let first = giver.chunk(None);
    write_slots(&mut ahead, 100);
    assert_eq!(log(&ahead).0, first.id.slot.0 + 1, "the rest is there for who installs it");
    // Also after a restart.
    drop(giver);
    let mut giver = Desk::of(&ahead.store);
    write_slots(&mut ahead, 100);
    assert_eq!(log(&ahead).0, first.id.slot.0 + 1);
    assert_eq!(taker.fetch(&mut giver), first.id);
    // A snapshot from behind which the log is gone is of no use.
    drop(giver);
    let gone = format!("DELETE FROM log WHERE slot <= {}", first.id.slot.0 + 1);
    ahead.store.in_transaction(|file| file.execute(&gone, [])).unwrap();
    drop(ahead.store);
    let (store, _) = open(&one);
    drop(Desk::of(&store));
    assert!(carriers(one.path()).is_empty(), "it is deleted");
}
