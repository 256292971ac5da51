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
        .args(["run", "config/scenarios/six.events", "--config", "config/six-gateways.toml"])
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

/// In the six files every slot holds one value. The rival's ballot is above the leader's, and what
/// was agreed since, its own value and the one whose round had failed, stands in two slots.
fn ballots_tell_of_the_rival(data: &std::path::Path) {
    let mut values: BTreeMap<u64, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let mut ballots = BTreeSet::new();
    let mut since = BTreeMap::new();
    for id in 1..=6 {
        for entry in inspect::read(&inspect::file(data, id)).unwrap().log {
            ballots.insert((entry.ballot.round, entry.ballot.gateway));
            // A no-op is two bytes, version and kind.
            if entry.ballot.gateway == 2 && entry.value.len() > 2 {
                since.insert(entry.slot, entry.value.clone());
            }
            values.entry(entry.slot).or_default().insert(entry.value);
        }
    }
    let twice: Vec<_> = values.iter().filter(|(_, values)| values.len() > 1).collect();
    assert!(twice.is_empty(), "slots with two values: {twice:?}");
    let rival = ballots.iter().find(|(_, gateway)| *gateway == 2);
    let (round, _) = rival.unwrap_or_else(|| panic!("no ballot of gateway 2 in {ballots:?}"));
    assert!(ballots.iter().any(|(before, gateway)| *gateway == 6 && before < round), "{ballots:?}");
    let contended = since.values().filter(|value| !value.is_empty()).collect::<BTreeSet<_>>();
    assert!(contended.len() >= 2, "values in slots of their own: {since:?}");
}
