//! What is committed comes back, in order, and nothing else.

use super::super::sums;
use super::*;
use gateway_core::event::HistoryRow;
use gateway_core::house::Register;
use gateway_core::id::{Incarnation, Ticket};
use wire::{Desired, Seq};

#[test]
fn a_reopened_store_gives_the_same_house() {
    let folder = TempDir::new().unwrap();
    let mut replica = Replica::new(&folder);
    for entry in story() {
        replica.apply(&entry).unwrap();
        // At every slot, so that no row depends on a later one.
        drop(replica.store);
        let (store, recovered) = open(&folder);
        assert_eq!(recovered.house, replica.house, "after {entry:?}");
        assert_eq!(recovered.applied, replica.slot);
        replica.store = store;
    }
}

#[test]
fn what_was_seen_longest_ago_is_forgotten_also_on_disk() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let (mut changes, start) = (Vec::new(), replica.house.zones()[&zone("hallway")]);
    for number in start.next..start.next + 1100 {
        let origin = origin(start.epoch.0, number, None);
        let op = report("hallway", "door", said("0"), origin);
        changes.extend(replica.house.apply(&entry(99, op)).changes);
    }
    assert!(changes.iter().any(|change| matches!(change, Change::Forgot(_))));
    replica.store.commit(Write { changes: &changes, ..NOTHING }).unwrap();
    drop(replica.store);
    assert_eq!(open(&folder).1.house, replica.house);
}

#[test]
fn a_reopened_store_gives_the_same_paxos() {
    let folder = TempDir::new().unwrap();
    let (mut store, fresh) = open(&folder);
    assert_eq!(fresh.paxos, paxos::Recovered::empty());
    let at = |slot, round, value| Record::Accepted {
        slot: Slot(slot),
        ballot: Ballot { round, ..BALLOT },
        value,
    };
    let [batch, _] = accepted(Slot(2), &story()[0]);
    let records = [
        at(1, 1, Value::NoOp),
        Record::Promised(BALLOT),
        batch.clone(),
        at(4, 2, Value::NoOp),
        at(4, 3, Value::NoOp),
        Record::Chosen(Slot(1)),
        Record::Chosen(Slot(2)),
    ];
    store.commit(Write { records: &records, ..NOTHING }).unwrap();
    drop(store);
    let Record::Accepted { value, .. } = batch else { panic!() };
    let entry = |slot, round, value| paxos::Entry {
        slot: Slot(slot),
        ballot: Ballot { round, ..BALLOT },
        value,
    };
    let expected = paxos::Recovered {
        promised: BALLOT,
        accepted: vec![entry(1, 1, Value::NoOp), entry(2, 3, value), entry(4, 3, Value::NoOp)],
        chosen: Slot(2),
        applied: Slot::ZERO,
        ..paxos::Recovered::empty()
    };
    assert_eq!(open(&folder).1.paxos, expected);
}

#[test]
fn only_the_window_and_what_is_not_applied_is_loaded() {
    let folder = TempDir::new().unwrap();
    let replica = tell(&folder);
    drop(replica.store);
    let slots = |window| -> Vec<u64> {
        let now = UnixMillis(0);
        let (_, found) = Store::open(folder.path(), &site(), GatewayId(1), now, window).unwrap();
        found.paxos.accepted.iter().map(|entry| entry.slot.0).collect()
    };
    assert_eq!(slots(3), [11, 12, 13]);
    assert_eq!(slots(0), [0; 0]);
    assert_eq!(slots(u64::MAX).len(), 13);
    let connection = rusqlite::Connection::open(crate::inspect::file(folder.path(), 1)).unwrap();
    connection.execute("UPDATE replica SET applied = 9", []).unwrap();
    sums::write_all(&connection).unwrap();
    assert_eq!(slots(1), [10, 11, 12, 13]);
}

#[test]
fn every_life_has_a_higher_number_also_when_the_clock_goes_back() {
    let folder = TempDir::new().unwrap();
    let life = |now| {
        let now = UnixMillis(now);
        Store::open(folder.path(), &site(), GatewayId(1), now, 0).unwrap().1.incarnation
    };
    assert_eq!((life(1000), life(1000), life(5), life(9000)), (1000, 1001, 1002, 9000));
}

