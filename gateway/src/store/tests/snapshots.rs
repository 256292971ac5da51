//! Snapshots from file to file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::super::sums;
use super::super::{Outcome, SnapshotThread, spawn_snapshots};
use super::*;
use gateway_core::snapshots::{Chunk, Report, SnapshotAnswer, SnapshotId, Task};
use tokio::sync::mpsc;

/// The thread of a replica's snapshots, asked one thing at a time.
pub(super) struct Desk {
    reports: mpsc::Receiver<Outcome>,
    thread: SnapshotThread,
}

impl Desk {
    pub(super) fn of(store: &Store) -> Self {
        let (results, reports) = mpsc::channel(1);
        Self { thread: spawn_snapshots(store, results).unwrap(), reports }
    }

    pub(super) fn ask(&mut self, task: Task) -> Report {
        self.thread.submit(task);
        match self.reports.blocking_recv().unwrap().unwrap().remove(0) {
            Stored::Snapshot(report) => report,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn give(&mut self, part: Option<(SnapshotId, u64)>) -> SnapshotAnswer {
        loop {
            match self.ask(Task::Give { to: GatewayId(2), part }) {
                Report::Given { answer: SnapshotAnswer::NotReady, .. } => std::thread::yield_now(),
                Report::Given { to: GatewayId(2), answer } => return answer,
                other => panic!("{other:?}"),
            }
        }
    }

    pub(super) fn chunk(&mut self, part: Option<(SnapshotId, u64)>) -> Chunk {
        match self.give(part) {
            SnapshotAnswer::Chunk(chunk) => chunk,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn held(&mut self, task: Task) -> Option<(SnapshotId, u64)> {
        match self.ask(task) {
            Report::Held(held) => held,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn failed(&mut self, task: Task) -> String {
        match self.ask(task) {
            Report::Failed(why) => why,
            other => panic!("{other:?}"),
        }
    }

    /// Fetches all that is missing, and gives the snapshot's name.
    pub(super) fn fetch(&mut self, from: &mut Self) -> SnapshotId {
        let mut held = self.held(Task::Resume);
        loop {
            match held {
                Some((id, bytes)) if id.bytes == bytes => return id,
                part => held = self.held(Task::Take(from.chunk(part))),
            }
        }
    }

    pub(super) fn check(&mut self, id: SnapshotId) -> House {
        match self.ask(Task::Check(id)) {
            Report::Sound(sound, house) if sound == id => *house,
            other => panic!("{other:?}"),
        }
    }
}

/// Gateway 1 after the story and many reports more, so that its state takes several chunks.
pub(super) fn ahead(folder: &TempDir) -> Replica {
    let mut replica = tell(folder);
    let hallway = replica.house.zones()[&zone("hallway")];
    let mut changes = Vec::new();
    for number in hallway.next..hallway.next + 3000 {
        let op = report("hallway", "door", said("0"), origin(hallway.epoch.0, number, None));
        changes.extend(replica.house.apply(&entry(99, op)).changes);
    }
    replica.slot = replica.slot.next();
    let records = accepted(replica.slot, &story()[0]);
    let applied = Some(replica.slot);
    replica
        .store
        .commit(Write { records: &records, changes: &changes, applied, ..NOTHING })
        .unwrap();
    replica
}

/// Gateway 2, which knows things that never were.
pub(super) fn late(folder: &TempDir) -> Store {
    let (mut store, recovered) = try_open(folder, 2).unwrap();
    let mut house = recovered.house;
    for (slot, op) in (1..).zip([join(3, true), register("cellar", "pump", Kind::Outlet)]) {
        let entry = entry(slot, op);
        let changes = house.apply(&entry).changes;
        let records = accepted(Slot(slot), &entry);
        let applied = Some(Slot(slot));
        store.commit(Write { records: &records, changes: &changes, applied, ..NOTHING }).unwrap();
    }
    store
}

fn install(store: &mut Store, id: SnapshotId) -> Result<Vec<Stored>, StoreError> {
    let records = [Record::Installed(id.slot)];
    let (install, applied) = (Some(id), Some(id.slot));
    store.commit(Write { records: &records, install, applied, ..NOTHING })
}

fn file(folder: &TempDir, gateway: u8) -> PathBuf {
    crate::inspect::file(folder.path(), gateway)
}

/// The files that carry a snapshot.
pub(super) fn carriers(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let carrier = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.contains(".snapshot") || name.contains(".incoming")
    };
    all.filter(carrier).collect()
}

#[test]
fn a_snapshot_takes_the_place_of_everything() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ahead, mut late) = (ahead(&one), late(&two));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let id = taker.fetch(&mut giver);
    assert_eq!(id.slot, ahead.slot);
    assert!(id.bytes > 2 * 64 * 1024, "{id:?}");
    assert_eq!(taker.check(id), ahead.house);
    // What was accepted after it stays, what was before goes.
    let later = Record::Accepted { slot: id.slot.next(), ballot: BALLOT, value: Value::NoOp };
    late.commit(Write { records: &[later], ..NOTHING }).unwrap();
    install(&mut late, id).unwrap();
    taker.thread.submit(Task::Discard);
    let dangling = late.connection.execute("DELETE FROM zones", []);
    assert!(dangling.is_err(), "references are looked at again");
    drop((giver, taker));
    let read = |folder, gateway| crate::inspect::read(&file(folder, gateway)).unwrap();
    assert_eq!(read(&one, 1).tables, read(&two, 2).tables);
    assert_eq!(crate::inspect::differences(&read(&one, 1), &read(&two, 2)), [""; 0]);
    assert!(carriers(two.path()).is_empty(), "what was received is deleted");
    drop(late);
    let (_, recovered) = try_open(&two, 2).unwrap();
    assert_eq!(recovered.house, ahead.house);
    assert_eq!((recovered.applied, recovered.paxos.chosen), (id.slot, id.slot));
    let slots: Vec<_> = recovered.paxos.accepted.iter().map(|entry| entry.slot).collect();
    assert_eq!(slots, [id.slot.next()]);
}

#[test]
fn after_an_installation_a_replica_goes_on_like_any_other() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (mut ahead, mut late) = (ahead(&one), late(&two));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let id = taker.fetch(&mut giver);
    let house = taker.check(id);
    install(&mut late, id).unwrap();
    let mut late = Replica { store: late, house, slot: id.slot };
    // The settings that it had before, and that the snapshot has not.
    let settings = Op::Settings(House::new().agreed());
    for op in [settings, join(3, true), register("attic", "fan", Kind::Outlet)] {
        let entry = entry(400, op);
        ahead.apply(&entry).unwrap();
        late.apply(&entry).unwrap();
    }
    let read = |folder, gateway| crate::inspect::read(&file(folder, gateway)).unwrap();
    assert_eq!(crate::inspect::differences(&read(&one, 1), &read(&two, 2)), [""; 0]);
}

#[test]
fn equal_states_make_equal_files_also_from_a_state_that_was_installed() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ahead, mut late) = (ahead(&one), late(&two));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let id = taker.fetch(&mut giver);
    taker.check(id);
    install(&mut late, id).unwrap();
    drop(taker);
    assert_eq!(Desk::of(&late).chunk(None).id, id);
}

