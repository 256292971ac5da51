//! Six gateways agree by Paxos; a rival's ballot makes a round fail and be tried again.

use std::collections::{BTreeMap, BTreeSet};

use gateway::inspect;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::kit::{hearth, text};

#[test]
fn six_gateways_agree_and_a_failed_round_is_tried_again() {
    let folder = TempDir::new().unwrap();
    let (data, report) = (folder.path().join("data"), folder.path().join("report.json"));
    let output = hearth()
        .args(["run", "scenarios/six.events", "--config", "config/six-gateways.toml"])
        .arg("--data-dir")
        .arg(&data)
        .arg("--report")
        .arg(&report)
        .output()
        .unwrap();
    let story = text(&output.stdout);
    assert!(output.status.success(), "{story}\n{}", text(&output.stderr));
    let report: Json = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
    assert_eq!((&report["identical"], &report["failed"]), (&true.into(), &0.into()));
    for gateway in 1..=3 {
        let devices = report["gateways"][gateway - 1]["devices"].as_object().unwrap().len();
        assert_eq!(devices, 1, "gateway {gateway} serves one device");
    }
    // Every gateway's acceptance is told, then the agreement, and the round that failed.
    for id in 1..=6 {
        let accepted = format!("Consensus on node:state : 2:54 - tempSensor my id: {id}");
        assert!(story.contains(&accepted), "{accepted:?} is missing in:\n{story}");
    }
    for words in [
        "All gateways agreed on consensus (node ID: state) 2:54 - tempSensor",
        "Gateway 1: Reading data",
        "failed !! Starting another round",
    ] {
        assert!(story.contains(words), "{words:?} is missing in:\n{story}");
    }
    ballots_tell_of_the_rival(&data);
}

/// In the six files every slot holds one value, and the slots were won by more than one gateway's
/// ballot, the rival's among them, with both contended values in slots of their own.
fn ballots_tell_of_the_rival(data: &std::path::Path) {
    let mut values: BTreeMap<u64, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let mut proposers = BTreeSet::new();
    for id in 1..=6 {
        for entry in inspect::read(&inspect::file(data, id)).unwrap().log {
            proposers.insert(entry.ballot.gateway);
            values.entry(entry.slot).or_default().insert(entry.value);
        }
    }
    let twice: Vec<_> = values.iter().filter(|(_, values)| values.len() > 1).collect();
    assert!(twice.is_empty(), "slots with two values: {twice:?}");
    assert!(proposers.contains(&6) && proposers.contains(&2), "ballots of {proposers:?}");
}
