//! Where the corpus comes from: real encodings of every kind of thing. `cargo test -p hearth-fuzz -- --ignored` writes
//! them anew when a format has changed; what was ever found stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use gateway_core::command::{Agreed, Entry, Leadership, Move, Offset, Op, Origin, Said, TimerName};
use gateway_core::id::Incarnation;
use gateway_core::peer::PeerMessage;
use gateway_core::snapshots::{Chunk, SnapshotAnswer, SnapshotId};
use paxos::{Ballot, Message as M, Opinion, ReplicaId, Request, SessionId, Slot, Value, Voters};
use wire::{
    Account, Allowance, Clock, Device, Epoch, GatewayId, Kind, Maker, NodeId, OrderNumber,
    RequestId, Stamp, State, UnixMillis, Version, Zone,
};

#[test]
#[ignore = "writes files"]
fn the_corpus_is_written_anew() {
    for (at, message) in messages().into_iter().enumerate() {
        let bytes = message.encode(ReplicaId::new(2, 77));
        hearth_fuzz::keep("peer-message", &format!("{at:02}"), &bytes);
    }
    for (at, entry) in entries().into_iter().enumerate() {
        hearth_fuzz::keep("entry", &format!("{at:02}"), &entry.encode());
    }
    for (target, texts) in texts() {
        for (at, text) in texts.iter().enumerate() {
            hearth_fuzz::keep(target, &format!("{at:02}"), text.as_bytes());
        }
    }
}

fn entry(op: Op) -> Entry {
    Entry { time: UnixMillis(1_700_000_000_123), clock: Clock(7), by: GatewayId(2), op }
}

/// An entry of each kind.
pub(crate) fn entries() -> Vec<Entry> {
    let zone = || Zone::new("hallway").unwrap();
    let device = || Device::new("doorSensor").unwrap();
    let origin = || Origin {
        epoch: Epoch(4),
        number: 9,
        id: RequestId::new("x").ok(),
        stamp: Some(Stamp { broker: 1, incarnation: 2, counter: 3 }),
    };
    let said = |state| Said {
        state,
        presence: Some(true),
        kind: Some(Kind::Door),
        order: Some(OrderNumber(3)),
        retained: false,
    };
    let (gateway, incarnation) = (GatewayId(1), Incarnation(1_700_000_000_000));
    let ops = [
        Op::Join { gateway, incarnation, serves: true, caches: true },
        Op::Dead { gateway, incarnation },
        Op::Lead,
        Op::Raise {
            version: Version(4),
            voters: Voters::new([1, 2].map(|number| ReplicaId::new(number, 77))).unwrap(),
        },
        Op::Move { leadership: Leadership(3), why: Move::Dead { gateway, incarnation } },
        Op::Move { leadership: Leadership(3), why: Move::Return { zone: zone(), epoch: Epoch(4) } },
        Op::Settings(Agreed { threshold: 3, door_closes_after: Some(30_000) }),
        Op::Place { zone: zone() },
        Op::Register { zone: zone(), device: device(), kind: Kind::Door, tag: 5 },
        Op::Report {
            zone: zone(),
            device: device(),
            report: said(spoken("21.5")),
            origin: origin(),
        },
        Op::Report {
            zone: zone(),
            device: device(),
            report: said(spoken("half open")),
            origin: origin(),
        },
        Op::Set {
            zone: zone(),
            device: device(),
            state: spoken("1"),
            expires: Some(9000),
            origin: origin(),
        },
        Op::Fire { timer: TimerName::CloseDoor(NodeId(2)), generation: 1 },
        Op::Fire { timer: TimerName::DropOrder(NodeId(3)), generation: 2 },
        Op::Clock { offset: Offset(-86_400_000) },
        Op::Make { zone: zone(), maker: maker() },
        Op::Enrol { zone: zone(), device: device(), kind: Kind::Door, tag: 5, maker: maker() },
        Op::Remove { zone: zone(), epoch: Epoch(4), next: 7 },
    ];
    ops.map(entry).into()
}

fn maker() -> Maker {
    let account = Account { role: "device".to_owned(), user: "hallway/doorSensor".to_owned() };
    Maker { may: Allowance { user: 250, role: 750, all: 950 }, account: Some(account) }
}

/// A value of each kind.
pub(crate) fn values() -> Vec<Value> {
    let requests = entries().into_iter().zip(1..).map(|(entry, number)| Request {
        session: SessionId(1 << 63 | 4),
        number,
        payload: Arc::from(entry.encode()),
    });
    let voters = Voters::new([1, 2, 3].map(|number| ReplicaId::new(number, 77))).unwrap();
    vec![Value::NoOp, Value::Batch(requests.collect()), Value::Voters(Arc::new(voters))]
}