#[test]
fn commits_go_on_while_a_snapshot_is_made_and_it_is_of_one_slot() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (mut ahead, late) = (ahead(&one), late(&two));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let mut houses = vec![(ahead.slot, ahead.house.clone())];
    for time in 200.. {
        let asked = giver.ask(Task::Give { to: GatewayId(2), part: None });
        ahead.apply(&entry(time, join(4, true))).unwrap();
        houses.push((ahead.slot, ahead.house.clone()));
        if !matches!(asked, Report::Given { answer: SnapshotAnswer::NotReady, .. }) {
            break;
        }
    }
    let id = taker.fetch(&mut giver);
    let house = taker.check(id);
    assert!(houses.contains(&(id.slot, house)), "it is of no slot");
}

#[test]
fn both_ends_go_on_after_a_restart_where_they_were() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ahead, late) = (ahead(&one), late(&two));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let first = giver.chunk(None);
    let held = taker.held(Task::Take(first.clone()));
    assert_eq!(held, Some((first.id, first.bytes.len() as u64)));
    drop((taker, giver));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    assert_eq!(taker.held(Task::Resume), held);
    let next = giver.chunk(held);
    assert_eq!((next.id, next.offset), held.unwrap());
    assert_eq!(taker.fetch(&mut giver), first.id);
    taker.check(first.id);
}

#[test]
fn a_chunk_that_is_damaged_or_not_the_next_one_is_not_taken() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ahead, late) = (ahead(&one), late(&two));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let first = giver.chunk(None);
    let mut damaged = first.clone();
    damaged.bytes[7] ^= 1;
    assert_eq!(taker.held(Task::Take(damaged)), None);
    let held = taker.held(Task::Take(first.clone()));
    assert_eq!(taker.held(Task::Take(first)), held, "a chunk that came twice");
    let second = giver.chunk(held);
    let end = second.offset + second.bytes.len() as u64;
    let third = giver.chunk(Some((second.id, end)));
    assert_eq!(taker.held(Task::Take(third)), held, "a chunk that came too early");
    assert_eq!(taker.held(Task::Take(second.clone())), Some((second.id, end)));
}

