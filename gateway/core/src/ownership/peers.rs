//! Which gateways are there. Suspicion is not death.
//!
//! ```text
//!  heard ──▶ last will, or silence ──▶ suspected: probed ──▶ no answer ──▶ the leader may declare it dead
//!    ▲                                     │
//!    └──── answer to a probe, heartbeat ◀──┘
//! ```

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use paxos::{Moment, ReplicaId, Voters};
use wire::{GatewayId, Heartbeat, Liveness, Versions};

use crate::context::Context;
use crate::id::gateway;
use crate::peer::PeerMessage;
use crate::planted;
use crate::settings::{Settings, Timing};
use crate::want::Wants;

/// What this gateway knows of the others from its own links.
#[derive(Debug)]
pub(crate) struct Peers {
    me: GatewayId,
    /// Since when this gateway's links are up: silence counts only from here on.
    up: Option<Moment>,
    peers: BTreeMap<GatewayId, Peer>,
    /// Number of the last probe.
    probe: u64,
    /// What every gateway that is here understands, voter or not. As many as there are gateway ids.
    versions: BTreeMap<GatewayId, Versions>,
}

#[derive(Debug, Default)]
struct Peer {
    heard: Option<Moment>,
    beat: Option<Heartbeat>,
    suspicion: Option<Suspicion>,
}

#[derive(Debug)]
struct Suspicion {
    /// Number of the first probe; an answer to an earlier one proves nothing.
    first: u64,
    probes: u32,
    due: Moment,
}

impl Peers {
    pub(crate) fn new(settings: &Settings, now: Moment) -> Self {
        let mut peers = Self {
            me: settings.id,
            up: None,
            peers: BTreeMap::new(),
            probe: 0,
            versions: BTreeMap::new(),
        };
        peers.watch(&settings.founders, now);
        peers
    }

    /// What a gateway understands, by its last heartbeat.
    pub(crate) fn versions(&self, id: GatewayId) -> Option<Versions> {
        self.versions.get(&id).copied()
    }

    /// These vote now: they are watched, and nobody else is.
    pub(crate) fn regroup(&mut self, voters: &Voters, now: Moment) {
        self.watch(&voters.iter().map(gateway).collect(), now);
    }

    /// Only a voter is missed when it is silent, and from now on.
    fn watch(&mut self, voters: &BTreeSet<GatewayId>, now: Moment) {
        self.peers.retain(|id, _| voters.contains(id));
        for id in voters.iter().filter(|id| **id != self.me) {
            let anew = Peer { heard: Some(now), ..Peer::default() };
            self.peers.entry(*id).or_insert(anew);
        }
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.up.is_some()
    }

    /// Everyone else.
    pub(crate) fn others(&self) -> impl Iterator<Item = GatewayId> {
        self.peers.keys().copied()
    }

    pub(crate) fn is_suspected(&self, id: GatewayId) -> bool {
        self.peers.get(&id).is_some_and(|peer| peer.suspicion.is_some())
    }

    /// Whether it has beaten, and is not suspected since.
    pub(crate) fn is_here(&self, id: GatewayId) -> bool {
        self.beat(id).is_some() && !self.is_suspected(id)
    }

    /// Its last heartbeat.
    pub(crate) fn beat(&self, id: GatewayId) -> Option<&Heartbeat> {
        self.peers.get(&id)?.beat.as_ref()
    }

    /// Everyone else that votes, or that was heard: with a file from long ago this gateway may not know who votes.
    pub(crate) fn known(&self) -> impl Iterator<Item = GatewayId> {
        let heard = self.versions.keys().filter(|id| **id != self.me);
        let all: BTreeSet<_> = self.peers.keys().chain(heard).copied().collect();
        all.into_iter()
    }

