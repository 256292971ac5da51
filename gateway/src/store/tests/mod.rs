//! A home in a folder of its own, and what the tests of the store do with it.

mod commits;
mod files;
mod fuzz;
mod identity;
mod snapshots;
mod speed;
mod steps;
mod trim;

use gateway_core::Write;
use gateway_core::command::{Agreed, Entry, Op, Origin, Said, TimerName};
use gateway_core::event::{Read, Stored};
use gateway_core::house::{Change, House, StatusRow};
use gateway_core::id::Incarnation;
use paxos::{Ballot, Record, ReplicaId, Request, SessionId, Slot, Value};
use tempfile::TempDir;
use wire::{
    Clock, Device, Epoch, GatewayId, Kind, NodeId, OrderNumber, RequestId, Site, Stamp, State,
    UnixMillis, Zone,
};

use super::{Recovered, Store, StoreError};
use hearth_storage::Fault;

const NOTHING: Write<'_> =
    Write { records: &[], install: None, changes: &[], applied: None, reads: &[], witnesses: &[] };
const BALLOT: Ballot = Ballot { round: 3, replica: ReplicaId(2) };

fn site() -> Site {
    Site::new("home").unwrap()
}

fn open(folder: &TempDir) -> (Store, Recovered) {
    try_open(folder, 1).unwrap()
}

fn try_open(folder: &TempDir, gateway: u8) -> Result<(Store, Recovered), StoreError> {
    Store::open(folder.path(), &site(), GatewayId(gateway), UnixMillis(1000), 100)
}

fn refusal(opened: Result<(Store, Recovered), StoreError>) -> StoreError {
    opened.map(drop).expect_err("refused")
}

/// A replica that applies what it is given, slot by slot.
struct Replica {
    store: Store,
    house: House,
    slot: Slot,
}

impl Replica {
    fn new(folder: &TempDir) -> Self {
        let (store, recovered) = open(folder);
        Self { store, house: recovered.house, slot: recovered.applied }
    }

    /// Applies and writes one entry, and gives the rows that its changes left.
    fn apply(&mut self, entry: &Entry) -> Result<Vec<StatusRow>, StoreError> {
        self.slot = self.slot.next();
        let changes = self.house.apply(entry).changes;
        let records = accepted(self.slot, entry);
        let write =
            Write { records: &records, changes: &changes, applied: Some(self.slot), ..NOTHING };
        let stored = self.store.commit(write)?;
        Ok(stored.into_iter().flat_map(rows).collect())
    }

    fn read(&mut self, read: Read) -> Stored {
        let mut stored = self.store.commit(Write { reads: &[read], ..NOTHING }).unwrap();
        assert_eq!(stored.len(), 1);
        stored.remove(0)
    }
}

fn rows(stored: Stored) -> Vec<StatusRow> {
    let Stored::Rows(rows) = stored else { panic!("no rows: {stored:?}") };
    rows
}

fn accepted(slot: Slot, entry: &Entry) -> [Record; 2] {
    let request = Request { session: SessionId(7), number: slot.0, payload: entry.encode().into() };
    let value = Value::Batch([request].into());
    [Record::Accepted { slot, ballot: BALLOT, value }, Record::Chosen(slot)]
}

fn entry(time: u64, op: Op) -> Entry {
    Entry { time: UnixMillis(time), clock: Clock(time), by: GatewayId(1), op }
}

fn zone(name: &str) -> Zone {
    Zone::new(name).unwrap()
}

fn join(gateway: u8, serves: bool) -> Op {
    Op::Join {
        gateway: GatewayId(gateway),
        incarnation: Incarnation(5),
        serves,
        caches: gateway == 1,
    }
}

fn register(place: &str, device: &str, kind: Kind) -> Op {
    Op::Register { zone: zone(place), device: Device::new(device).unwrap(), kind, tag: 9 }
}

fn origin(epoch: u64, number: u64, id: Option<&str>) -> Origin {
    let stamp = Some(Stamp { broker: 1, incarnation: 77, counter: number });
    let id = id.map(|id| RequestId::new(id).unwrap());
    Origin { epoch: Epoch(epoch), number, id, stamp }
}

fn said(state: &str) -> Said {
    let state = spoken(state);
    Said { state, presence: Some(true), kind: None, order: None, retained: false }
}

fn report(place: &str, device: &str, report: Said, origin: Origin) -> Op {
    Op::Report { zone: zone(place), device: Device::new(device).unwrap(), report, origin }
}

fn set(place: &str, device: &str, state: &str, origin: Origin) -> Op {
    let (zone, device) = (zone(place), Device::new(device).unwrap());
    Op::Set { zone, device, state: spoken(state), expires: Some(60_000), origin }
}

/// Something of everything: after it no table is empty.
fn story() -> Vec<Entry> {
    let told = vec![
        join(1, true),
        join(2, true),
        Op::Settings(Agreed { threshold: 2, door_closes_after: Some(5000) }),
        register("bedroom", "bulb", Kind::Bulb),
        register("hallway", "door", Kind::Door),
        register("landing", "motion", Kind::Motion),
        report("hallway", "door", said("open"), origin(2, 1, Some("a/b"))),
        report("landing", "motion", said("1"), origin(3, 1, None)),
        report(
            "bedroom",
            "bulb",
            Said { order: Some(OrderNumber(1)), ..said("ON") },
            origin(1, 1, None),
        ),
        set("bedroom", "bulb", "half lit", origin(1, 2, Some("x"))),
        report("bedroom", "lamp", said("21.5"), origin(1, 3, None)),
        Op::Dead { gateway: GatewayId(2), incarnation: Incarnation(5) },
        Op::Fire { timer: TimerName::CloseDoor(NodeId(3)), generation: 1 },
    ];
    (10..).zip(told).map(|(time, op)| entry(time, op)).collect()
}

fn tell(folder: &TempDir) -> Replica {
    let mut replica = Replica::new(folder);
    for entry in story() {
        replica.apply(&entry).unwrap();
    }
    replica
}

/// A copy of the files as a killed process would leave them.
fn killed(folder: &TempDir) -> TempDir {
    let copy = TempDir::new().unwrap();
    for end in ["", "-wal"] {
        let name = format!("gateway-1.db{end}");
        std::fs::copy(folder.path().join(&name), copy.path().join(&name)).unwrap();
    }
    copy
}

#[test]
fn the_story_leaves_no_table_empty() {
    let folder = TempDir::new().unwrap();
    let replica = tell(&folder);
    for table in
        ["house", "gateways", "zones", "devices", "status", "history", "orders", "timers", "seen"]
    {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: i64 = replica.store.connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert!(rows > 0, "{table}");
    }
    let changes =
        story().into_iter().fold((House::new(), Vec::new()), |(mut house, mut all), entry| {
            all.extend(house.apply(&entry).changes);
            (house, all)
        });
    let order = changes.1.iter().any(|change| matches!(change, Change::Order(_, None)));
    let timer = changes.1.iter().any(|change| matches!(change, Change::Timer(_, None)));
    assert!(order && timer, "rows are also removed");
}

pub(crate) fn spoken(text: &str) -> State {
    State::new(text).expect("a short text")
}
