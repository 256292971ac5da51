//! The shipped scenarios, whole: processes, story, report, exit status.

use std::collections::VecDeque;

use serde_json::Value as Json;
use tempfile::TempDir;

use crate::kit::{hearth, root, text};

fn run(arguments: &[&str]) -> (Json, String) {
    let folder = TempDir::new().unwrap();
    let report = folder.path().join("report.json");
    let output = hearth().arg("run").args(arguments).arg("--report").arg(&report).output().unwrap();
    let story = text(&output.stdout);
    assert!(output.status.success(), "{arguments:?}: {story}\n{}", text(&output.stderr));
    let report = std::fs::read_to_string(&report).unwrap();
    (serde_json::from_str(&report).unwrap(), story)
}

#[test]
fn the_cache_counts_of_every_size_follow_from_plain_lru() {
    for file in ["config/scenarios/seed.events", "config/scenarios/large.events"] {
        for sizes in [[0, 0], [1, 1], [2, 3], [6, 6]] {
            let (report, story) = run(&[file, &sizes[0].to_string(), &sizes[1].to_string()]);
            assert_eq!(report["identical"], true);
            assert_eq!(report["failed"], 0);
            let gateways = report["gateways"].as_array().unwrap();
            assert_eq!(gateways.len(), 3, "two that serve, and a standby that votes");
            assert_eq!(gateways[0]["devices"]["doorSensor"], 4);
            assert_eq!(gateways[1]["devices"]["motionSensor"], 6);
            for (gateway, size) in gateways.iter().zip(sizes) {
                let devices: Vec<&str> =
                    gateway["devices"].as_object().unwrap().keys().map(String::as_str).collect();
                let (hits, misses) = plain_lru(file, &devices, size);
                let counted = (gateway["hits"].as_u64(), gateway["misses"].as_u64());
                assert_eq!(counted, (Some(hits), Some(misses)), "{file} {sizes:?}\n{story}");
                assert_eq!(gateway["cold_misses"], 0);
            }
        }
    }
}

#[test]
fn the_story_tells_what_the_seed_told() {
    let (_, story) = run(&["config/scenarios/seed.events", "0", "0"]);
    for words in [
        "{'smartBulb': 5, 'motionSensor': 6}",
        "This is an Gateway-2 event: QUERY BULB STATE",
        "This is an User Event: DOOR OPEN PS",
        "Will Proceed Without Caching as cacheSize is 0",
        "Sending to the backend : node ID is 4 , Sensor/Device name is doorSensor , current state is 1",
        "Closing Door Automatically.",
        "Turning on Lights.",
        "USER ENTERED",
        "USER EXIT",
        "Total cache hits are 0 and miss are 0",
    ] {
        assert!(story.contains(words), "{words:?} is missing in:\n{story}");
    }
}

#[test]
fn a_run_survives_the_crash_of_gateway_1() {
    let (report, story) = run(&["config/scenarios/crash.events", "1", "1", "--crash", "1@event:3"]);
    assert_eq!((&report["identical"], &report["failed"]), (&true.into(), &0.into()));
    let gateways = report["gateways"].as_array().unwrap();
    assert_eq!(gateways[0]["alive"], false);
    assert_eq!(gateways[1]["devices"].as_object().unwrap().len(), 5, "all serve at gateway 2");
    for words in [
        "Devices connected to Failed replica are",
        "GATEWAY-1 FAILED. INITIATE FAILURE RECOVERY.",
        "Reconfiguring the Device",
    ] {
        assert!(story.contains(words), "{words:?} is missing in:\n{story}");
    }
}

#[test]
fn a_crash_that_never_comes_fails_the_run() {
    let output = hearth()
        .args(["run", "config/scenarios/seed.events", "1", "1", "--crash", "1@event:99"])
        .output();
    assert!(!output.unwrap().status.success());
}

/// What the events do to a cache of `size` that holds these devices: registration puts each in,
/// so does a write, and a query is a hit or a miss.
fn plain_lru(file: &str, devices: &[&str], size: usize) -> (u64, u64) {
    let mut cache = VecDeque::new();
    let (mut hits, mut misses) = (0, 0);
    let mut touch = |device: &str, query: bool| {
        if size == 0 || !devices.contains(&device) {
            return;
        }
        let held = cache.iter().position(|other| other == device);
        match (query, held.is_some()) {
            (true, true) => hits += 1,
            (true, false) => misses += 1,
            (false, _) => {}
        }
        if let Some(at) = held {
            cache.remove(at);
        }
        cache.push_back(device.to_owned());
        if cache.len() > size {
            cache.pop_front();
        }
    };
    for device in ["tempSensor", "smartOutlet", "doorSensor", "smartBulb", "motionSensor"] {
        touch(device, false);
    }
    let events = std::fs::read_to_string(root().join(file)).unwrap();
    for line in events.lines().filter_map(|line| line.split('#').next()) {
        let Some((_, event)) = line.trim().split_once(':') else { continue };
        let words: Vec<&str> = event.split_whitespace().collect();
        let query = words[0] == "QUERY";
        let device = match words[usize::from(query)] {
            "BULB" => "smartBulb",
            "OUTLET" => "smartOutlet",
            "DOOR" => "doorSensor",
            "MOTION" => "motionSensor",
            _ => "tempSensor",
        };
        touch(device, query);
        if event == "MOTION ACTIVE" {
            touch("smartBulb", false);
        }
    }
    (hits, misses)
}
