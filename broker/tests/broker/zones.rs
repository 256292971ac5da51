use std::time::Duration;

use broker::Settings;

use crate::kit::{Client, Running, settings, start, start_with};

const REPORT: &str = "home/kitchen/plug/report";
const SET: &str = "home/kitchen/plug/set";

fn zone(broker: &Running) -> Client {
    let (mut client, present) = broker.v5("hearth-home-zone-kitchen").keep().open();
    if !present {
        client.subscribe_all(&["home/kitchen/+/report", "home/kitchen/+/set"]);
    }
    client
}

#[test]
fn a_report_is_acknowledged_only_after_the_zones_session_did() {
    let broker = start();
    let mut gateway = zone(&broker);
    let mut other = broker.v4("other").connect();
    other.subscribe("home/#", 1);
    let mut device = broker.v4("device").connect();
    let pid = device.publish(REPORT, "ON", 2);
    let got = gateway.got();
    assert_eq!((got.payload.as_str(), got.qos, got.dup), ("ON", 1, false));
    assert_eq!(got.user("hearth-stamp").as_deref(), Some("1/7/1"));
    assert_eq!(other.got().payload, "ON", "others get it at once");
    // The device's other traffic goes on: no PUBACK has come before this answer.
    device.ping();
    gateway.ack(&got);
    assert_eq!(device.expect(0x40), pid.to_be_bytes());
    let pid = device.publish(SET, "OFF", 4);
    let got = gateway.got();
    assert_eq!(got.user("hearth-stamp").as_deref(), Some("1/7/2"));
    device.ping();
    gateway.ack(&got);
    assert_eq!(device.expect(0x50), pid.to_be_bytes());
    device.pid_packet(0x62, pid);
    device.expect(0x70);
    assert_eq!(other.got().payload, "OFF");
    gateway.ping();
    other.ping();
}

#[test]
fn a_forged_stamp_is_removed_and_other_properties_stay() {
    let broker = start();
    let mut gateway = zone(&broker);
    let mut device = broker.v5("device").connect();
    let mut properties = vec![0x26];
    crate::kit::text(&mut properties, "hearth-stamp");
    crate::kit::text(&mut properties, "9/9/9");
    properties.extend([0x26, 0, 1, b'k', 0, 1, b'v']);
    let (_, bytes) = device.publish_bytes(REPORT, "1", 2, &properties);
    device.send(&bytes);
    let got = gateway.got();
    assert_eq!(got.user("hearth-stamp").as_deref(), Some("1/7/1"));
    assert_eq!(got.user("k").as_deref(), Some("v"));
}

#[test]
fn an_unknown_zone_is_announced_and_what_was_held_comes_first() {
    let broker = start();
    let mut leader = broker.v5("hearth-home-site").connect();
    leader.subscribe("hearth/home/broker/waiting", 0);
    let mut device = broker.v4("device").connect();
    for n in 1..=3 {
        device.publish(REPORT, &n.to_string(), 2);
    }
    device.publish(SET, "q0", 0);
    for _ in 0..2 {
        assert_eq!(leader.got().payload, "kitchen", "announced at once, and again");
    }
    device.ping();
    let (mut gateway, _) = broker.v5("hearth-home-zone-kitchen").keep().open();
    gateway.subscribe("home/kitchen/+/report", 1);
    for n in 1..=3 {
        let got = gateway.got();
        assert_eq!(
            (got.payload.clone(), got.user("hearth-stamp")),
            (n.to_string(), Some(format!("1/7/{n}")))
        );
        gateway.ack(&got);
        device.expect(0x40);
    }
    gateway.subscribe("home/kitchen/+/set", 1);
    assert_eq!(gateway.got().payload, "q0");
    device.publish(REPORT, "4", 2);
    assert_eq!(gateway.got().payload, "4");
}

#[test]
fn after_a_takeover_the_new_owner_gets_the_same_stamp_before_anything_newer() {
    let broker = start();
    let mut old = zone(&broker);
    let mut device = broker.v4("device").connect();
    device.publish(REPORT, "1", 2);
    let first = old.got();
    device.publish(REPORT, "2", 2);
    let second = old.got();
    let mut new = zone(&broker);
    assert_eq!(old.end(), Some(0x8E));
    device.publish(REPORT, "3", 2);
    for before in [first, second] {
        let again = new.got();
        assert_eq!(
            (&again.payload, again.dup, again.user("hearth-stamp")),
            (&before.payload, true, before.user("hearth-stamp"))
        );
        new.ack(&again);
        device.expect(0x40);
    }
    let third = new.got();
    assert_eq!((third.payload.as_str(), third.dup), ("3", false));
}

