//! Files of older programs: today's code opens them and finds everything.
//!
//! `f4fe4dd` is a home that the last program without announced versions left behind: three replicas, and a snapshot
//! that one of them had made. Files of later programs come beside them and are never written anew.

#![allow(clippy::unwrap_used, reason = "a helper that fails is the test's result")]

use std::path::{Path, PathBuf};

use gateway::inspect::{self, Replica};
use gateway::store::{Recovered, Store};
use gateway_core::command::{Entry, TimerName};
use paxos::{ReplicaId, Slot};
use tempfile::TempDir;
use wire::{
    Clock, Device, Epoch, GatewayId, Kind, NodeId, OrderNumber, Seq, Site, UnixMillis, Version,
    Zone,
};

const DISKS: [u64; 3] = [65_307_345_009_795_233, 7_677_039_579_569_824, 41_718_846_981_497_232];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/f4fe4dd").join(name)
}

/// Opens a copy of a replica's file.
fn open(folder: &TempDir, gateway: u8) -> (Store, Recovered) {
    let name = format!("gateway-{gateway}.db");
    std::fs::copy(golden(&name), folder.path().join(&name)).unwrap();
    let site = Site::new("home").unwrap();
    let now = UnixMillis(1_800_000_000_000);
    Store::open(folder.path(), &site, GatewayId(gateway), now, 4096).unwrap()
}

fn zone(name: &str) -> Zone {
    Zone::new(name).unwrap()
}

#[test]
fn the_house_of_f4fe4dd_is_found() {
    for gateway in 1..=3 {
        let folder = TempDir::new().unwrap();
        let (_store, recovered) = open(&folder, gateway);
        let house = &recovered.house;
        let counters = house.counters();
        assert_eq!(
            (counters.seq, counters.epoch, counters.clock),
            (Seq(69), Epoch(35), Clock(162))
        );
        assert_eq!(counters.version, Version::FIRST);
        assert_eq!((house.agreed().threshold, house.agreed().door_closes_after), (3, Some(5000)));
        assert!(house.gateways().values().all(|member| member.alive && member.serves));
        let owners = [
            ("attic", 3),
            ("bedroom", 1),
            ("cellar", 3),
            ("hallway", 1),
            ("kitchen", 1),
            ("landing", 2),
            ("livingroom", 2),
            ("porch", 2),
            ("salle à manger", 1),
        ];
        let found = house.zones().iter().map(|(zone, row)| (zone.as_str(), row.owner.0));
        assert!(found.eq(owners));
        assert_eq!(house.devices().len(), 10);
        let fan = house.node(&zone("attic"), &Device::new("fan").unwrap()).unwrap();
        assert_eq!((fan, house.devices()[&fan].kind), (NodeId(9), Kind::Device));
        let open: Vec<_> =
            house.orders().iter().map(|(node, order)| (*node, order.number)).collect();
        assert_eq!(open, [(NodeId(7), OrderNumber(1)), (NodeId(9), OrderNumber(1))]);
        assert!(house.timers().keys().eq([&TimerName::DropOrder(NodeId(9))]));
    }
}

#[test]
fn the_votes_and_the_log_of_f4fe4dd_are_found() {
    for gateway in 1..=3 {
        let folder = TempDir::new().unwrap();
        let (mut store, recovered) = open(&folder, gateway);
        let paxos = &recovered.paxos;
        let founders = DISKS.iter().zip(1..).map(|(disk, number)| ReplicaId::new(number, *disk));
        assert!(paxos.founders.iter().eq(founders), "{:?}", paxos.founders);
        assert_eq!(paxos.voters, paxos.founders);
        assert!(paxos.promised.round >= 2, "{:?}", paxos.promised);
        assert!(recovered.applied >= Slot(92) && recovered.incarnation == 1_800_000_000_000);
        for entry in &paxos.accepted {
            for request in entry.value.requests() {
                Entry::decode(&request.payload).unwrap();
            }
        }
        assert!(paxos.accepted.len() > 40, "{}", paxos.accepted.len());
        // It is a copy, and an operator's word gives it its number back.
        let disk = store.trust(recovered.disk).unwrap();
        assert_eq!(disk.number, DISKS[usize::from(gateway) - 1]);
    }
}

#[test]
fn status_and_history_of_f4fe4dd_are_found() {
    let replicas: Vec<Replica> = (1..=3)
        .map(|gateway| {
            let folder = TempDir::new().unwrap();
            drop(open(&folder, gateway));
            inspect::read(&inspect::file(folder.path(), gateway)).unwrap()
        })
        .collect();
    let first = &replicas[0];
    let status: Vec<_> = first.status.iter().map(|row| (row.node, row.state.as_deref())).collect();
    assert_eq!(status[5..9], [(7, Some("1")), (8, Some("30.5")), (9, Some("0")), (10, Some("0"))]);
    assert_eq!(first.history.len(), 69);
    let notes: Vec<_> = first.history.iter().filter_map(|row| row.note.as_deref()).collect();
    assert_eq!(notes, ["USER ENTERED", "Turning on Lights."]);
    assert!(first.history.iter().any(|row| row.state == "half open"));
    for other in &replicas[1..] {
        assert_eq!((&other.history, &other.status), (&first.history, &first.status));
    }
}