#[test]
fn a_life_in_another_file_begins_after_those_that_joined() {
    let folder = TempDir::new().unwrap();
    let mut replica = Replica::new(&folder);
    let joined = 7_000_000;
    let join = Op::Join {
        gateway: GatewayId(1),
        incarnation: Incarnation(joined),
        serves: true,
        caches: true,
    };
    replica.apply(&entry(1, join)).unwrap();
    drop(replica);
    // There may have been lives after that one which did not join.
    let life = || open(&folder).1.incarnation;
    let (first, second) = (life(), life());
    assert!(first > joined + 0x1000, "{first}");
    assert_eq!(second, first + 1);
}

#[test]
fn changes_give_the_rows_that_they_left_in_their_order() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let status = |node, seq, register| Change::Status {
        node: NodeId(node),
        seq: Seq(seq),
        time: UnixMillis(seq * 10),
        clock: Clock(seq + 1),
        owner: GatewayId(2),
        register,
        note: None,
    };
    let desired = |text: &str| Register::Desired(spoken(text), OrderNumber(8));
    let changes = [
        status(3, 50, Register::State(spoken("0.1"), None)),
        status(2, 51, desired("on fire")),
        status(3, 52, Register::State(spoken("0"), Some(OrderNumber(4)))),
    ];
    let reads = [Read::Status(NodeId(3), Ticket(1))];
    let write = Write { changes: &changes, reads: &reads, ..NOTHING };
    let mut stored = replica.store.commit(write).unwrap().into_iter();
    let found = rows(stored.next().unwrap());
    let seqs: Vec<_> =
        found.iter().map(|row| (row.node.0, row.seq.0, row.time.0, row.clock.0)).collect();
    assert_eq!(seqs, [(3, 50, 500, 51), (2, 51, 510, 52), (3, 52, 520, 53)]);
    assert_eq!(found[0].state, Some(spoken("0.1")));
    assert_eq!(found[2].state, Some(spoken("0")));
    // The other register stays as it was.
    let order = Desired { state: spoken("0"), order: OrderNumber(1) };
    assert_eq!((&found[0].desired, &found[2].desired), (&Some(order.clone()), &Some(order)));
    let order = Desired { state: spoken("on fire"), order: OrderNumber(8) };
    assert_eq!((&found[1].desired, &found[1].state), (&Some(order), &Some(spoken("ON"))));
    // Reads come last, and see what was written.
    assert!(matches!(stored.next(), Some(Stored::Status(Some(row), Ticket(1))) if row == found[2]));
    assert!(stored.next().is_none());
}

#[test]
fn reads_answer_in_their_order() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let reads = [
        Read::Everything(Ticket(5)),
        Read::Zone(zone("bedroom")),
        Read::Zone(zone("nowhere")),
        Read::Status(NodeId(99), Ticket(6)),
    ];
    let stored = replica.store.commit(Write { reads: &reads, ..NOTHING }).unwrap();
    let [everything, bedroom, nowhere, nobody] = <[Stored; 4]>::try_from(stored).unwrap();
    let nodes = |rows: &[StatusRow]| rows.iter().map(|row| row.node.0).collect::<Vec<_>>();
    assert!(
        matches!(everything, Stored::Everything(rows, Ticket(5)) if nodes(&rows) == [2, 3, 4, 5])
    );
    assert!(matches!(bedroom, Stored::Zone(name, rows)
        if name == zone("bedroom") && nodes(&rows) == [2, 5]));
    assert!(matches!(nowhere, Stored::Zone(_, rows) if rows.is_empty()));
    assert!(matches!(nobody, Stored::Status(None, Ticket(6))));
}

