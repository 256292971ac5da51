//! What each gateway has heard of the others, and what it may conclude from that: suspicion is not death.

use std::collections::{BTreeMap, BTreeSet};

use gateway_core::command::{Entry, Move, Op};
use gateway_core::peer::PeerMessage;
use gateway_core::{Gateway, Input};
use paxos::{Message, Moment, Voters};
use wire::{GatewayId, Heartbeat, Liveness};

use super::broker::Life;
use super::network::Parcel;
use super::world::World;
use crate::verdict::claim;

/// What the gateways have heard, by their own clocks.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// Since when a gateway's links are up.
    up: BTreeMap<Life, Moment>,
    /// When it last heard another one.
    heard: BTreeMap<(Life, GatewayId), Moment>,
    suspected: BTreeSet<(Life, GatewayId)>,
    /// Probes since it suspects another one.
    probes: BTreeMap<(Life, GatewayId), u32>,
    /// Whom it suspected until every probe was sent.
    probed: BTreeSet<(Life, GatewayId)>,
    /// Who, as far as it knew once, did not vote.
    voteless: BTreeSet<(Life, GatewayId)>,
    /// Proposals that were seen.
    proposed: BTreeSet<(u64, u64)>,
}

/// What an input may prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// That a gateway lives: an answer to a probe, or a live heartbeat.
    Life(GatewayId),
    /// That it does not: its will.
    Will(GatewayId),
    /// Nothing of any gateway, from here on.
    Deaf,
    Nothing,
}

impl Kind {
    pub(crate) fn of(input: &Input) -> Self {
        match input {
            Input::Heartbeat(Heartbeat { status: Liveness::Alive, gateway, .. }) => {
                Self::Life(*gateway)
            }
            Input::Heartbeat(Heartbeat { gateway, .. }) => Self::Will(*gateway),
            Input::Peer { from, message: PeerMessage::Pong(_) } => {
                Self::Life(GatewayId(from.number()))
            }
            Input::Links { up: false } => Self::Deaf,
            _ => Self::Nothing,
        }
    }
}

pub(crate) fn before(world: &mut World, life: Life, input: &Input) {
    let moment = world.nodes[&life.0].clock.shows(world.now);
    let hearing = &mut world.watch.hearing;
    match input {
        Input::Links { up: true } => drop(hearing.up.entry(life).or_insert(moment)),
        Input::Links { up: false } => drop(hearing.up.remove(&life)),
        Input::Peer { from, .. } => {
            hearing.heard.insert((life, GatewayId(from.number())), moment);
        }
        Input::Heartbeat(beat) if beat.status == Liveness::Alive => {
            hearing.heard.insert((life, beat.gateway), moment);
        }
        _ => {}
    }
}

pub(crate) fn after(world: &mut World, life: Life, kind: Kind) {
    let node = &world.nodes[&life.0];
    let Some(core) = &node.core else { return };
    let moment = node.clock.shows(world.now);
    let silence = node.settings.timing.silence;
    let hearing = &mut world.watch.hearing;
    for (other, suspected) in core.watched() {
        let key = (life, other);
        if suspected && hearing.suspected.insert(key) {
            let silent = hearing.up.get(&life).is_some_and(|up| {
                let heard = hearing.heard.get(&key).copied().unwrap_or(*up);
                moment >= heard.max(*up) + silence
            });
            claim!(
                silent || kind == Kind::Will(other),
                "a suspicion begins with a will, or with silence while the links are up",
                "gateway {} suspects gateway {other} after {kind:?}",
                life.0
            );
            hearing.probes.remove(&key);
        } else if !suspected && hearing.suspected.remove(&key) {
            claim!(
                kind == Kind::Life(other) || kind == Kind::Deaf,
                "a suspicion ends with an answer, or a live heartbeat",
                "gateway {} does not suspect gateway {other} any more after {kind:?}",
                life.0
            );
        }
    }
    let watched: BTreeSet<GatewayId> = core.watched().map(|(id, _)| id).collect();
    hearing.suspected.retain(|(of, other)| *of != life || watched.contains(other));
}

pub(crate) fn on_sending(world: &mut World, life: Life, parcel: &Parcel) {
    let probes = world.nodes[&life.0].settings.timing.probes;
    let key = (life, parcel.to);
    let hearing = &mut world.watch.hearing;
    if let Some(house) = world.nodes[&life.0].core.as_ref().map(Gateway::house) {
        let (voters, known) = (house.voters(), house.gateways().keys());
        let gone = known.filter(|id| *voters != Voters::none() && voters.numbered(id.0).is_none());
        hearing.voteless.extend(gone.map(|id| (life, *id)));
    }
    if let PeerMessage::Ping(_) = parcel.message {
        let sent = hearing.probes.entry(key).or_default();
        *sent += 1;
        if *sent >= probes {
            hearing.probed.insert(key);
        }
    }
    let PeerMessage::Paxos(Message::Accept { value, .. }) = &parcel.message else { return };
    // Proposals of zones are numbered by epochs, and a gateway's own ones by something far above.
    let own = value.requests().iter().filter(|request| request.session.0 >> 63 == 1);
    for request in
        own.filter(|request| hearing.proposed.insert((request.session.0, request.number)))
    {
        let Ok(Entry { by, op, .. }) = Entry::decode(&request.payload) else { continue };
        let (Op::Dead { gateway, .. } | Op::Move { why: Move::Dead { gateway, .. }, .. }) = op
        else {
            continue;
        };
        claim!(
            by != life.0
                || hearing.probed.contains(&(life, gateway))
                || hearing.voteless.contains(&(life, gateway)),
            "nobody that votes is declared dead before every probe was sent",
            "gateway {by} declares gateway {gateway} dead"
        );
    }
}