#[test]
fn what_a_lost_publisher_sent_stays_for_the_zone_and_its_retry_is_the_same_message() {
    let broker = start();
    let _leader = broker.v5("hearth-home-site").connect();
    let options = broker.v4("device").keep();
    let mut device = options.connect();
    let (pid, bytes) = device.publish_bytes(REPORT, "1", 2, &[]);
    device.send(&bytes);
    device.ping();
    drop(device);
    let mut device = options.connect();
    let mut again = bytes.clone();
    again[0] |= 8;
    device.send(&again);
    device.ping();
    let mut gateway = zone(&broker);
    let got = gateway.got();
    assert_eq!(got.payload, "1");
    gateway.ping();
    gateway.ack(&got);
    assert_eq!(device.expect(0x40), pid.to_be_bytes());
}

#[test]
fn a_retained_report_says_that_it_comes_from_the_store() {
    let broker = start_with(without_grace());
    let mut device = broker.v5("device").connect();
    device.publish(REPORT, "old", 3);
    device.expect(0x40);
    let mut gateway = zone(&broker);
    let got = gateway.got();
    assert_eq!((got.retain, got.user("hearth-retained").as_deref()), (true, Some("1")));
    device.publish(REPORT, "live", 3);
    let got = gateway.got();
    // Live, with the flag as it was published, so that an owner can refuse a retained order.
    assert_eq!((got.retain, got.user("hearth-retained")), (true, None));
}

fn without_grace() -> Settings {
    let mut settings = settings();
    settings.limits.gateway_grace = Duration::ZERO;
    settings
}

#[test]
fn after_a_restart_reports_wait_for_the_gateways_that_are_on_their_way() {
    let broker = start();
    let mut device = broker.v4("device").connect();
    device.publish(REPORT, "ON", 2);
    device.ping();
    let mut gateway = zone(&broker);
    let got = gateway.got();
    assert_eq!(got.payload, "ON");
    device.ping();
    gateway.ack(&got);
    device.expect(0x40);
}

#[test]
fn without_gateways_this_is_a_broker_like_any_other() {
    let broker = start_with(without_grace());
    let mut other = broker.v4("other").connect();
    other.subscribe("home/+/+/report", 1);
    let mut device = broker.v4("device").connect();
    device.publish_acked(REPORT, "ON");
    assert_eq!(other.got().payload, "ON");
    let mut off = settings();
    off.durable_ack = false;
    let broker = start_with(off);
    let _gateway = zone(&broker);
    broker.v4("device").connect().publish_acked(REPORT, "ON");
}

#[test]
fn a_full_zone_refuses_new_clients_and_stops_reading_old_ones() {
    let mut small = settings();
    small.limits.zone_messages = 2;
    let broker = start_with(small);
    let _leader = broker.v5("hearth-home-site").connect();
    let mut device = broker.v4("device").connect();
    for n in 1..=4 {
        device.publish(REPORT, &n.to_string(), 2);
    }
    let mut new = broker.v5("new").connect();
    // Which two fill the zone is a race, but one of these three is refused.
    for _ in 0..3 {
        new.publish(REPORT, "full", 2);
    }
    while new.packet().1.get(2) != Some(&0x97) {}
    let mut gateway = zone(&broker);
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let got = gateway.got();
        gateway.ack(&got);
        seen.extend(got.payload.parse::<u32>().ok());
    }
    assert_eq!(seen, [1, 2, 3, 4]);
    for _ in 0..4 {
        device.expect(0x40);
    }
    device.ping();
}

#[test]
fn a_zone_that_no_gateway_would_take_holds_nobody_up() {
    let broker = start();
    let mut leader = broker.v5("hearth-home-site").connect();
    leader.subscribe("hearth/home/broker/waiting", 0);
    let mut device = broker.v4("device").connect();
    for name in ["$kitchen".to_owned(), "k".repeat(129), "kit\tchen".to_owned()] {
        device.publish(&format!("home/{name}/plug/report"), "ON", 2);
        device.expect(0x40);
    }
    device.publish(REPORT, "ON", 2);
    assert_eq!(leader.got().payload, "kitchen", "only a zone that can be is announced");
}

#[test]
fn a_release_before_the_receipt_ends_the_connection() {
    let broker = start();
    let _gateway = zone(&broker);
    let mut device = broker.v5("device").connect();
    let pid = device.publish(SET, "OFF", 4);
    device.pid_packet(0x62, pid);
    assert_eq!(device.end(), Some(0x82), "PUBREC has not come yet");
}