#[test]
fn a_registered_device_has_a_status_before_its_first_report() {
    let folder = TempDir::new().unwrap();
    let mut replica = Replica::new(&folder);
    replica.apply(&entry(10, join(1, true))).unwrap();
    assert_eq!(replica.apply(&entry(11, register("attic", "bulb", Kind::Bulb))).unwrap(), []);
    let Stored::Status(row, Ticket(1)) = replica.read(Read::Status(NodeId::FIRST, Ticket(1)))
    else {
        panic!()
    };
    assert_eq!(row, Some(StatusRow::empty(NodeId::FIRST, UnixMillis(11))));
}

#[test]
fn history_is_read_from_a_change_on_or_from_the_end() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let mut read = |node: Option<u32>, from: Option<u64>, limit| -> Vec<HistoryRow> {
        let (node, from) = (node.map(NodeId), from.map(Seq));
        let read = Read::History { node, from, limit, ticket: Ticket(3) };
        let Stored::History(rows, Ticket(3)) = replica.read(read) else { panic!() };
        rows
    };
    let seqs = |rows: Vec<HistoryRow>| rows.iter().map(|row| row.seq.0).collect::<Vec<_>>();
    let all = read(None, None, 100);
    let shown: Vec<_> = all
        .iter()
        .map(|r| {
            (r.seq.0, r.node.0, r.register.as_str(), r.state.as_str(), r.ordered, r.note.as_deref())
        })
        .collect();
    assert_eq!(
        shown,
        [
            (1, 3, "state", "open", None, None),
            (2, 4, "state", "1", None, Some("USER ENTERED")),
            (3, 2, "desired", "1", Some(1), Some("Turning on Lights.")),
            (4, 2, "state", "ON", Some(1), None),
            (5, 2, "desired", "half lit", Some(2), None),
            (6, 5, "state", "21.5", None, None),
            (7, 3, "desired", "0", Some(1), Some("Closing Door Automatically.")),
        ]
    );
    assert_eq!((all[0].time, all[0].clock, all[0].owner), (UnixMillis(16), 16, GatewayId(1)));
    assert_eq!(seqs(read(None, None, 2)), [6, 7]);
    assert_eq!(seqs(read(None, Some(3), 2)), [3, 4]);
    assert_eq!(seqs(read(Some(2), None, 2)), [4, 5]);
    assert_eq!(seqs(read(Some(2), Some(4), 9)), [4, 5]);
    assert_eq!(seqs(read(Some(77), Some(4), 9)), [0; 0]);
    assert_eq!(seqs(read(None, Some(u64::MAX), 9)), [0; 0]);
}

#[test]
fn a_late_replica_gets_chosen_entries_up_to_the_first_hole() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let [unchosen, _] = accepted(Slot(14), &story()[0]);
    replica.store.commit(Write { records: &[unchosen], ..NOTHING }).unwrap();
    let slots = |replica: &mut Replica, from, limit| -> Vec<u64> {
        let fetch = paxos::Fetch { to: ReplicaId(2), from: Slot(from), limit };
        let Stored::Log { to: ReplicaId(2), entries } = replica.read(Read::Log(fetch)) else {
            panic!()
        };
        entries.iter().map(|entry| entry.slot.0).collect()
    };
    assert_eq!(slots(&mut replica, 11, 9), [11, 12, 13], "14 is not known to be chosen");
    assert_eq!(slots(&mut replica, 2, 3), [2, 3, 4]);
    // Chosen is known at once, also while it is not worth a write.
    let chosen = [Record::Chosen(Slot(14))];
    replica.store.commit(Write { records: &chosen, ..NOTHING }).unwrap();
    assert_eq!(slots(&mut replica, 13, 9), [13, 14]);
    replica.store.connection.execute("DELETE FROM log WHERE slot IN (1, 6)", []).unwrap();
    assert_eq!(slots(&mut replica, 1, 9), [0; 0], "trimmed");
    assert_eq!(slots(&mut replica, 4, 9), [4, 5]);
}

#[test]
fn what_is_chosen_waits_for_the_next_write() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let on_disk = |folder: &TempDir| open(&killed(folder)).1.paxos.chosen;
    let [accepted, chosen] = accepted(Slot(14), &story()[0]);
    replica.store.commit(Write { records: &[accepted], ..NOTHING }).unwrap();
    replica.store.commit(Write { records: &[chosen], ..NOTHING }).unwrap();
    assert_eq!(on_disk(&folder), Slot(13));
    replica.store.commit(Write { records: &[Record::Promised(BALLOT)], ..NOTHING }).unwrap();
    assert_eq!(on_disk(&folder), Slot(14));
}

