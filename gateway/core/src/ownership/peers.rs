//! Which gateways are there. Suspicion is not death (rule 8).
//!
//! ```text
//!  heard ──▶ last will, or silence ──▶ suspected: probed ──▶ no answer ──▶ the leader may declare it dead
//!    ▲                                     │
//!    └──── answer to a probe, heartbeat ◀──┘
//! ```

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use paxos::Moment;
use wire::{GatewayId, Heartbeat, Liveness};

use crate::gateway::Gateway;
use crate::mutant::mutant;
use crate::peer::PeerMessage;
use crate::settings::{Settings, Timing};
use crate::step::Step;

/// What this gateway knows of the others from its own links.
#[derive(Debug)]
pub(crate) struct Peers {
    /// Since when this gateway's links are up: silence counts only from here on.
    up: Option<Moment>,
    peers: BTreeMap<GatewayId, Peer>,
    next_probe: u64,
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
        let mut peers = Self { up: None, peers: BTreeMap::new(), next_probe: 0 };
        peers.regroup(settings.id, &settings.founders, now);
        peers
    }

    /// These are the gateways now; only a voter is missed when it is silent, and from now on.
    pub(crate) fn regroup(&mut self, me: GatewayId, voters: &BTreeSet<GatewayId>, now: Moment) {
        self.peers.retain(|id, _| voters.contains(id));
        for id in voters.iter().filter(|id| **id != me) {
            let anew = Peer { heard: Some(now), ..Peer::default() };
            self.peers.entry(*id).or_insert(anew);
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up.is_some()
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

    /// Everyone else.
    pub(crate) fn others(&self) -> impl Iterator<Item = GatewayId> {
        self.peers.keys().copied()
    }

    pub(crate) fn is_suspected(&self, id: GatewayId) -> bool {
        self.peers.get(&id).is_some_and(|peer| peer.suspicion.is_some())
    }

    /// Its last heartbeat.
    pub(crate) fn beat(&self, id: GatewayId) -> Option<&Heartbeat> {
        self.peers.get(&id)?.beat.as_ref()
    }

    /// Whether every probe of a suspected gateway stayed unanswered.
    fn is_lost(&self, id: GatewayId, now: Moment, timing: &Timing) -> bool {
        let suspicion = self.peers.get(&id).and_then(|peer| peer.suspicion.as_ref());
        if mutant!(NotProbed) {
            return suspicion.is_some();
        }
        let lost = |s: &Suspicion| match s.probes.cmp(&timing.probes) {
            Ordering::Less => false,
            Ordering::Equal => now >= s.due,
            // The occasional probe after these asks whether it is back, and says nothing until it is answered.
            Ordering::Greater => true,
        };
        self.up.is_some() && suspicion.is_some_and(lost)
    }

    fn suspect(&mut self, id: GatewayId, now: Moment) -> bool {
        let first = self.next_probe + 1;
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        let fresh = peer.suspicion.is_none();
        if fresh {
            peer.suspicion = Some(Suspicion { first, probes: 0, due: now });
        }
        fresh
    }

    fn silent(&self, now: Moment, timing: &Timing) -> Vec<GatewayId> {
        let deaf = mutant!(SilenceWhileDeaf).then_some(Moment(0));
        let Some(up) = deaf.or(self.up) else { return Vec::new() };
        let silent = self.peers.iter().filter(|(_, peer)| {
            let since = peer.heard.map_or(up, |heard| heard.max(up));
            peer.suspicion.is_none() && now >= since + timing.silence
        });
        silent.map(|(id, _)| *id).collect()
    }

    /// The probes that are due now, with their numbers.
    fn probes(&mut self, now: Moment, timing: &Timing) -> Vec<(GatewayId, u64)> {
        let mut probes = Vec::new();
        for (id, peer) in &mut self.peers {
            let Some(suspicion) = &mut peer.suspicion else { continue };
            if now < suspicion.due {
                continue;
            }
            self.next_probe += 1;
            suspicion.probes += 1;
            // Once it is lost, an occasional probe tells when it is back.
            let slow = if suspicion.probes > timing.probes { 20 } else { 1 };
            suspicion.due = now + timing.probe_every * slow;
            probes.push((*id, self.next_probe));
        }
        probes
    }
}

impl Gateway {
    pub(crate) fn links(&mut self, up: bool) {
        self.lone.links(up, self.now.moment);
        self.peers.up = if up { self.peers.up.or(Some(self.now.moment)) } else { None };
        if !up {
            // What was not answered while the link was down is no evidence.
            for peer in self.peers.peers.values_mut() {
                peer.suspicion = None;
            }
        }
    }

    pub(crate) fn hear_beat(&mut self, beat: Heartbeat, out: &mut Step) {
        let now = self.now.moment;
        let Some(peer) = self.peers.peers.get_mut(&beat.gateway) else { return };
        match beat.status {
            Liveness::Alive => {
                peer.heard = Some(now);
                peer.suspicion = None;
                peer.beat = Some(beat);
                self.compare(&beat, out);
            }
            // The will of an earlier life says nothing of the present one.
            Liveness::Dead | Liveness::Stopped
                if peer.beat.is_some_and(|known| known.incarnation > beat.incarnation) => {}
            Liveness::Dead | Liveness::Stopped => self.suspect(beat.gateway, out),
        }
    }

    fn suspect(&mut self, id: GatewayId, out: &mut Step) {
        if self.peers.suspect(id, self.now.moment) {
            let me = self.settings.id;
            self.say(out, || format!("Gateway {me} suspects gateway {id}."));
            self.agree(paxos::Input::Suspect(paxos::ReplicaId::new(id.0, 0)), out);
            self.probe(out);
        }
    }

    fn probe(&mut self, out: &mut Step) {
        let due = self.peers.probes(self.now.moment, &self.settings.timing);
        for (id, number) in due {
            self.send(id, PeerMessage::Ping(number), out);
        }
    }

    pub(crate) fn peer_chores(&mut self, out: &mut Step) {
        for id in self.peers.silent(self.now.moment, &self.settings.timing) {
            self.suspect(id, out);
        }
        // Whoever is lost has had its last probe before this one.
        self.bury(out);
        self.probe(out);
    }

    /// The leader proposes to declare those dead that it has lost, or that lost their votes.
    fn bury(&mut self, out: &mut Step) {
        if !self.leads() {
            return;
        }
        let now = self.now.moment;
        let lost = self.house.gateways().iter().filter(|(_, member)| member.alive);
        let lost = lost.filter(|(id, _)| {
            !self.has_vote(**id) || self.peers.is_lost(**id, now, &self.settings.timing)
        });
        let lost: Vec<_> = lost.map(|(id, member)| (*id, member.incarnation)).collect();
        for (gateway, incarnation) in lost {
            let hasty = || mutant!(RemovalNotWaitedFor) && !self.has_vote(gateway);
            if self.lease_is_over(gateway) || mutant!(LeaseNotWaitedFor) || hasty() {
                self.propose_dead(gateway, incarnation, out);
            }
        }
    }

    pub(crate) fn has_vote(&self, id: GatewayId) -> bool {
        self.paxos.voters().numbered(id.0).is_some()
    }
}
