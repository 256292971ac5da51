//! Scenarios of the broker's core, a few lines each.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

mod acknowledged;
mod asking;
mod bounds;
mod handshakes;
mod held;
mod kept;
mod kept_wills;
mod lasting;
mod owners;
mod shared;

use broker_core::access::Guest;
use broker_core::protocol::{
    Action, Connect, Filter, Packet, Properties, Publish, Qos, Reason, RetainHandling, Version,
    Will,
};
use broker_core::router::{Routed, RouterOp};
use broker_core::testing::inside;
use broker_core::{ConnId, Core, Ended, Incarnation, Keep, Moment, Received, Settings};
use broker_sim::Kept;
use bytes::Bytes;
use std::time::Duration;

const START: Moment = Moment(Duration::ZERO);

struct Bench {
    core: Core,
    now: Moment,
    last: u64,
}

fn bench(change: impl FnOnce(&mut Settings)) -> Bench {
    let mut settings = Settings { incarnation: Incarnation(7), ..Settings::default() };
    change(&mut settings);
    Bench { core: Core::new(settings), now: START, last: 0 }
}

fn connect(id: &str) -> Connect {
    Connect {
        version: Version::V5,
        client_id: id.to_owned(),
        login: Default::default(),
        clean: true,
        session_expiry: 0,
        keep_alive: 0,
        receive_maximum: u16::MAX,
        maximum_packet: u32::MAX,
        alias_maximum: 0,
        epoch: 0,
        will: None,
    }
}

fn kept(id: &str, seconds: u32) -> Connect {
    Connect { clean: false, session_expiry: seconds, ..connect(id) }
}

fn publish(topic: &str, payload: &'static str, qos: Qos, pid: u16) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        pid,
        topic: topic.into(),
        payload: Bytes::from_static(payload.as_bytes()),
        properties: Properties::default(),
    }
}

fn filter(path: &str, qos: Qos) -> Filter {
    Filter {
        path: path.to_owned(),
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Always,
    }
}

impl Bench {
    fn open(&mut self, connect: Connect) -> (ConnId, bool) {
        self.last += 1;
        let conn = ConnId(self.last);
        let present =
            self.core.connect(self.now, conn, connect, Guest::Anyone).unwrap().session_present;
        (conn, present)
    }

    fn send(&mut self, conn: ConnId, packet: Packet) -> Received {
        self.core.receive(self.now, conn, packet).unwrap()
    }

    fn subscribe(&mut self, conn: ConnId, path: &str) {
        self.subscribe_as(conn, filter(path, Qos::AtLeastOnce));
    }

    fn subscribe_as(&mut self, conn: ConnId, filter: Filter) {
        self.send(conn, Packet::Subscribe { pid: 1, id: None, filters: vec![filter] });
    }

    /// Everything for one connection, after a router that answers at once.
    fn pull(&mut self, conn: ConnId) -> Vec<String> {
        let ops = std::mem::take(&mut self.core.effects().router);
        for op in ops {
            let routed = match op {
                RouterOp::Publish(message) => {
                    let filters = inside(&self.core).routed_filters();
                    let matching = filters
                        .filter(|(f, _)| broker_core::protocol::topic::matches(f, &message.topic));
                    matching.map(|(_, id)| Routed::Match(id, message.order)).collect()
                }
                RouterOp::Fence(number) => vec![Routed::Fence(number)],
                RouterOp::Subscribe(..) => vec![],
            };
            self.core.routed(&routed);
        }
        let mut out = Vec::new();
        self.core.pull(self.now, conn, usize::MAX, &mut out);
        out.iter().map(describe).collect()
    }

    fn later(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.core.tick(self.now);
    }
}