    /// Whether every probe of a suspected gateway stayed unanswered.
    pub(crate) fn is_lost(&self, id: GatewayId, now: Moment, timing: &Timing) -> bool {
        let suspicion = self.peers.get(&id).and_then(|peer| peer.suspicion.as_ref());
        let unanswered = |s: &Suspicion| match s.probes.cmp(&timing.probes) {
            Ordering::Less => false,
            Ordering::Equal => now >= s.due,
            // The occasional probe after these asks whether it is back, and says nothing until it is answered.
            Ordering::Greater => true,
        };
        let lost = self.up.is_some() && suspicion.is_some_and(unanswered);
        planted::peers::not_probed(lost, suspicion.is_some())
    }

    pub(crate) fn links(&mut self, up: bool, now: Moment) {
        self.up = if up { self.up.or(Some(now)) } else { None };
        if !up {
            // What was not answered while the link was down is no evidence.
            for peer in self.peers.values_mut() {
                peer.suspicion = None;
            }
        }
    }

    pub(crate) fn heard(&mut self, from: GatewayId, now: Moment) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.heard = Some(now);
        }
    }

    pub(crate) fn answered(&mut self, from: GatewayId, probe: u64) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.suspicion.take_if(|suspicion| probe >= suspicion.first);
        }
    }

    /// Takes a heartbeat or a will. Says whether it is the heartbeat of a voter that lives.
    pub(crate) fn hear_beat(&mut self, ctx: &Context, beat: Heartbeat, out: &mut Wants) -> bool {
        if beat.status == Liveness::Alive {
            self.versions.insert(beat.gateway, beat.versions);
        }
        let Some(peer) = self.peers.get_mut(&beat.gateway) else { return false };
        match beat.status {
            Liveness::Alive => {
                peer.heard = Some(ctx.now.moment);
                peer.suspicion = None;
                peer.beat = Some(beat);
                return true;
            }
            // The will of an earlier life says nothing of the present one.
            Liveness::Dead | Liveness::Stopped
                if peer.beat.is_some_and(|known| known.incarnation > beat.incarnation) => {}
            Liveness::Dead | Liveness::Stopped => self.suspect(ctx, beat.gateway, out),
        }
        false
    }

    /// Suspects those that are silent for too long.
    pub(crate) fn suspect_the_silent(&mut self, ctx: &Context, out: &mut Wants) {
        for id in self.silent(ctx.now.moment, &ctx.settings.timing) {
            self.suspect(ctx, id, out);
        }
    }

    /// Sends the probes that are due.
    pub(crate) fn probe(&mut self, ctx: &Context, out: &mut Wants) {
        let (now, timing) = (ctx.now.moment, &ctx.settings.timing);
        for (id, peer) in &mut self.peers {
            let Some(suspicion) = &mut peer.suspicion else { continue };
            if now < suspicion.due {
                continue;
            }
            self.probe += 1;
            suspicion.probes += 1;
            // Once it is lost, an occasional probe tells when it is back.
            let slow = if suspicion.probes > timing.probes { 20 } else { 1 };
            suspicion.due = now + timing.probe_every * slow;
            out.send(*id, PeerMessage::Ping(self.probe));
        }
    }

    fn suspect(&mut self, ctx: &Context, id: GatewayId, out: &mut Wants) {
        let first = self.probe + 1;
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.suspicion.is_none()) else {
            return;
        };
        peer.suspicion = Some(Suspicion { first, probes: 0, due: ctx.now.moment });
        let me = self.me;
        out.say(ctx, || format!("Gateway {me} suspects gateway {id}."));
        out.agree(paxos::Input::Suspect(ReplicaId::new(id.0, 0)));
        self.probe(ctx, out);
    }

    fn silent(&self, now: Moment, timing: &Timing) -> Vec<GatewayId> {
        let Some(up) = planted::peers::silence_while_deaf(self.up) else { return Vec::new() };
        let silent = self.peers.iter().filter(|(_, peer)| {
            let since = peer.heard.map_or(up, |heard| heard.max(up));
            peer.suspicion.is_none() && now >= since + timing.silence
        });
        silent.map(|(id, _)| *id).collect()
    }
}