#[test]
fn a_snapshot_that_is_gone_is_told_to_be_gone() {
    let one = TempDir::new().unwrap();
    let ahead = ahead(&one);
    let mut giver = Desk::of(&ahead.store);
    let id = giver.chunk(None).id;
    let other = SnapshotId { slot: Slot(3), ..id };
    assert_eq!(giver.give(Some((other, 0))), SnapshotAnswer::Gone);
    // One that cannot be read any more is as good as gone, and another one is made.
    std::fs::write(&carriers(one.path())[0], "").unwrap();
    assert_eq!(giver.give(Some((id, 0))), SnapshotAnswer::Gone);
    assert_eq!(giver.chunk(None).id, id);
}

/// Fetches a snapshot, changes it on its way, and gives why it is refused.
fn refused(change: impl Fn(&Path)) -> String {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ahead, late) = (ahead(&one), late(&two));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let id = taker.fetch(&mut giver);
    change(&carriers(two.path())[0]);
    let why = taker.failed(Task::Check(id));
    assert!(carriers(two.path()).is_empty(), "{why}");
    // The next one is fetched from its beginning.
    assert_eq!(taker.held(Task::Resume), None);
    assert_eq!(taker.fetch(&mut giver), id);
    taker.check(id);
    why
}

#[test]
fn a_file_that_is_not_what_was_sent_is_refused_and_fetched_again() {
    let flipped = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[100_000] ^= 4;
        std::fs::write(path, bytes).unwrap();
    };
    assert_eq!(refused(flipped), "it is not what was sent");
    let cut = |path: &Path| std::fs::write(path, "short").unwrap();
    assert_eq!(refused(cut), "it is not what was sent");
}

/// Makes a snapshot of files that were changed by `sql`, and gives why it is refused at home.
fn refused_after(site: &str, sql: &str) -> String {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let ahead = ahead(&one);
    let mut giver = Desk::of(&ahead.store);
    let id = giver.chunk(None).id;
    drop(giver);
    let path = carriers(one.path()).remove(0);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("UPDATE replica SET site = ?1", [site]).unwrap();
    connection.execute_batch(sql).unwrap();
    sums::write_all(&connection).unwrap();
    drop(connection);
    let bytes = std::fs::read(&path).unwrap();
    let hash = *blake3::hash(&bytes).as_bytes();
    let changed = SnapshotId { bytes: bytes.len() as u64, hash, ..id };
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("gateway-1.snapshot.{}.{}.{hex}", id.slot.0, changed.bytes);
    std::fs::rename(&path, one.path().join(name)).unwrap();
    let late = late(&two);
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    assert_eq!(taker.fetch(&mut giver), changed);
    taker.failed(Task::Check(changed))
}

#[test]
fn a_snapshot_that_does_not_fit_is_refused() {
    for (site, sql, named) in [
        ("farm", "", "it is of site \"farm\""),
        ("home", "PRAGMA user_version = 99", "it has version 99"),
        ("home", "UPDATE replica SET applied = 5", "it is of slot 5"),
        ("home", "PRAGMA foreign_keys = 0; DELETE FROM zones", "rows that are not there"),
        ("home", "UPDATE devices SET kind = 'dog'", "devices.kind is \"dog\""),
        ("home", "PRAGMA foreign_keys = 0; DROP TABLE seen", "no such table: seen"),
    ] {
        let why = refused_after(site, sql);
        assert!(why.contains(named), "{why}");
    }
}

