//! Entries and messages as older programs wrote them: today's code still reads each of them.
//!
//! `f4fe4dd` is the last program that announced no versions. Its files hold one entry or message of each kind, a line
//! of hexadecimal digits for each. Files of later programs come beside them and are never written anew.

#![allow(clippy::unwrap_used, reason = "a helper that fails is the test's result")]

use gateway_core::command::{Entry, Op, TimerName};
use gateway_core::id::Incarnation;
use gateway_core::peer::PeerMessage;
use paxos::ReplicaId;
use wire::{GatewayId, NodeId, UnixMillis, Version};

fn lines(text: &str) -> Vec<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

#[test]
fn entries_of_f4fe4dd_are_read() {
    let entries = lines(include_str!("f4fe4dd/entries.hex"));
    let entries: Vec<Entry> = entries.iter().map(|bytes| Entry::decode(bytes).unwrap()).collect();
    assert_eq!(entries.len(), 13);
    for entry in &entries {
        assert_eq!((entry.time, entry.by), (UnixMillis(1_700_000_000_123), GatewayId(2)));
        assert_eq!(entry.op.since(), Version::FIRST);
    }
    let ops: Vec<Op> = entries.into_iter().map(|entry| entry.op).collect();
    let (gateway, incarnation) = (GatewayId(1), Incarnation(1_700_000_000_000));
    assert_eq!(ops[0], Op::Join { gateway, incarnation, serves: true, caches: true });
    assert_eq!(ops[1], Op::Dead { gateway, incarnation });
    assert_eq!(ops[2], Op::Lead);
    assert!(matches!(ops[3..5], [Op::Move { .. }, Op::Move { .. }]));
    assert!(matches!(ops[5..8], [Op::Settings(_), Op::Place { .. }, Op::Register { .. }]));
    assert!(matches!(ops[8..11], [Op::Report { .. }, Op::Report { .. }, Op::Set { .. }]));
    let timer = TimerName::CloseDoor(NodeId(2));
    assert_eq!(ops[11], Op::Fire { timer, generation: 1 });
}

#[test]
fn messages_of_f4fe4dd_are_read() {
    let messages = lines(include_str!("f4fe4dd/messages.hex"));
    assert_eq!(messages.len(), 32);
    let mut paxos = Vec::new();
    for bytes in &messages {
        let (from, message) = PeerMessage::decode(bytes).unwrap();
        assert_eq!((from, message.since()), (ReplicaId::new(2, 77), Version::FIRST));
        if let PeerMessage::Paxos(message) = message {
            paxos.push(message.name());
        }
    }
    paxos.sort_unstable();
    paxos.dedup();
    assert_eq!(paxos.len(), 19, "one of each kind: {paxos:?}");
}
