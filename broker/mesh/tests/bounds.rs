//! Each bound is reached, and what then happens is what was promised.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mesh::protocol::Frame;
use mesh::{
    Counter, Dropped, LOOSE_BYTES, LOOSE_TIME, Log, MESSAGES, Message, Moment, NodeId, Qos, TIME,
    Verdict, WINDOW,
};

const MIB: usize = 1 << 20;

fn node(number: u8) -> NodeId {
    NodeId::new(number).unwrap()
}

fn at(seconds: u64) -> Moment {
    Moment(Duration::from_secs(seconds))
}

fn message(topic: &str, bytes: usize, qos: Qos) -> Arc<Message> {
    Arc::new(Message::new(topic, Bytes::from(vec![0; bytes]), qos))
}

/// What the peer is sent, when it wants everything.
fn sent(log: &mut Log, now: Moment, peer: NodeId) -> Vec<Frame> {
    let mut frames = Vec::new();
    log.next(now, peer, |_, _| Verdict { deliver: true, record: false }, &mut frames);
    frames
}

fn log() -> Log {
    let mut log = Log::default();
    log.add(node(2));
    log
}

/// Numbers of the messages in some frames.
fn numbers(frames: &[Frame]) -> Vec<u64> {
    let number = |frame: &Frame| match frame {
        Frame::Publish(publish) => Some(publish.counter.0),
        _ => None,
    };
    frames.iter().filter_map(number).collect()
}

#[test]
fn more_bytes_than_are_kept_for_an_absent_peer_are_a_gap_that_it_is_told_of() {
    let mut log = log();
    for number in 0..=MESSAGES / MIB {
        log.push(at(0), message(&format!("t/{}", number % 3), MIB, Qos::AtLeastOnce), Vec::new());
    }
    assert!(log.bytes() <= MESSAGES);
    assert_eq!(log.dropped(), Dropped { loose: 0, promised: 2 });
    log.resume(at(1), node(2), Some(Counter(0)), Duration::ZERO);
    let frames = sent(&mut log, at(1), node(2));
    let Frame::Gap(gap) = &frames[0] else { panic!("{:?}", frames[0]) };
    assert_eq!(gap.upto, Counter(2));
    assert_eq!(gap.topics, Some(vec!["t/0".into(), "t/1".into()]));
    assert_eq!(numbers(&frames)[0], 3);
}

#[test]
fn what_is_too_old_for_an_absent_peer_is_a_gap_and_what_is_not_comes() {
    let mut log = log();
    log.push(at(0), message("old", 1, Qos::AtLeastOnce), Vec::new());
    log.push(at(10), message("new", 1, Qos::AtLeastOnce), Vec::new());
    let now = at(5).after(TIME);
    log.bound(now);
    log.resume(now, node(2), Some(Counter(0)), Duration::ZERO);
    let frames = sent(&mut log, now, node(2));
    assert!(matches!(&frames[0], Frame::Gap(gap) if gap.upto == Counter(1)), "{frames:?}");
    assert_eq!(numbers(&frames), [2]);
}

#[test]
fn a_gap_in_which_too_many_topics_were_lost_names_none() {
    let mut log = log();
    for number in 0..2_000 {
        log.push(at(0), message(&format!("t/{number}"), 1, Qos::AtLeastOnce), Vec::new());
    }
    let now = at(1).after(TIME);
    log.bound(now);
    log.resume(now, node(2), Some(Counter(0)), Duration::ZERO);
    let frames = sent(&mut log, now, node(2));
    assert!(matches!(&frames[..], [Frame::Gap(gap)] if gap.topics.is_none()), "{frames:?}");
}

#[test]
fn qos_0_waits_in_less_room_and_for_less_time_and_is_counted() {
    let mut log = log();
    for _ in 0..=LOOSE_BYTES / MIB {
        log.push(at(0), message("t", MIB, Qos::AtMostOnce), Vec::new());
    }
    assert!(log.bytes() <= LOOSE_BYTES);
    assert_eq!(log.dropped().loose, 2);
    log.bound(at(1).after(LOOSE_TIME));
    assert_eq!((log.bytes(), log.dropped()), (0, Dropped { loose: 5, promised: 0 }));
    log.resume(at(7), node(2), Some(Counter(0)), Duration::ZERO);
    let frames = sent(&mut log, at(7), node(2));
    assert!(matches!(&frames[..], [Frame::Mark(_)]), "nobody was promised it, so nobody is told");
}

#[test]
fn no_more_is_under_way_than_the_window_and_publishers_wait_behind_it() {
    let mut log = log();
    log.resume(at(0), node(2), None, Duration::ZERO);
    for _ in 0..WINDOW.0 + 1_000 {
        log.push(at(0), message("t", 1, Qos::AtLeastOnce), Vec::new());
    }
    assert_eq!(numbers(&sent(&mut log, at(0), node(2))).len(), WINDOW.0);
    assert!(!log.crowded());
    log.push(at(0), message("t", 1, Qos::AtLeastOnce), Vec::new());
    assert!(log.crowded());
    log.confirm(node(2), Counter(10), Counter(10));
    assert!(!sent(&mut log, at(0), node(2)).is_empty() && !log.crowded());
}

#[test]
fn what_a_peer_did_not_want_is_kept_until_it_has_confirmed_a_later_mark() {
    let mut log = log();
    log.resume(at(0), node(2), None, Duration::ZERO);
    log.push(at(0), message("t", 1, Qos::AtLeastOnce), Vec::new());
    let nothing = |_: Counter, _: &Message| Verdict::default();
    let mut frames = Vec::new();
    log.next(at(0), node(2), nothing, &mut frames);
    assert!(matches!(&frames[..], [Frame::Mark(mark)] if mark.counter == Counter(1)));
    assert!(log.bytes() > 0);
    log.away(node(2));
    log.resume(at(1), node(2), Some(Counter(0)), Duration::ZERO);
    assert_eq!(numbers(&sent(&mut log, at(1), node(2))), [1], "it wants it now");
    log.confirm(node(2), Counter(1), Counter(1));
    assert_eq!(log.bytes(), 0);
}

#[test]
fn without_peers_nothing_is_kept() {
    let log = Log::default();
    assert!(!log.has_peers());
}