#[test]
fn a_crash_at_any_point_of_the_installation_leaves_the_old_state_or_the_new_one() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ahead, mut late) = (ahead(&one), late(&two));
    let old = late_house(&two);
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let id = taker.fetch(&mut giver);
    taker.check(id);
    // A small cache, so that pages leave it before the commit.
    late.connection.pragma_update(None, "cache_size", 3).unwrap();
    let crashes = Arc::new(Mutex::new(vec![copy_of(&two)]));
    let (seen, folder) = (Arc::clone(&crashes), two.path().to_owned());
    let mut tables = Vec::new();
    let hook = move |_, _: &str, table: &str, row: i64| {
        if !tables.contains(&table.to_owned()) || row % 1000 == 0 {
            tables.push(table.to_owned());
            seen.lock().unwrap().push(copy(&folder));
        }
    };
    late.connection.update_hook(Some(hook)).unwrap();
    install(&mut late, id).unwrap();
    let crashes = std::mem::take(&mut *crashes.lock().unwrap());
    assert!(crashes.len() > 10, "{} crashes", crashes.len());
    let grown = |folder: &TempDir| std::fs::metadata(wal(folder)).unwrap().len();
    assert!(grown(crashes.last().unwrap()) > 100_000, "nothing has left the cache");
    for crash in &crashes {
        let (store, recovered) = try_open(crash, 2).unwrap();
        assert_eq!((recovered.applied, &recovered.house), (Slot(2), &old));
        assert_eq!(recovered.paxos.accepted.len(), 2);
        // What was received is still there, and this time nothing comes between.
        let mut taker = Desk::of(&store);
        assert_eq!(taker.held(Task::Resume), Some((id, id.bytes)));
        taker.check(id);
        let mut store = store;
        install(&mut store, id).unwrap();
    }
    // After the commit and before the file is deleted.
    let (store, recovered) = try_open(&copy_of(&two), 2).unwrap();
    assert_eq!((recovered.applied, &recovered.house), (id.slot, &ahead.house));
    drop(store);
}

#[test]
fn snapshots_are_as_private_as_the_file_that_they_are_of() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ahead, late) = (ahead(&one), late(&two));
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    taker.fetch(&mut giver);
    let private = [carriers(one.path()), carriers(two.path()), vec![file(&one, 1), file(&two, 2)]];
    assert!(private.iter().all(|files| !files.is_empty()), "{private:?}");
    for path in private.concat() {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

#[test]
fn a_disk_that_is_full_while_a_snapshot_is_installed_leaves_the_old_state() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (ahead, mut late) = (ahead(&one), late(&two));
    let old = late_house(&two);
    let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
    let id = taker.fetch(&mut giver);
    taker.check(id);
    late.connection.pragma_update(None, "max_page_count", 40).unwrap();
    let error = install(&mut late, id).expect_err("full");
    assert!(matches!(error.fault(), Some(Fault::Full)), "{error:?}");
    drop((taker, late));
    let (_, recovered) = try_open(&two, 2).unwrap();
    assert_eq!((recovered.applied, recovered.house), (Slot(2), old));
}

#[test]
fn a_snapshot_and_its_record_come_together_or_not_at_all() {
    for (records, installs) in [(true, false), (false, true)] {
        let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let (ahead, mut late) = (ahead(&one), late(&two));
        let (mut giver, mut taker) = (Desk::of(&ahead.store), Desk::of(&late));
        let id = taker.fetch(&mut giver);
        let all = [Record::Installed(id.slot), Record::Chosen(id.slot)];
        let records = if records { &all[..1] } else { &all[1..] };
        let (install, applied) = (installs.then_some(id), Some(id.slot));
        let write = Write { records, install, applied, ..NOTHING };
        let error = late.commit(write).expect_err("half an installation");
        assert!(matches!(error.fault(), Some(Fault::Contradiction(_))), "{error:?}");
    }
}

fn late_house(folder: &TempDir) -> House {
    try_open(&copy_of(folder), 2).unwrap().1.house
}

fn copy_of(folder: &TempDir) -> TempDir {
    copy(folder.path())
}

/// All files but the lock, as a killed process would leave them.
fn copy(folder: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if !["lock", "db-shm"].iter().any(|end| name.to_string_lossy().ends_with(end)) {
            std::fs::copy(&path, copy.path().join(name)).unwrap();
        }
    }
    copy
}

fn wal(folder: &TempDir) -> PathBuf {
    folder.path().join("gateway-2.db-wal")
}

/// A snapshot of an older program takes the place of everything, too.
#[test]
fn a_snapshot_of_an_older_program_is_installed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/f4fe4dd");
    let given = carriers(&golden);
    let [given] = given.as_slice() else { panic!("one snapshot: {given:?}") };
    let name = given.file_name().unwrap().to_str().unwrap();
    let received = name.replace("gateway-1.snapshot", "gateway-2.incoming");
    let folder = TempDir::new().unwrap();
    let mut store = late(&folder);
    std::fs::copy(given, folder.path().join(received)).unwrap();
    let mut receiver = Desk::of(&store);
    let (id, held) = receiver.held(Task::Resume).unwrap();
    assert_eq!(held, id.bytes);
    let house = receiver.check(id);
    assert_eq!(house.counters().seq, wire::Seq(39));
    install(&mut store, id).unwrap();
    assert_eq!(late_house(&folder), house);
}
