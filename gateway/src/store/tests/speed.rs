//! How fast a store commits. Run it alone, on the disk in question, with
//! `cargo test -p gateway --release store::tests::speed -- --ignored --nocapture`.

use super::*;
use std::time::{Duration, Instant};

/// Reports of one device, `batch` of them in each commit, as a busy owner's steps have them.
fn commits_per_second(batch: u64, lasting: Duration) -> f64 {
    let folder = TempDir::new_in(std::env::var("HEARTH_SPEED_IN").unwrap_or(".".into())).unwrap();
    let mut replica = tell(&folder);
    let hallway = replica.house.zones()[&zone("hallway")];
    let (mut number, mut commits, start) = (hallway.next, 0_u32, Instant::now());
    while start.elapsed() < lasting {
        let (mut changes, mut records) = (Vec::new(), Vec::new());
        for _ in 0..batch {
            let origin = origin(hallway.epoch.0, number, None);
            let said = said(&(number % 100).to_string());
            let entry = entry(number, report("hallway", "door", said, origin));
            changes.extend(replica.house.apply(&entry).changes);
            replica.slot = replica.slot.next();
            records.extend(accepted(replica.slot, &entry));
            number += 1;
        }
        let applied = Some(replica.slot);
        let write = Write { records: &records, changes: &changes, applied, ..NOTHING };
        replica.store.commit(write).unwrap();
        commits += 1;
        if replica.store.wants(super::super::Checkpoint::Busy) {
            replica.store.checkpoint().unwrap();
        }
    }
    f64::from(commits) / start.elapsed().as_secs_f64()
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
