//! Orders for zones without a session: held for one that is moving, refused on the leader's word that there is none.

use std::sync::Arc;

use broker_core::access::{Grant, Guest, Roles};
use broker_core::mutant::{Mutant, set_active};

use super::*;

const ASKING: &str = "hearth/home/broker/asking";

/// A broker, and the leader's session, which hears what is announced.
fn with_a_leader() -> (Bench, ConnId) {
    let mut bench = bench(|_| {});
    let (leader, _) = bench.open(connect("hearth-home-site"));
    for topic in [ASKING, "hearth/home/broker/waiting"] {
        bench.subscribe(leader, topic);
    }
    bench.pull(leader);
    (bench, leader)
}

fn order(bench: &mut Bench, conn: ConnId, payload: &'static str, pid: u16) {
    bench
        .send(conn, Packet::Publish(publish("home/hall/lamp/set", payload, Qos::AtLeastOnce, pid)));
}

/// The leader's word on what was announced last.
fn refuse(bench: &mut Bench, by: ConnId, verb: &str, announced: &[String]) {
    let last = announced.last().unwrap();
    let knock = last.strip_prefix(ASKING).unwrap().trim().strip_suffix(" q0 #0").unwrap();
    let word = format!("{verb} {knock}").leak();
    bench.send(by, Packet::Publish(publish("hearth/home/broker/refuse", word, Qos::AtMostOnce, 0)));
}

#[test]
fn the_scenario_sees_a_word_on_what_came_later() {
    let (mut bench, leader) = with_a_leader();
    let (device, _) = bench.open(connect("device"));
    order(&mut bench, device, "1", 1);
    let announced = bench.pull(leader);
    order(&mut bench, device, "2", 2);
    set_active(Some(Mutant::WordOnTheNewer));
    refuse(&mut bench, leader, "set", &announced);
    set_active(None);
    assert_eq!(bench.pull(device), ["Puback(1, Topic)", "Puback(2, Topic)"]);
}

#[test]
fn orders_to_a_zone_that_nobody_knows_are_refused_and_the_leader_answers() {
    let (mut bench, leader) = with_a_leader();
    let (new, _) = bench.open(connect("new"));
    let (old, _) = bench.open(Connect { version: Version::V311, ..connect("old") });
    order(&mut bench, new, "1", 1);
    let announced = bench.pull(leader);
    assert_eq!(announced, ["hearth/home/broker/asking 1/7/3 hall q0 #0"]);
    order(&mut bench, old, "2", 1);
    assert!(bench.pull(leader).is_empty(), "it is announced already");
    bench.later(1);
    let announced = bench.pull(leader);
    order(&mut bench, new, "3", 2);
    refuse(&mut bench, leader, "set", &announced);
    assert_eq!(bench.pull(new), ["Puback(1, Topic)"], "what came later waits");
    assert_eq!(bench.pull(old), ["Puback(1, Normal)"]);
    assert_eq!(bench.pull(leader), ["home/hall/lamp/set 1 q1 #1", "home/hall/lamp/set 2 q1 #2"]);
    let complaints = std::mem::take(&mut bench.core.effects().complaints);
    let culprits: Vec<_> = complaints.iter().map(|complaint| &*complaint.culprit).collect();
    assert_eq!(culprits, ["new", "old"]);
    let (zone, _) = bench.open(connect("hearth-home-zone-hall"));
    bench.subscribe(zone, "home/hall/+/set");
    assert_eq!(bench.pull(zone)[1..], ["home/hall/lamp/set 3 q1 #1"], "the zone was only moving");
}

#[test]
fn a_report_makes_the_zone_and_is_not_refused_with_orders() {
    let (mut bench, leader) = with_a_leader();
    let (device, _) = bench.open(connect("device"));
    order(&mut bench, device, "1", 1);
    let announced = bench.pull(leader);
    let report = publish("home/hall/lamp/report", "ON", Qos::AtLeastOnce, 2);
    bench.send(device, Packet::Publish(report));
    assert_eq!(bench.pull(leader), ["hearth/home/broker/waiting hall q0 #0"], "at once");
    refuse(&mut bench, leader, "set", &announced);
    assert_eq!(bench.pull(device), ["Puback(1, Topic)"]);
    let (zone, _) = bench.open(connect("hearth-home-zone-hall"));
    bench.subscribe(zone, "home/hall/#");
    assert_eq!(bench.pull(zone)[1..], ["home/hall/lamp/report ON q1 #1"]);
}