/// A message of each kind.
pub(crate) fn messages() -> Vec<PeerMessage> {
    let ballot = Ballot { round: 300, replica: ReplicaId::new(2, 77) };
    let (slot, chosen) = (Slot(4), Slot(3));
    let requests: Vec<Request> = values()[1].requests().to_vec();
    let entries: Vec<_> = (4..)
        .zip(values())
        .map(|(slot, value)| paxos::Entry { slot: Slot(slot), ballot, value })
        .collect();
    let founders = values()[2].voters().unwrap().clone();
    let mut all: Vec<PeerMessage> = [
        M::Seek,
        M::Blank { to: ReplicaId::new(1, 77) },
        M::Founded { founders, chosen },
        M::PreVote { attempt: 3, chosen, replacing: Some(ballot) },
        M::PreVoteAnswer { attempt: 3, opinion: Opinion::Granted, promised: ballot, chosen },
        M::Prepare { ballot, from: slot },
        M::Promise { ballot, from: slot, to: Slot(u64::MAX), chosen, entries: entries.clone() },
        M::Accepted { ballot, from: slot, to: Slot(5), chosen },
        M::Nack { ballot, promised: ballot, chosen },
        M::TooFarBehind { ballot, chosen },
        M::Heartbeat { ballot, beat: 9, chosen },
        M::HeartbeatAck { ballot, beat: 9, chosen },
        M::Commit { ballot, chosen },
        M::Refuse { requests: requests.iter().map(Request::id).collect() },
        M::Propose { requests },
        M::CatchUp { from: slot },
        M::Suffix { chosen: Slot(6), entries },
        M::Handover { ballot },
    ]
    .map(PeerMessage::Paxos)
    .into();
    for value in values() {
        all.push(PeerMessage::Paxos(M::Accept { ballot, chosen, slot, value }));
    }
    all.extend(others());
    all
}

fn others() -> Vec<PeerMessage> {
    let (zone, epoch) = (Zone::new("hallway").unwrap(), Epoch(300));
    let id = SnapshotId { slot: Slot(70_000), bytes: 100_000, hash: [7; 32] };
    let chunk = Chunk { id, offset: 65_536, bytes: b"some bytes".to_vec(), check: 1 << 60 };
    vec![
        PeerMessage::Ping(7),
        PeerMessage::Pong(7),
        PeerMessage::LeaseRequest { sent: 1_000_000, life: Incarnation(1_700_000_000_000) },
        PeerMessage::LeaseGrant {
            sent: 1_000_000,
            life: Incarnation(1_700_000_000_000),
            epoch: Epoch(3),
        },
        PeerMessage::EpochQuery { zone: zone.clone(), epoch, question: 7 },
        PeerMessage::EpochAnswer { zone, epoch, question: 7, holds: true },
        PeerMessage::SnapshotRequest { above: Slot(3), part: Some((id, 65_536)) },
        PeerMessage::SnapshotAnswer(SnapshotAnswer::Chunk(chunk)),
        PeerMessage::SnapshotAnswer(SnapshotAnswer::NotReady),
        PeerMessage::SnapshotAnswer(SnapshotAnswer::Gone),
        PeerMessage::SnapshotAnswer(SnapshotAnswer::Nothing),
    ]
}

fn texts() -> BTreeMap<&'static str, Vec<&'static str>> {
    let heartbeat = include_str!("../../../../devices/wire/golden/heartbeat.json");
    let report = include_str!("../../../../devices/wire/golden/report.json");
    let set = include_str!("../../../../devices/wire/golden/set.json");
    let get = include_str!("../../../../devices/wire/golden/get.json");
    let register = include_str!("../../../../devices/wire/golden/register.json");
    let command = include_str!("../../../../devices/wire/golden/command.json");
    let ok = include_str!("../../../../devices/wire/golden/answer-ok.json");
    let error = include_str!("../../../../devices/wire/golden/answer-error.json");
    let default = include_str!("../../../../config/default.toml");
    let six = include_str!("../../../../config/six-gateways.toml");
    BTreeMap::from([
        ("report", vec![report, "ON", "21.5", "\"half open\"", "{\"state\":1,\"id\":7}"]),
        ("set", vec![set, "off", "-3e7", "{\"state\":\"ON\",\"expires\":0.5,\"clock\":9}"]),
        ("get", vec![get, "", "hallway/doorSensor", "{\"zone\":\"a\",\"device\":\"b\"}"]),
        ("api", vec![register, "{\"add\":[4],\"remove\":1}", "{\"zone\":\"a\",\"name\":\"b\"}"]),
        ("heartbeat", vec![heartbeat, "{\"status\":\"dead\",\"gateway\":3,\"incarnation\":17}"]),
        ("answer", vec![ok, error]),
        ("command", vec![command, "{\"order\":1,\"state\":1}"]),
        ("stamp", vec!["1/1700000000000/42", "0/0/0", "65535/18446744073709551615/1"]),
        (
            "topic",
            vec![
                "home/hallway/doorSensor/report",
                "hearth/home/api/register",
                "hearth/home/gateway/3/status",
                "hearth/home/paxos/254/request",
                "hearth/home/broker/waiting",
                "hearth/home/broker/asking",
            ],
        ),
        ("settings", vec![default, six]),
        ("settings-variable", vec!["GATEWAY__ID=2", "SITE=home", "SITE__GATEWAYS=[1,2,3]"]),
    ])
}

fn spoken(text: &str) -> State {
    State::new(text).expect("a short text")
}
