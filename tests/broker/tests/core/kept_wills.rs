//! Wills of clients that were there, or gone, when the broker ended.

use super::kept::{keeping, next_life};
use super::*;

fn with_will(connect: Connect, delay: u32) -> Connect {
    let mut publish = publish("will", "", Qos::AtLeastOnce, 0);
    publish.payload = Bytes::from(connect.client_id.clone());
    Connect { will: Some(Will { publish, delay }), ..connect }
}

/// Somebody who hears the wills from now on.
fn watch(bench: &mut Bench) -> ConnId {
    let (watcher, _) = bench.open(connect("watcher"));
    bench.subscribe(watcher, "will");
    bench.pull(watcher);
    watcher
}

/// The wills that have come, sorted.
fn heard(bench: &mut Bench, watcher: ConnId) -> Vec<String> {
    let mut heard = bench.pull(watcher);
    heard.sort();
    heard.iter().map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect()
}

const NOBODY: [&str; 0] = [];

#[test]
fn who_does_not_come_back_has_died() {
    let mut first = keeping();
    for id in ["guest", "gone", "back", "back-clean"] {
        first.open(with_will(connect(id), 0));
    }
    for id in ["sleeper", "sleeper-back"] {
        first.open(with_will(kept(id, 3600), 0));
    }
    first.open(with_will(kept("patient", 3600), 40));
    let (polite, _) = first.open(with_will(connect("polite"), 0));
    first.core.closed(first.now, polite, Ended::Goodbye);
    let mut second = next_life(&first, 100);
    let watcher = watch(&mut second);
    second.later(14);
    assert_eq!(heard(&mut second, watcher), NOBODY, "they may be on their way");
    assert!(!second.open(Connect { clean: false, ..connect("back") }).1, "there is no session");
    second.open(connect("back-clean"));
    assert!(second.open(kept("sleeper-back", 3600)).1);
    second.later(1);
    assert_eq!(heard(&mut second, watcher), ["gone", "guest", "sleeper"]);
    second.later(24);
    assert_eq!(heard(&mut second, watcher), NOBODY);
    second.later(1);
    assert_eq!(heard(&mut second, watcher), ["patient"]);
    assert!(second.open(kept("sleeper", 3600)).1, "the session goes on");
    second.later(3600);
    assert_eq!(heard(&mut second, watcher), NOBODY, "each is published once");
}

#[test]
fn a_will_that_waited_already_waits_for_the_rest_of_its_time() {
    let mut first = keeping();
    for (id, delay) in [("soon", 60), ("late", 200), ("ends", 200)] {
        let expiry = if id == "ends" { 130 } else { 3600 };
        let (conn, _) = first.open(with_will(kept(id, expiry), delay));
        first.core.closed(first.now, conn, Ended::Lost);
    }
    let mut second = next_life(&first, 100);
    let watcher = watch(&mut second);
    for (seconds, wills) in
        [(14, &[][..]), (1, &["soon"]), (15, &["ends"]), (69, &[]), (1, &["late"])]
    {
        second.later(seconds);
        assert_eq!(heard(&mut second, watcher), wills);
    }
}

#[test]
fn who_was_gone_already_and_begins_anew_has_died_first() {
    let mut first = keeping();
    for id in ["anew", "again"] {
        let (conn, _) = first.open(with_will(kept(id, 3600), 3600));
        first.core.closed(first.now, conn, Ended::Lost);
    }
    let mut second = next_life(&first, 0);
    let watcher = watch(&mut second);
    second.open(Connect { clean: true, ..kept("anew", 3600) });
    second.open(kept("again", 3600));
    assert_eq!(heard(&mut second, watcher), ["anew"]);
}

#[test]
fn a_stop_leaves_the_wills_of_those_who_were_there_to_the_next_life() {
    let mut first = keeping();
    let mut told = Kept::default();
    let conns = ["polite", "there"].map(|id| first.open(with_will(connect(id), 0)).0);
    let watcher = watch(&mut first);
    let before = Kept::anew(&first.core);
    first.core.stop();
    first.core.closed(first.now, conns[0], Ended::Goodbye);
    first.core.closed(first.now, conns[1], Ended::Lost);
    assert!(!first.pull(watcher).iter().any(|line| line.starts_with("will")));
    told.told(std::mem::take(&mut first.core.effects().keep));
    let mut only_there = before;
    only_there.told([Keep::WillOver("polite".into())]);
    assert_eq!(told, only_there);
}

#[test]
fn a_heartbeat_is_no_will_to_keep_and_a_zone_has_none() {
    let mut first = keeping();
    let beat = Publish {
        topic: "hearth/home/gateway/1/status".into(),
        ..publish("", "dead", Qos::AtLeastOnce, 0)
    };
    let gateway = connect("hearth-home-gateway-1-own");
    first.open(Connect { will: Some(Will { publish: beat, delay: 0 }), ..gateway });
    first.open(with_will(connect("hearth-home-zone-hall"), 0));
    let mut second = next_life(&first, 0);
    assert!(inside(&second.core).clients() == 0);
    let watcher = watch(&mut second);
    second.later(3600);
    assert_eq!(heard(&mut second, watcher), NOBODY);
}
