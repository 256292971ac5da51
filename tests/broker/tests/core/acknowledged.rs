//! An acknowledgement names its message, never only a packet id that its client uses again.

use broker_core::mutant::{Mutant, set_active};
use broker_core::protocol::{Packet, Publish, Qos, Reason, Version};
use broker_core::{ConnId, Ended};

use super::{Bench, bench, connect, kept, publish};

const REPORT: &str = "home/hall/d/report";

/// A zone's session, and a device with a session that is kept.
fn hall(bench: &mut Bench) -> (ConnId, ConnId) {
    let (zone, _) = bench.open(connect("hearth-home-zone-hall"));
    bench.subscribe(zone, "home/hall/+/report");
    bench.pull(zone);
    let (device, _) = bench.open(kept("meter", 3600));
    (zone, device)
}

fn report(payload: &'static str, qos: Qos, dup: bool) -> Packet {
    Packet::Publish(Publish { dup, ..publish(REPORT, payload, qos, 1) })
}

fn come_back(bench: &mut Bench, device: ConnId) -> ConnId {
    bench.core.closed(bench.now, device, Ended::Lost);
    bench.open(kept("meter", 3600)).0
}

#[test]
fn an_acknowledgement_does_not_release_another_message_under_its_packet_id() {
    for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
        for dup in [false, true] {
            assert_eq!(told_before_its_zone(qos, dup), Vec::<String>::new(), "{qos:?}, dup {dup}");
        }
    }
}

#[test]
fn the_scenario_sees_a_broker_that_takes_the_packet_id_for_the_message() {
    set_active(Some(Mutant::PacketIdIsTheMessage));
    let told = told_before_its_zone(Qos::AtLeastOnce, false);
    set_active(None);
    assert_eq!(told, ["Puback(1, Normal)"]);
}

/// What a client is told of its second message under a packet id when the zone's session has acknowledged the first.
fn told_before_its_zone(qos: Qos, dup: bool) -> Vec<String> {
    let mut bench = bench(|_| {});
    let (zone, device) = hall(&mut bench);
    bench.send(device, report("111", qos, false));
    let device = come_back(&mut bench, device);
    bench.send(device, report("222", qos, dup));
    bench.pull(zone);
    bench.send(zone, Packet::Puback(1, None));
    let told = bench.pull(device);
    bench.send(zone, Packet::Puback(2, None));
    assert_eq!(told.len() + bench.pull(device).len(), 1, "the second one is told of once");
    told
}

#[test]
fn another_message_under_an_id_that_was_settled_meanwhile_is_taken_in() {
    let mut bench = bench(|_| {});
    let (zone, device) = hall(&mut bench);
    bench.send(device, report("111", Qos::AtLeastOnce, false));
    bench.core.closed(bench.now, device, Ended::Lost);
    bench.pull(zone);
    bench.send(zone, Packet::Puback(1, None));
    let (device, _) = bench.open(kept("meter", 3600));
    bench.send(device, report("222", Qos::AtLeastOnce, true));
    assert!(bench.pull(device).is_empty());
    assert_eq!(bench.pull(zone), [format!("{REPORT} 222 q1 #2")]);
}

#[test]
fn a_repetition_of_what_was_settled_meanwhile_is_told_what_became_of_it() {
    for (refusal, told) in [(None, "Normal"), (Some(Reason::PayloadFormat), "PayloadFormat")] {
        let mut bench = bench(|_| {});
        let (zone, device) = hall(&mut bench);
        bench.send(device, report("111", Qos::AtLeastOnce, false));
        bench.core.closed(bench.now, device, Ended::Lost);
        bench.pull(zone);
        bench.send(zone, Packet::Puback(1, refusal));
        let (device, _) = bench.open(kept("meter", 3600));
        bench.send(device, report("111", Qos::AtLeastOnce, true));
        assert_eq!(bench.pull(device), [format!("Puback(1, {told})")]);
        assert!(bench.pull(zone).is_empty(), "it is not handed on again");
    }
}

#[test]
fn a_refusal_is_told_where_the_protocol_has_a_word_for_it() {
    let cases = [
        (Version::V5, Qos::AtLeastOnce, "Puback(1, PayloadFormat)"),
        (Version::V5, Qos::ExactlyOnce, "Pubrec(1, PayloadFormat)"),
        (Version::V311, Qos::AtLeastOnce, "Puback(1, Normal)"),
        (Version::V311, Qos::ExactlyOnce, "Pubrec(1, Normal)"),
    ];
    for (version, qos, told) in cases {
        let mut bench = bench(|_| {});
        let (zone, _) = hall(&mut bench);
        let (device, _) = bench.open(broker_core::protocol::Connect { version, ..connect("lamp") });
        bench.send(device, report("{", qos, false));
        bench.pull(zone);
        bench.send(zone, Packet::Puback(1, Some(Reason::PayloadFormat)));
        assert_eq!(bench.pull(device), [told]);
        assert_eq!(bench.core.reading().counts.refused, 1);
    }
}

/// A client that has lost its memory never releases what it had sent, nor what a broker took for unreleased that had
/// lost its power.
#[test]
fn what_nobody_will_release_keeps_no_client_from_publishing() {
    let mut bench = bench(|settings| settings.limits.receive_maximum = 2);
    let note = |pid| Packet::Publish(publish("notes", "x", Qos::ExactlyOnce, pid));
    let (mut device, _) = bench.open(kept("meter", 3600));
    for life in 0..3 {
        for pid in [1, 2] {
            bench.send(device, note(life * 2 + pid));
        }
        assert_eq!(bench.pull(device).len(), 2, "in life {life}");
        device = come_back(&mut bench, device);
    }
    // What it does not publish anew stays known as long as there is room.
    let again =
        Packet::Publish(Publish { dup: true, ..publish("notes", "x", Qos::ExactlyOnce, 6) });
    bench.send(device, again);
    bench.send(device, note(7));
    assert_eq!(bench.pull(device), ["Pubrec(6, Normal)", "Pubrec(7, Normal)"]);
    let over = bench.core.receive(bench.now, device, note(8));
    assert_eq!(over.unwrap_err(), Reason::ReceiveMaximum);
}

#[test]
fn a_flood_at_qos_0_is_dropped_and_costs_qos_1_nothing() {
    let mut bench = bench(|settings| settings.limits.zone_qos0 = 4);
    let (zone, device) = hall(&mut bench);
    for _ in 0..1000 {
        let noise = publish("home/hall/noise/report", "x", Qos::AtMostOnce, 0);
        bench.send(device, Packet::Publish(noise));
    }
    bench.send(device, report("3", Qos::AtLeastOnce, false));
    let delivered = bench.pull(zone);
    assert_eq!(delivered.len(), 5, "four of the flood, and the report");
    assert_eq!(delivered[4], format!("{REPORT} 3 q1 #1"));
    assert_eq!(bench.core.reading().counts.dropped, 996);
}
