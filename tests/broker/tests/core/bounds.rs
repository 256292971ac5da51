//! What all sessions together may hold.

use super::*;

fn text(length: usize) -> &'static str {
    Box::leak("x".repeat(length).into_boxed_str())
}

fn codes(answers: &[String]) -> String {
    answers.iter().find(|answer| answer.starts_with("Suback")).cloned().unwrap_or_default()
}

#[test]
fn sessions_have_a_bound_together_and_leave_room_when_they_end() {
    let mut bench = bench(|settings| settings.limits.session_bytes = 8_000);
    let (first, _) = bench.open(kept("first", 60));
    bench.subscribe(first, &"a".repeat(1_000));
    assert!(codes(&bench.pull(first)).contains("[1]"));
    bench.subscribe(first, &"b".repeat(2_500));
    assert!(codes(&bench.pull(first)).contains("[151]"), "no room for so long a filter");
    let mut heavy = connect("heavy");
    heavy.will = Some(Will { publish: publish("w", text(4_000), Qos::AtMostOnce, 0), delay: 0 });
    let refused = bench.core.connect(bench.now, ConnId(90), heavy.clone(), Guest::Anyone);
    assert_eq!(refused.unwrap_err(), Reason::Quota, "no room for so large a will");
    bench.send(first, Packet::Unsubscribe { pid: 2, filters: vec!["a".repeat(1_000)] });
    let (second, _) = bench.open(heavy);
    bench.core.closed(bench.now, second, Ended::Lost);
    bench.subscribe(first, &"b".repeat(2_500));
    assert!(codes(&bench.pull(first)).contains("[1]"), "the will is gone, and so is its session");
    assert!(inside(&bench.core).sessions_are_weighed_right());
}

#[test]
fn who_was_let_in_may_come_back_when_there_is_no_room_for_others() {
    let mut bench = bench(|settings| settings.limits.session_bytes = 1_100);
    let (conn, _) = bench.open(kept("c", 60));
    let other = bench.core.connect(bench.now, ConnId(90), connect("other"), Guest::Anyone);
    assert_eq!(other.unwrap_err(), Reason::Quota);
    bench.core.closed(bench.now, conn, Ended::Lost);
    assert!(bench.open(kept("c", 60)).1);
}

/// A broker with 10 kB for what waits, and sessions with a subscription each to a topic of its own name.
fn slow_readers(names: &[&str]) -> Bench {
    let mut bench = bench(|settings| settings.limits.waiting_bytes = 10_000);
    for name in names {
        let (conn, _) = bench.open(kept(name, 60));
        bench.subscribe(conn, name);
        bench.core.closed(bench.now, conn, Ended::Lost);
    }
    bench
}

fn doomed(bench: &Bench) -> Vec<&str> {
    let doomed = inside(&bench.core).sessions().filter(|session| session.is_doomed());
    let mut doomed: Vec<&str> = doomed.map(|session| &**session.client()).collect();
    doomed.sort_unstable();
    doomed
}

#[test]
fn slow_readers_share_what_there_is_and_the_greediest_end_first() {
    let mut bench = slow_readers(&["greedy", "modest"]);
    let (writer, _) = bench.open(connect("writer"));
    let tell = |bench: &mut Bench, topic: &str| {
        bench.send(writer, Packet::Publish(publish(topic, text(900), Qos::AtLeastOnce, 1)));
    };
    tell(&mut bench, "modest");
    for _ in 0..4 {
        tell(&mut bench, "greedy");
    }
    assert!(doomed(&bench).is_empty());
    tell(&mut bench, "greedy");
    assert_eq!(doomed(&bench), ["greedy"], "no session has more than is free");
    tell(&mut bench, "modest");
    assert_eq!(doomed(&bench), ["greedy"], "who has little waiting has room");
    bench.later(1);
    let (conn, present) = bench.open(kept("greedy", 60));
    assert!(!present, "its client is told that it has lost something");
    assert_eq!(inside(&bench.core).clients(), 3);
    bench.core.closed(bench.now, conn, Ended::Goodbye);
}

#[test]
fn what_is_shared_between_slow_readers_counts_once() {
    let mut bench = bench(|settings| settings.limits.waiting_bytes = 10_000);
    for name in ["a", "b", "c", "d", "e", "f"] {
        let (conn, _) = bench.open(kept(name, 60));
        bench.subscribe(conn, "news");
        bench.core.closed(bench.now, conn, Ended::Lost);
    }
    let (writer, _) = bench.open(connect("writer"));
    for _ in 0..4 {
        bench.send(writer, Packet::Publish(publish("news", text(900), Qos::AtLeastOnce, 1)));
    }
    assert!(doomed(&bench).is_empty());
}

#[test]
fn a_client_that_reads_and_never_acknowledges_is_a_slow_reader_too() {
    let mut bench = bench(|settings| settings.limits.queue_bytes = 5_000);
    let (conn, _) = bench.open(connect("mute"));
    bench.subscribe(conn, "t");
    let (writer, _) = bench.open(connect("writer"));
    for _ in 0..5 {
        bench.send(writer, Packet::Publish(publish("t", text(900), Qos::AtLeastOnce, 1)));
        bench.pull(conn);
    }
    assert!(doomed(&bench).is_empty());
    bench.send(writer, Packet::Publish(publish("t", text(900), Qos::AtLeastOnce, 1)));
    assert_eq!(doomed(&bench), ["mute"]);
}

#[test]
fn a_retained_publish_without_room_is_refused() {
    let mut bench = bench(|settings| settings.limits.retained_messages = 1);
    let retained = |topic: &str, pid| Publish {
        retain: true,
        ..publish(topic, "payload", Qos::AtLeastOnce, pid)
    };
    let (new, _) = bench.open(connect("new"));
    bench.send(new, Packet::Publish(retained("a", 1)));
    bench.send(new, Packet::Publish(retained("b", 2)));
    bench.send(new, Packet::Publish(retained("a", 3)));
    let answers = ["Puback(1, Normal)", "Puback(2, Quota)", "Puback(3, Normal)"];
    assert_eq!(bench.pull(new), answers, "the second is one topic too many");
    let (old, _) = bench.open(Connect { version: Version::V311, ..connect("old") });
    let refused = bench.core.receive(bench.now, old, Packet::Publish(retained("b", 1)));
    assert_eq!(refused.unwrap_err(), Reason::Quota, "an acknowledgement would be a lie");
}
