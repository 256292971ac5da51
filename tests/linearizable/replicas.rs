//! What the replicas' files say in the end.

use std::collections::BTreeMap;

use gateway::inspect::{self, Replica};
use serde_json::json;

use crate::clients::{DEVICES, Record, ask};
use crate::home::{GATEWAYS, Home};
use linear::Action;

/// Ends the home and reads its files: every acknowledged order is in every replica's history once,
/// as its receipt says; one of unknown outcome at most once; and nothing else is there. Gives the
/// number of agreed orders.
pub(crate) async fn check(home: Home, record: &Record) -> usize {
    until_all_are_level(&home).await;
    GATEWAYS.iter().for_each(|id| home.kill_gateway(*id));
    let read = |id: &u8| inspect::read(&inspect::file(home.folder(), *id)).unwrap();
    let replicas: Vec<Replica> = GATEWAYS.iter().map(read).collect();
    for pair in replicas.windows(2) {
        assert_eq!(inspect::differences(&pair[0], &pair[1]), Vec::<String>::new());
    }
    let orders = replicas.iter().map(|replica| history_is_what_clients_saw(replica, record)).max();
    home.remove();
    orders.unwrap_or(0)
}

/// Every replica has everything that the clients wrote once it has what is written after it.
async fn until_all_are_level(home: &Home) {
    let requester = home.requester("linear-closing").await;
    for place in DEVICES {
        let last = json!({"state": LAST, "id": LAST});
        ask(&requester, &format!("home/{place}/set"), last).await;
        let (zone, device) = place.split_once('/').unwrap();
        for id in GATEWAYS {
            let own_copy = format!("hearth/home/gateway/{id}/get");
            let which = json!({"zone": zone, "device": device});
            let last = LAST.to_string();
            while ask(&requester, &own_copy, which.clone()).await.get("desired")["state"]
                != last.as_str()
            {}
        }
    }
}

/// A value that no client writes.
const LAST: u64 = 1 << 50;

fn history_is_what_clients_saw(replica: &Replica, record: &Record) -> usize {
    let place = |node: u32| {
        let device = replica.devices.iter().find(|device| device.node == node);
        device.map(|device| format!("{}/{}", device.zone, device.name))
    };
    let gateway = replica.gateway;
    let mut agreed = BTreeMap::new();
    for row in replica.history.iter().filter(|row| row.register == "desired") {
        let value: u64 = row.state.parse().unwrap();
        let place = place(row.node).unwrap();
        if value != LAST {
            let twice = agreed.insert((place, value), (row.order, row.seq));
            assert_eq!(twice, None, "gateway {gateway} has {row:?} twice");
        }
    }
    for receipt in &record.receipts {
        let row = agreed.get(&(receipt.place.to_owned(), receipt.value));
        let told = (Some(receipt.order), receipt.seq);
        assert_eq!(row, Some(&told), "gateway {gateway}: {receipt:?}");
    }
    let written = record.operations.iter().filter_map(|operation| match operation.action {
        Action::Write(value) => Some((operation.key.clone(), value)),
        Action::Read(_) => None,
    });
    let written: std::collections::BTreeSet<_> = written.collect();
    let unasked: Vec<_> = agreed.keys().filter(|key| !written.contains(key)).collect();
    assert!(unasked.is_empty(), "gateway {gateway} has orders that nobody gave: {unasked:?}");
    agreed.len()
}