#[test]
fn only_the_leader_of_this_life_of_the_broker_is_believed() {
    let (mut bench, leader) = with_a_leader();
    let (device, _) = bench.open(connect("device"));
    order(&mut bench, device, "1", 1);
    let announced = bench.pull(leader);
    refuse(&mut bench, device, "set", &announced);
    let words =
        ["set 1/6/99 hall", "set 2/7/99 hall", "report 1/7/99 hall", "hall", "set 1/7/99 attic"];
    for word in words {
        let word = publish("hearth/home/broker/refuse", word, Qos::AtMostOnce, 0);
        bench.send(leader, Packet::Publish(word));
    }
    let own = publish("hearth/home/broker/refuse", "set 1/7/99 hall", Qos::AtLeastOnce, 2);
    bench.send(device, Packet::Publish(own));
    assert_eq!(bench.pull(device), ["Puback(2, NotAuthorized)"], "the order still waits");
    assert!(bench.pull(leader).is_empty());
}

#[test]
fn more_orders_than_the_leader_has_room_for_are_refused_later() {
    let (mut bench, leader) = with_a_leader();
    let (device, _) = bench.open(connect("device"));
    for pid in 1..=300 {
        order(&mut bench, device, "1", pid);
    }
    let mut refused = 0;
    for round in 0..2 {
        bench.later(1);
        let announced = bench.pull(leader);
        refuse(&mut bench, leader, "set", &announced);
        let copies = bench.pull(leader).len();
        refused += copies;
        assert_eq!(copies, [256, 44][round]);
        for pid in 1..=u16::try_from(copies).unwrap() {
            bench.send(leader, Packet::Puback(pid, None));
        }
    }
    assert_eq!((refused, bench.pull(device).len()), (300, 300));
}

#[test]
fn one_user_cannot_take_every_place_for_zones_that_wait() {
    let mut bench = bench(|settings| settings.limits.zones = 20);
    let roles = Roles::built_in().unwrap();
    let mut open = |name: &str, id: u64| {
        let grant = Grant::new((&roles, &Arc::default()), "home", name, "person", [0; 32]).unwrap();
        let conn = ConnId(id);
        bench.core.connect(START, conn, connect(name), Guest::User(Arc::new(grant))).unwrap();
        conn
    };
    let (eve, ada) = (open("eve", 90), open("ada", 91));
    for pid in 1..=7 {
        let topic = format!("home/zone-{pid}/lamp/set");
        bench.send(eve, Packet::Publish(publish(&topic, "1", Qos::AtLeastOnce, pid)));
    }
    assert_eq!(bench.pull(eve), ["Puback(6, Quota)", "Puback(7, Quota)"], "a quarter of twenty");
    order(&mut bench, ada, "1", 1);
    assert!(bench.pull(ada).is_empty(), "it waits");
}

#[test]
fn an_order_is_not_kept_for_later_subscribers() {
    let (mut bench, _) = with_a_leader();
    let (device, _) = bench.open(connect("device"));
    let order = publish("home/hall/lamp/set", "1", Qos::AtMostOnce, 0);
    bench.send(device, Packet::Publish(Publish { retain: true, ..order }));
    assert_eq!(bench.core.reading().retained, 0);
}

#[test]
fn a_report_names_whose_zone_it_makes_and_only_that_users_reports_are_refused() {
    let mut bench = bench(|settings| settings.limits.zones = 20);
    let (leader, _) = bench.open(connect("hearth-home-site"));
    bench.subscribe(leader, "hearth/home/broker/waiting");
    bench.pull(leader);
    let roles = Roles::built_in().unwrap();
    let mut open = |name: &str, id: u64| {
        let grant = Grant::new((&roles, &Arc::default()), "home", name, "admin", [0; 32]).unwrap();
        let conn = ConnId(id);
        bench.core.connect(START, conn, connect(name), Guest::User(Arc::new(grant))).unwrap();
        conn
    };
    let (eve, ada) = (open("eve", 90), open("ada", 91));
    let report = |pid| publish("home/hall/lamp/report", "ON", Qos::AtLeastOnce, pid);
    for (conn, pid) in [(eve, 1), (ada, 1), (eve, 2)] {
        bench.send(conn, Packet::Publish(report(pid)));
    }
    bench.pull(leader);
    bench.later(1);
    assert!(bench.pull(eve).is_empty() && bench.pull(ada).is_empty(), "all wait");
    let mut announced = Vec::new();
    bench.core.pull(bench.now, leader, usize::MAX, &mut announced);
    let [Action::Publish(announced)] = &announced[..] else { panic!("{announced:?}") };
    let said = String::from_utf8_lossy(&announced.message.properties).into_owned();
    assert!(said.contains("hearth-maker") && said.contains("5 15 19 admin eve"), "{said}");
    let up_to = said.rsplit("hearth-up-to").next().unwrap();
    let up_to = up_to.trim_matches(|c: char| !c.is_ascii_graphic());
    let word = format!("report {up_to} hall").leak();
    let word = publish("hearth/home/broker/refuse", word, Qos::AtMostOnce, 0);
    bench.send(leader, Packet::Publish(word));
    assert_eq!(bench.pull(eve), ["Puback(1, Quota)", "Puback(2, Quota)"]);
    assert!(bench.pull(ada).is_empty(), "hers makes the zone");
    assert_eq!(bench.pull(leader).len(), 2, "copies, to be answered");
}
