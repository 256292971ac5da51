//! Frames and records survive their bytes, and bytes that nobody meant are an error or a frame, never a panic.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

use std::sync::Arc;

use bytes::Bytes;
use hearth_random::Random;
use mesh::protocol::*;
use mesh::{
    Brief, Bucket, Buried, Counter, DiskId, Fence, Home, Incarnation, Key, Kind, Lane, Life,
    Message, NodeId, Nodes, Publisher, Qos, Record, SiteTime, Testament, Value, Version,
};

/// Inputs that are made of each frame.
const CHANGES: usize = 4_000;

fn life() -> Life {
    Life { node: NodeId::new(3).unwrap(), incarnation: Incarnation(u64::MAX) }
}

fn version() -> Version {
    Version { epoch: 7, time: SiteTime(1 << 40), node: 3 }
}

fn message() -> Arc<Message> {
    let publisher = Some(Publisher { client: "é".into(), since: version() });
    let fence = Some(Fence { zone: "hall".into(), epoch: 9 });
    let plain = Message::new("home/hall/door/state", Bytes::from_static(b"ON"), Qos::ExactlyOnce);
    let properties = Bytes::from_static(&[1, 1]);
    let (version, user) = (Some(version()), Some("ann".into()));
    Arc::new(Message { retain: true, properties, publisher, user, fence, version, ..plain })
}

fn records() -> Vec<(Record, Option<u64>)> {
    let node = life().node;
    let home = Home { home: node, second: None, since: version(), expiry: u32::MAX };
    let message = (*message()).clone();
    let at = life();
    let will = Testament { message, delay: 5, at, since: version(), published: true };
    let values = [
        Value::Retained(self::message()),
        Value::Client(life()),
        Value::Session(home),
        Value::Will(Box::new(will)),
        Value::Claim(life()),
        Value::WrittenOff(DiskId(1)),
        Value::Disk(DiskId(0)),
    ];
    let record = |value: Value| {
        let key = Key::new(value.kind(), "name");
        (Record { key, version: version(), value: Some(value) }, Some(300))
    };
    let tombstone = Record { key: Key::new(Kind::Retained, ""), version: version(), value: None };
    values.into_iter().map(record).chain([(tombstone, None)]).collect()
}

/// One frame of every kind.
fn frames() -> Vec<Frame> {
    let nodes: Nodes = [life().node].into_iter().collect();
    let (life, counter) = (life(), Counter(300));
    let key = Key::new(Kind::Client, "x");
    let buried = vec![Buried { key: key.clone(), version: version() }];
    let briefs = vec![Brief { key, version: version(), sum: u64::MAX }];
    let wanted = vec![Wanted { path: "a/+".into(), kept: true }];
    let members = Members { path: "$share/g/a".into(), ready: 2, asleep: 1 };
    let (zone, message) = (Box::<str>::from("hall"), message());
    vec![
        Hello {
            oldest: 1,
            newest: 2,
            lane: Lane::Zones,
            life,
            disk: DiskId(5),
            got: Some((life.incarnation, counter)),
            serving: 9,
            reach: nodes,
        }
        .into(),
        Welcome { written_off: true }.into(),
        Interest { wanted: wanted.clone(), groups: vec![members.clone()], last: true }.into(),
        Hashes { hashes: vec![0, u64::MAX] }.into(),
        Buckets { buckets: vec![Bucket { number: 1_023, briefs }], last: false }.into(),
        Records { records: records() }.into(),
        Matched {}.into(),
        Publish {
            counter,
            deliver: true,
            groups: vec!["$share/g/a".into()],
            left: Some(1),
            message: message.clone(),
        }
        .into(),
        Mark { counter }.into(),
        Got { got: counter, kept: Counter(299) }.into(),
        Gap { upto: counter, topics: Some(vec!["a".into()]) }.into(),
        Subscribe { request: 1, wanted }.into(),
        Subacked { request: 1, at: counter }.into(),
        Unsubscribe { paths: vec!["a".into()] }.into(),
        members.into(),
        Reach { nodes }.into(),
        Gone { records: buried.clone() }.into(),
        Bury { tombstones: buried.clone() }.into(),
        Stored { tombstones: buried.clone() }.into(),
        Forget { tombstones: buried }.into(),
        Anew { disk: DiskId(6) }.into(),
        Report {
            zone: zone.clone(),
            epoch: 2,
            round: 1,
            counter: 4,
            before: 3,
            left: None,
            message,
        }
        .into(),
        Taken { zone: zone.clone(), counter: 4, refusal: Some(0x87) }.into(),
        Refused { zone, round: 1, counter: 4, why: Why::Predecessor }.into(),
    ]
}

fn bytes(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

#[test]
fn every_kind_of_frame_survives_its_bytes() {
    for (at, frame) in frames().into_iter().enumerate() {
        let bytes = bytes(&frame);
        assert_eq!(usize::from(bytes[1]), at + 1, "every kind is here once, in order");
        assert_eq!(Frame::decode(bytes.into()), Ok(frame));
    }
}

#[test]
fn bytes_that_nobody_meant_are_an_error_or_a_frame_with_one_form() {
    let mut dice = Random::new(1);
    let (mut frames_again, mut errors) = (0, 0);
    for frame in frames() {
        let whole = bytes(&frame);
        for cut in 0..whole.len() {
            assert!(Frame::decode(Bytes::copy_from_slice(&whole[..cut])).is_err(), "{frame:?}");
        }
        for _ in 0..CHANGES {
            let mut changed = whole.clone();
            for _ in 0..dice.between(1, 4) {
                let at = dice.below(changed.len());
                match dice.below(3) {
                    0 => changed[at] = dice.edge() as u8,
                    1 => drop(changed.remove(at)),
                    _ => changed.insert(at, dice.next() as u8),
                }
                if changed.is_empty() {
                    changed.push(0);
                }
            }
            match Frame::decode(changed.clone().into()) {
                Ok(frame) => {
                    frames_again += 1;
                    assert_eq!(bytes(&frame), changed, "{frame:?}");
                }
                Err(_) => errors += 1,
            }
        }
    }
    assert!(frames_again > 1_000 && errors > 1_000, "{frames_again} frames, {errors} errors");
}

#[test]
fn a_frame_of_a_later_version_is_named() {
    let mut bytes = bytes(&Matched {}.into());
    bytes[0] = NEWEST + 1;
    assert_eq!(Frame::decode(bytes.into()), Err(Malformed::Kind(NEWEST + 1)));
}