#[test]
fn nothing_to_write_is_no_transaction() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    replica.store.connection.pragma_update(None, "query_only", true).unwrap();
    replica.read(Read::Everything(Ticket(1)));
    assert!(replica.store.commit(NOTHING).unwrap().is_empty());
    let records = [Record::Promised(BALLOT)];
    assert!(replica.store.commit(Write { records: &records, ..NOTHING }).is_err());
}

#[test]
fn a_killed_process_loses_nothing_that_was_committed() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let transaction = replica.store.connection.transaction().unwrap();
    transaction.execute("DELETE FROM devices", []).unwrap();
    transaction.execute("UPDATE replica SET applied = 99", []).unwrap();
    let copy = killed(&folder);
    drop(transaction);
    let (_, recovered) = open(&copy);
    assert_eq!((recovered.house, recovered.applied), (replica.house, Slot(13)));
}

#[test]
fn a_full_disk_is_said_so_and_nothing_is_half_written() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let before = replica.house.clone();
    let connection = &replica.store.connection;
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    connection.pragma_update(None, "max_page_count", pages).unwrap();
    let hallway = replica.house.zones()[&zone("hallway")];
    let mut changes = Vec::new();
    for number in hallway.next..hallway.next + 1000 {
        let op = report(
            "hallway",
            "door",
            said(&number.to_string()),
            origin(hallway.epoch.0, number, None),
        );
        changes.extend(replica.house.apply(&entry(99, op)).changes);
    }
    let records = accepted(Slot(14), &story()[0]);
    let write = Write { records: &records, changes: &changes, applied: Some(Slot(14)), ..NOTHING };
    let error = replica.store.commit(write).expect_err("full");
    assert!(matches!(error.fault(), Some(Fault::Full)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("the disk is full") && text.contains("gateway-1.db"), "{text}");
    // A store that failed is never used again, not even when there is room.
    replica.store.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    let error = replica.store.commit(NOTHING).expect_err("stopped");
    assert!(matches!(error, StoreError::Stopped { .. }), "{error:?}");
    drop(replica.store);
    let (_, recovered) = open(&folder);
    assert_eq!((recovered.house, recovered.applied), (before, Slot(13)));
    assert_eq!(recovered.paxos.accepted.last().map(|entry| entry.slot), Some(Slot(13)));
}

#[test]
fn what_contradicts_the_file_stops_the_store() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    let early = Write { applied: Some(Slot(14)), ..NOTHING };
    let error = replica.store.commit(early).expect_err("not chosen");
    assert!(matches!(error.fault(), Some(Fault::Contradiction(_))), "{error}");
    assert!(replica.store.commit(NOTHING).is_err());
    drop(replica.store);
    let mut replica = Replica::new(&folder);
    let register = Register::State(spoken("1"), None);
    let nobody = Change::Status {
        node: NodeId(99),
        seq: Seq(80),
        time: UnixMillis(1),
        clock: Clock(1),
        owner: GatewayId(1),
        register,
        note: None,
    };
    let error = replica.store.commit(Write { changes: &[nobody], ..NOTHING }).expect_err("nobody");
    assert!(matches!(error.fault(), Some(Fault::Contradiction(_))), "{error}");
}

#[test]
fn replicas_that_applied_the_same_have_the_same_tables() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let first = tell(&one);
    let mut second = tell(&other);
    let read =
        |folder: &TempDir| crate::inspect::read(&crate::inspect::file(folder.path(), 1)).unwrap();
    assert_eq!(read(&one).tables, read(&other).tables);
    assert_eq!(crate::inspect::differences(&read(&one), &read(&other)), [""; 0]);
    second.apply(&entry(99, join(3, true))).unwrap();
    assert_ne!(read(&one).tables, read(&other).tables);
    assert_eq!(first.slot.next(), second.slot);
}
