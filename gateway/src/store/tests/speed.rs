//! How fast a store commits. Run it alone, on the disk in question, with
//! `cargo test -p gateway --release store::tests::speed -- --ignored --nocapture`.

use super::super::sums;
use super::*;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Reports of one device, `batch` of them in each commit, as a busy owner's steps have them.
fn commits_per_second(batch: u64, lasting: Duration) -> f64 {
    let folder = TempDir::new_in(std::env::var("HEARTH_SPEED_IN").unwrap_or(".".into())).unwrap();
    let mut replica = tell(&folder);
    let mut number = replica.house.zones()[&zone("hallway")].next;
    let (mut commits, start) = (0_u32, Instant::now());
    while start.elapsed() < lasting {
        commit_reports(&mut replica, &mut number, batch);
        commits += 1;
    }
    f64::from(commits) / start.elapsed().as_secs_f64()
}

/// One commit with this many reports from `number` on, each in a slot of its own.
fn commit_reports(replica: &mut Replica, number: &mut u64, batch: u64) {
    let epoch = replica.house.zones()[&zone("hallway")].epoch;
    let (mut changes, mut records) = (Vec::new(), Vec::new());
    for _ in 0..batch {
        let said = said(&(*number % 100).to_string());
        let entry = entry(*number, report("hallway", "door", said, origin(epoch.0, *number, None)));
        changes.extend(replica.house.apply(&entry).changes);
        replica.slot = replica.slot.next();
        records.extend(accepted(replica.slot, &entry));
        *number += 1;
    }
    let applied = Some(replica.slot);
    let write = Write { records: &records, changes: &changes, applied, ..NOTHING };
    replica.store.commit(write).unwrap();
    if replica.store.wants(super::super::Checkpoint::Busy) {
        replica.store.checkpoint().unwrap();
    }
}

/// Makes the files of gateways 1 to 3, the first two with a million slots in `HEARTH_SPEED_IN`. What
/// gateway 3 then does is to be watched with `hearth gateway`.
#[test]
#[ignore = "makes files to measure with; it proves nothing"]
fn a_million_slots() {
    let folder = PathBuf::from(std::env::var("HEARTH_SPEED_IN").unwrap());
    let name = |gateway| crate::inspect::file(&folder, gateway);
    let opened = |gateway| {
        Store::open(&folder, &site(), GatewayId(gateway), UnixMillis(1000), 100).unwrap().0
    };
    let store = opened(1);
    let mut replica = Replica { store, house: House::new(), slot: Slot::ZERO };
    story().iter().for_each(|entry| drop(replica.apply(entry).unwrap()));
    drop(opened(3));
    replica.store.keep_log(65_536);
    let mut number = replica.house.zones()[&zone("hallway")].next;
    while replica.slot.0 < 1_000_000 {
        commit_reports(&mut replica, &mut number, 200);
    }
    drop(replica);
    std::fs::copy(name(1), name(2)).unwrap();
    for gateway in 1..=3 {
        let connection = rusqlite::Connection::open(name(gateway)).unwrap();
        // As files from before there were numbers of disks: they vote wherever they lie.
        let founded = format!(
            "UPDATE replica SET gateway = {gateway}, disk = 0, inode = 0, born = 0;
             UPDATE acceptor SET founders = '1,2,3'"
        );
        connection.execute_batch(&founded).unwrap();
        sums::write_all(&connection).unwrap();
    }
}

#[test]
#[ignore = "measures; it proves nothing"]
fn speed() {
    for batch in [1, 10, 64] {
        let commits = commits_per_second(batch, Duration::from_secs(5));
        let reports = commits * batch as f64;
        println!("{batch:3} reports in a commit: {commits:7.0} commits/s, {reports:7.0} reports/s");
    }
}
