#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use broker::Settings;

use crate::kit::{Running, settings, start, start_with};

#[test]
fn a_retained_value_is_set_replaced_and_cleared_only_by_a_retained_empty_payload() {
    let broker = start();
    let mut writer = broker.v4("writer").connect();
    for value in ["1", "2"] {
        writer.publish("r/a", value, 1);
    }
    writer.publish("r/a", "", 0);
    writer.ping();
    let mut reader = broker.v4("reader").connect();
    reader.subscribe("r/+", 0);
    let got = reader.got();
    assert_eq!((got.payload.as_str(), got.retain), ("2", true));
    writer.publish("r/a", "3", 1);
    let live = reader.got();
    assert_eq!((live.payload.as_str(), live.retain), ("3", false), "live delivery clears the flag");
    writer.publish("r/a", "", 1);
    assert_eq!(reader.got().payload, "");
    let mut late = broker.v4("late").connect();
    late.subscribe("r/a", 0);
    late.ping();
}

#[test]
fn all_of_ten_thousand_retained_values_reach_a_new_subscriber() {
    let broker = start();
    let mut writer = broker.v4("writer").connect();
    for n in 0..10_000 {
        writer.publish(&format!("many/{n:05}"), "x", 1);
    }
    writer.ping();
    let mut reader = broker.v4("reader").connect();
    reader.subscribe("#", 1);
    for n in 0..10_000 {
        let got = reader.got();
        assert_eq!((got.topic, got.retain), (format!("many/{n:05}"), true));
    }
    reader.ping();
}

#[test]
fn retain_handling_and_retain_as_published_are_obeyed() {
    let broker = start();
    let mut writer = broker.v5("writer").connect();
    writer.publish("r", "kept", 1);
    writer.ping();
    let mut reader = broker.v5("reader").connect();
    reader.subscribe("r", 0x20);
    reader.ping();
    reader.subscribe("+", 0x18);
    assert_eq!(reader.got().payload, "kept", "handling 1 sends to a new subscription");
    reader.subscribe("+", 0x18);
    reader.ping();
    writer.publish("r", "live", 1);
    let live = reader.got();
    assert_eq!((live.payload.as_str(), live.retain), ("live", true), "as published, and one copy");
    reader.ping();
}

#[test]
fn a_large_message_is_there_for_whoever_comes_later_also_after_a_restart() {
    const TOPIC: &str = "zigbee2mqtt/bridge/devices";
    let data = tempfile::tempdir().unwrap();
    let with = || Settings { data_dir: Some(data.path().to_owned()), ..settings() };
    let devices = "d".repeat(2 * 1024 * 1024);
    let mut first = start_with(with());
    let mut bridge = first.v5("bridge").connect();
    let pid = bridge.publish(TOPIC, &devices, 3);
    assert_eq!(bridge.expect(0x40)[..2], pid.to_be_bytes());
    let is_there = |broker: &Running| {
        for options in [broker.v4("later"), broker.v5("later")] {
            let mut later = options.connect();
            later.subscribe(TOPIC, 1);
            let got = later.got();
            assert!(got.payload == devices && got.retain, "{} bytes", got.payload.len());
        }
    };
    is_there(&first);
    first.stop().unwrap();
    is_there(&start_with(with()));
}

#[test]
fn a_topic_of_the_site_takes_less() {
    let broker = start();
    let large = "x".repeat(1024 * 1024 + 1);
    let mut watcher = broker.v5("watcher").connect();
    watcher.subscribe("home/#", 0);
    let mut device = broker.v5("device").connect();
    device.publish("home/hall/lamp/status", &large, 2);
    assert_eq!(device.expect(0x40)[2], 0x97);
    device.publish("home/hall/lamp/status", &large, 0);
    device.ping();
    let mut old = broker.v4("old").connect();
    old.publish("home/hall/lamp/status", &large, 2);
    assert_eq!(old.try_packet(), None, "an acknowledgement would be a lie");
    device.publish("home/hall/lamp/status", "online", 0);
    assert_eq!(watcher.got().payload, "online", "nothing before it came through");
}