fn describe(action: &Action) -> String {
    match action {
        Action::Publish(out) => {
            let dup = if out.dup { " dup" } else { "" };
            let payload = String::from_utf8_lossy(&out.message.payload).into_owned();
            format!("{} {payload} q{} #{}{dup}", out.message.topic, out.qos as u8, out.pid)
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn a_session_ends_when_its_time_is_over_and_not_before() {
    let mut bench = bench(|_| {});
    for (wait, present) in [(9, true), (10, false)] {
        let (conn, _) = bench.open(kept("c", 10));
        bench.core.closed(bench.now, conn, Ended::Lost);
        bench.later(wait);
        let (conn, was) = bench.open(kept("c", 10));
        assert_eq!(was, present, "after {wait} s");
        bench.core.closed(bench.now, conn, Ended::Goodbye);
    }
}

#[test]
fn a_delayed_will_is_due_at_its_time_and_a_return_silences_it() {
    let mut bench = bench(|_| {});
    let (watcher, _) = bench.open(connect("watcher"));
    bench.subscribe(watcher, "will");
    bench.pull(watcher);
    let will = Will { publish: publish("will", "dead", Qos::AtMostOnce, 0), delay: 5 };
    let client = Connect { will: Some(will), ..kept("c", 60) };
    let (conn, _) = bench.open(client.clone());
    bench.core.closed(bench.now, conn, Ended::Lost);
    bench.later(4);
    let (conn, _) = bench.open(client);
    bench.later(4);
    assert!(bench.pull(watcher).is_empty());
    bench.core.closed(bench.now, conn, Ended::Lost);
    bench.later(4);
    assert!(bench.pull(watcher).is_empty());
    bench.later(1);
    assert_eq!(bench.pull(watcher), ["will dead q0 #0"]);
}

#[test]
fn a_zone_whose_session_ends_waits_again_in_order() {
    let mut bench = bench(|_| {});
    let gateway = kept("hearth-home-zone-kitchen", 60);
    let (zone, _) = bench.open(gateway.clone());
    bench.subscribe(zone, "home/kitchen/+/report");
    let (device, _) = bench.open(connect("device"));
    for (payload, pid) in [("1", 1), ("2", 2)] {
        bench.send(
            device,
            Packet::Publish(publish("home/kitchen/d/report", payload, Qos::AtLeastOnce, pid)),
        );
    }
    assert_eq!(bench.pull(zone).len(), 3, "SUBACK and two reports");
    assert!(bench.pull(device).is_empty(), "nothing is acknowledged yet");
    bench.core.closed(bench.now, zone, Ended::Lost);
    bench.later(60);
    bench.send(device, Packet::Publish(publish("home/kitchen/d/report", "3", Qos::AtLeastOnce, 3)));
    let (zone, present) = bench.open(gateway);
    assert!(!present);
    bench.subscribe(zone, "home/kitchen/+/report");
    let reports: Vec<_> = bench.pull(zone).into_iter().skip(1).collect();
    let expected = [1, 2, 3].map(|n| format!("home/kitchen/d/report {n} q1 #{n}"));
    assert_eq!(reports, expected);
    bench.send(zone, Packet::Puback(2, None));
    assert_eq!(bench.pull(device), ["Puback(2, Normal)"]);
}

#[test]
fn waiting_zones_are_announced_until_they_are_served() {
    let mut bench = bench(|_| {});
    let (leader, _) = bench.open(connect("hearth-home-site"));
    bench.subscribe(leader, "hearth/home/broker/waiting");
    bench.pull(leader);
    let (device, _) = bench.open(connect("device"));
    bench.send(device, Packet::Publish(publish("home/hall/d/report", "x", Qos::AtMostOnce, 0)));
    let announced = ["hearth/home/broker/waiting hall q0 #0"];
    assert_eq!(bench.pull(leader), announced);
    bench.later(1);
    assert_eq!(bench.pull(leader), announced);
    let (zone, _) = bench.open(connect("hearth-home-zone-hall"));
    bench.subscribe(zone, "home/hall/#");
    assert_eq!(bench.pull(zone)[1..], ["home/hall/d/report x q0 #0"]);
    bench.send(device, Packet::Publish(publish("home/hall/d/set", "y", Qos::AtMostOnce, 0)));
    assert_eq!(
        bench.pull(zone),
        ["home/hall/d/set y q0 #0"],
        "one copy, though a wildcard of its own matches"
    );
    bench.later(1);
    assert!(bench.pull(leader).is_empty());
    assert_eq!(bench.core.next_deadline(), None);
}

#[test]
fn qos_0_for_a_waiting_zone_keeps_the_newest() {
    let mut bench = bench(|settings| settings.limits.zone_qos0 = 2);
    bench.open(connect("hearth-home-site"));
    let (device, _) = bench.open(connect("device"));
    for payload in ["1", "2", "3"] {
        bench.send(
            device,
            Packet::Publish(publish("home/hall/d/report", payload, Qos::AtMostOnce, 0)),
        );
    }
    let (zone, _) = bench.open(connect("hearth-home-zone-hall"));
    bench.subscribe(zone, "home/hall/+/report");
    assert_eq!(bench.pull(zone)[1..], ["home/hall/d/report 2 q0 #0", "home/hall/d/report 3 q0 #0"]);
}

#[test]
fn an_old_client_beyond_its_bound_is_not_read_further() {
    let mut bench = bench(|settings| settings.limits.receive_maximum = 2);
    let (zone, _) = bench.open(connect("hearth-home-zone-hall"));
    bench.subscribe(zone, "home/hall/+/report");
    let (device, _) = bench.open(Connect { version: Version::V311, ..connect("device") });
    for pid in 1..=2 {
        bench.send(
            device,
            Packet::Publish(publish("home/hall/d/report", "x", Qos::AtLeastOnce, pid)),
        );
    }
    let third = publish("home/hall/d/report", "y", Qos::AtLeastOnce, 3);
    let Received::Busy(third) = bench.send(device, Packet::Publish(third)) else {
        panic!("room for a third")
    };
    bench.pull(zone);
    bench.core.effects().wake.clear();
    bench.send(zone, Packet::Puback(1, None));
    assert!(bench.core.effects().wake.contains(&device));
    assert!(matches!(bench.send(device, Packet::Publish(third)), Received::Done));
}

#[test]
fn lost_messages_end_the_connections_that_were_promised_them() {
    let mut bench = bench(|_| {});
    let (reader, _) = bench.open(connect("reader"));
    bench.subscribe(reader, "home/a/#");
    bench.pull(reader);
    let (_, filter) = inside(&bench.core).routed_filters().next().unwrap();
    bench.core.routed(&[Routed::Gap(filter)]);
    assert_eq!(bench.pull(reader), ["Close(Quota)"]);
}

#[test]
fn the_window_is_empty_again_after_two_fences() {
    let mut bench = bench(|_| {});
    let (reader, _) = bench.open(connect("reader"));
    bench.subscribe(reader, "home/a/#");
    for _ in 0..1000 {
        bench.send(reader, Packet::Publish(publish("home/a/b", "x", Qos::AtMostOnce, 0)));
    }
    assert!(bench.core.window_in_use());
    assert_eq!(bench.pull(reader).len(), 1001);
    for _ in 0..2 {
        bench.core.flush_window();
        bench.pull(reader);
    }
    assert!(!bench.core.window_in_use());
    assert!(!bench.core.crowded());
}

#[test]
fn a_newer_exact_subscription_does_not_overtake_an_older_wildcard() {
    let mut bench = bench(|_| {});
    let (reader, _) = bench.open(connect("reader"));
    bench.subscribe(reader, "home/a/+");
    let (writer, _) = bench.open(connect("writer"));
    bench.send(writer, Packet::Publish(publish("home/a/b", "1", Qos::AtMostOnce, 0)));
    bench.subscribe(reader, "home/a/b");
    bench.send(writer, Packet::Publish(publish("home/a/b", "2", Qos::AtMostOnce, 0)));
    let seen: Vec<_> =
        bench.pull(reader).into_iter().filter(|line| line.starts_with("home/a/b")).collect();
    assert_eq!(seen, ["home/a/b 1 q0 #0", "home/a/b 2 q0 #0"]);
}
