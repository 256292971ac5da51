//! The thread: steps go in, results come out, and it ends as it says.

use super::super::{Refused, spawn};
use super::*;
use gateway_core::house::Memory;
use gateway_core::id::Incarnation;
use gateway_core::settings::File;
use gateway_core::{Gateway, Input, Now, Settings, Step, Timing, UNPROMISED};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use wire::SiteGeneration;

fn settings(incarnation: u64) -> Settings {
    Settings {
        site: site(),
        id: GatewayId(1),
        incarnation: Incarnation(incarnation),
        disk: 0,
        doubt: None,
        generation: SiteGeneration::default(),
        file: File::default(),
        witnesses: BTreeMap::new(),
        versions: gateway_core::version::OURS,
        founders: [GatewayId(1)].into(),
        serves: true,
        leaders: Vec::new(),
        agreed: Agreed { threshold: 3, door_closes_after: None },
        cache: 5,
        own_broker: true,
        story: false,
        rounds: false,
        log_keep: 65_536,
        timing: Timing::default(),
        memory: Memory::USUAL,
        unpromised: UNPROMISED,
    }
}

fn at(micros: u64) -> Now {
    Now { moment: paxos::Moment(micros), time: UnixMillis(5000 + micros / 1000) }
}

#[test]
fn a_gateway_of_one_agrees_through_the_thread_and_starts_again_from_the_file() {
    let folder = TempDir::new().unwrap();
    let (store, recovered) = open(&folder);
    let incarnation = recovered.incarnation;
    let mut core =
        Gateway::new(settings(incarnation), recovered.house, recovered.paxos, at(0)).unwrap();
    let (results, mut stored) = mpsc::channel(4);
    let thread = spawn(store, results).unwrap();
    let mut inputs = vec![Input::Links { up: true }, Input::Echo];
    for round in 1.. {
        assert!(round < 1000, "it never joined");
        let mut step = core.step(at(round * 50_000), Input::Tick);
        for input in inputs.drain(..) {
            step.absorb(core.step(at(round * 50_000), input));
        }
        drop(step.take_effects());
        thread.submit(step).unwrap();
        inputs.extend(stored.blocking_recv().unwrap().unwrap().into_iter().map(Input::Stored));
        if core.house().gateways().contains_key(&GatewayId(1)) {
            break;
        }
    }
    drop(thread);
    let (_, again) = open(&folder);
    assert!(again.incarnation > incarnation);
    assert_eq!(&again.house, core.house());
    assert_eq!((again.applied, again.paxos.chosen), (core.applied(), core.applied()));
}

#[test]
fn what_was_submitted_is_done_before_the_thread_ends() {
    let folder = TempDir::new().unwrap();
    let (results, mut stored) = mpsc::channel(64);
    let thread = spawn(open(&folder).0, results).unwrap();
    for _ in 0..20 {
        thread.submit(Step::default()).unwrap();
    }
    drop(thread);
    let mut count = 0;
    while let Ok(result) = stored.try_recv() {
        assert!(matches!(result.unwrap().as_slice(), [Stored::Messages(none)] if none.is_empty()));
        count += 1;
    }
    assert!((1..=20).contains(&count), "{count} results");
    assert!(open(&folder).0.commit(NOTHING).is_ok(), "the lock is free");
}

#[test]
fn a_driver_that_does_not_read_results_is_held_and_can_still_stop() {
    let folder = TempDir::new().unwrap();
    let (results, mut stored) = mpsc::channel(1);
    let thread = spawn(open(&folder).0, results).unwrap();
    let full = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_micros(100));
        matches!(thread.submit(Step::default()), Err(Refused::Full(_)))
    });
    assert!(full, "the queue has no bound");
    // After a result there is room, sooner or later.
    while matches!(thread.submit(Step::default()), Err(Refused::Full(_))) {
        stored.blocking_recv().unwrap().unwrap();
    }
    drop(thread);
}

#[test]
fn a_store_that_failed_says_so_once_and_the_thread_ends() {
    let folder = TempDir::new().unwrap();
    let (mut store, _) = open(&folder);
    store.commit(Write { applied: Some(Slot(9)), ..NOTHING }).expect_err("not chosen");
    let (results, mut stored) = mpsc::channel(4);
    let thread = spawn(store, results).unwrap();
    thread.submit(Step::default()).unwrap();
    assert!(stored.blocking_recv().unwrap().is_err());
    assert!(stored.blocking_recv().is_none());
    assert!(matches!(thread.submit(Step::default()), Err(Refused::Stopped)));
}

#[test]
fn the_log_is_moved_into_the_file_when_nobody_waits() {
    let folder = TempDir::new().unwrap();
    let mut replica = tell(&folder);
    for slot in 14.. {
        let [accepted, _] = accepted(Slot(slot), &story()[0]);
        replica.store.commit(Write { records: &[accepted], ..NOTHING }).unwrap();
        if replica.store.wants(super::super::Checkpoint::Idle) {
            break;
        }
    }
    // Someone reads an old state, so part of the log has to stay.
    let reader = rusqlite::Connection::open(crate::inspect::file(folder.path(), 1)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM log").unwrap();
    let mut records = accepted(Slot(9999), &story()[0]).to_vec();
    records.pop();
    replica.store.commit(Write { records: &records, ..NOTHING }).unwrap();
    replica.store.checkpoint().unwrap();
    assert!(!replica.store.wants(super::super::Checkpoint::Idle), "not again at once");
    assert!(replica.store.retry_at > 0);
    reader.execute_batch("COMMIT").unwrap();
    replica.store.checkpoint().unwrap();
    assert_eq!(replica.store.retry_at, 0);
    let wal = folder.path().join("gateway-1.db-wal");
    let length = std::fs::metadata(&wal).unwrap().len();
    replica.store.commit(Write { records: &records, ..NOTHING }).unwrap();
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), length, "the log begins anew");
}
