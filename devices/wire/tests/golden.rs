//! Every payload as people see it, kept as files: a change of the protocol is a diff of those.
//!
//! `UPDATE=1 cargo test -p wire` writes them anew.

#![allow(clippy::unwrap_used, reason = "a helper that fails is the test's result")]

use std::path::PathBuf;

use serde_json::{Value as Json, json};
use wire::{
    Answer, CacheCounts, Clock, Command, Desired, Device, Digest, Epoch, GatewayId, GetRequest,
    Heartbeat, Kind, Liveness, NodeId, OrderNumber, Register, Report, RequestId, Seq, SetRequest,
    State, StateMessage, Times, UnixMillis, Zone,
};

#[test]
fn what_hearth_says_is_as_in_the_golden_files() {
    let state = StateMessage {
        kind: Kind::Door,
        state: Some(said("closed")),
        desired: Some(Desired { state: said("OPEN"), order: OrderNumber(3) }),
        seq: Seq(12),
        time: UnixMillis(1_492_569_319_340),
        node: NodeId(5),
        clock: Clock(40),
        owner: GatewayId(2),
    };
    let command = Command { order: OrderNumber(3), state: said("ON"), clock: Clock(39) };
    let heartbeat = Heartbeat {
        epoch: Epoch(7),
        applied: 120,
        digest: Some(Digest(0x00c0_ffee_1234_5678)),
        seq: Seq(88),
        clock: Clock(300),
        devices: 3,
        zones: 2,
        leader: Some(GatewayId(3)),
        serves: true,
        cache: CacheCounts { hits: 9, misses: 2, cold_misses: 1 },
        times: Some(Times {
            elapsed: UnixMillis(1_795_379_700_000),
            known: true,
            wall: UnixMillis(1_795_379_700_004),
        }),
        ..Heartbeat::bare(Liveness::Alive, GatewayId(1), 1_795_379_672_622)
    };
    let will = Heartbeat::bare(Liveness::Dead, GatewayId(1), 1_795_379_672_622);
    let id = RequestId::new("q1").ok();
    let report = Report {
        state: said("open"),
        presence: Some(true),
        kind: Some(Kind::Door),
        order: Some(OrderNumber(3)),
        id: id.clone(),
        clock: Clock(8),
    };
    let register = Register {
        zone: Zone::new("attic").unwrap(),
        device: Device::new("fan").unwrap(),
        kind: Kind::Device,
    };
    for (name, payload) in [
        ("state", state.to_json()),
        ("command", command.to_json(Kind::Bulb)),
        ("command-report", json(Command::REPORT)),
        ("heartbeat", json(&heartbeat.to_payload())),
        ("will", json(&will.to_payload())),
        ("report", json(report.to_payload().as_bytes())),
        ("register", register.to_json()),
        ("answer-ok", Answer::ok(json!({"order": 3})).with_id(id.as_ref()).to_json()),
        ("answer-error", Answer::error("no device attic/fan is registered").to_json()),
    ] {
        same(name, &payload);
    }
}

#[test]
fn what_the_golden_files_say_is_understood() {
    assert!(Report::parse(&bytes("report")).is_ok_and(|report| report.presence == Some(true)));
    assert!(Command::parse(&bytes("command")).is_ok_and(|command| command.order.0 == 3));
    assert!(Heartbeat::parse(&bytes("heartbeat")).is_ok_and(|beat| beat.applied == 120));
    assert!(Heartbeat::parse(&bytes("will")).is_ok_and(|will| will.status == Liveness::Dead));
    assert!(
        Register::parse(&bytes("register")).is_ok_and(|register| register.kind == Kind::Device)
    );
    assert!(SetRequest::parse(&bytes("set")).is_ok_and(|set| set.wait_for_state));
    assert!(GetRequest::parse(&bytes("get")).is_ok_and(|get| get.refresh));
    assert!(Answer::parse(&bytes("answer-error")).is_ok_and(|answer| answer.failure().is_some()));
}

fn said(text: &str) -> State {
    State::new(text).unwrap()
}

fn json(payload: &[u8]) -> Json {
    serde_json::from_slice(payload).unwrap()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{name}.json"))
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{}: {error}", path(name).display()))
}

fn same(name: &str, payload: &Json) {
    let written = format!("{payload:#}\n");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path(name), &written).unwrap();
    }
    assert_eq!(String::from_utf8(bytes(name)).unwrap(), written, "golden/{name}.json");
}
