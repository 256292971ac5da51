//! Leases: how an owner answers a query alone and is right (rule 7).
//!
//! ```text
//!  owner          leader                       majority
//!    │─ request ───▶│                             │   the lease runs from the moment of sending,
//!    │  (sent)      │── heartbeat, begun now ────▶│   on the owner's monotonic clock
//!    │              │◀─ still following ──────────│
//!    │◀─ grant ─────│                                 until sent + lease
//! ```
//!
//! On a single broker of Hearth's own, the takeover of the query session ends an old owner's
//! answers when its zone moves. Elsewhere the leader stops granting leases to whoever is to lose a
//! zone, and waits out the last one ([`Timing::lease_wait`](crate::Timing::lease_wait)) before it
//! proposes the move. Such a proposal is good in its own leadership only: the next leader grants
//! leases again. So there a leadership begins in the log ([`Op::Lead`]), before it grants any lease; a
//! move names the leadership that waited for it, and is not applied in another one. After a move its
//! loser may have another lease, but takes it only when it has applied the move.

use std::collections::BTreeMap;

use paxos::{Moment, Request, SessionId};
use wire::{Epoch, GatewayId, Zone};

use crate::command::{Leadership, Move, Op};
use crate::consensus::agreement::Ticket;
use crate::gateway::Gateway;
use crate::mutant::mutant;
use crate::peer::PeerMessage;
use crate::step::Step;

/// This gateway's lease and, when it leads, those that it granted.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    until: Option<Moment>,
    /// The newest grant that tells of a move that is not applied here yet: when it was asked for.
    ahead: Option<(Epoch, u64)>,
    granted: BTreeMap<GatewayId, Moment>,
    leading_since: Option<Moment>,
    /// Numbers of the moves that this leader proposed and that may still be applied. Bounded by what
    /// there is to move, each until it is refused or has shown its effect.
    moves: BTreeMap<u64, Move>,
    /// The leadership, when the log tells of it, and the number of the last proposal before it.
    leadership: Option<Leadership>,
    before: u64,
}

impl Leases {
    pub(crate) fn holds(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    pub(crate) const fn until(&self) -> Option<Moment> {
        self.until
    }

    /// A new leader knows nothing of the grants of the one before; `number` is that of its last own proposal.
    pub(crate) fn began_to_lead(&mut self, now: Moment, number: u64) {
        self.granted.clear();
        self.moves.clear();
        (self.leadership, self.before) = (None, number);
        self.leading_since = Some(now);
    }

    /// The last moment at which a lease of this gateway may have been granted.
    fn last_grant(&self, to: GatewayId) -> Option<Moment> {
        let since = self.leading_since.filter(|_| !mutant!(OldGrantsForgotten));
        self.granted.get(&to).copied().max(since)
    }
}

impl Gateway {
    pub(crate) fn request_lease(&mut self, out: &mut Step) {
        let sent = self.now.moment.0;
        if let Some(leader) = self.leader() {
            let life = self.settings.incarnation;
            self.send(leader, PeerMessage::LeaseRequest { sent, life }, out);
        }
    }

    pub(crate) fn lease_requested(&mut self, from: (GatewayId, u64), sent: u64, out: &mut Step) {
        let alive = self.house.gateways().get(&from.0).is_some_and(|member| member.alive);
        // One that is about to be declared dead gets no lease that would have to be waited out.
        if !self.leads() || !alive || self.peers.is_suspected(from.0) {
        } else if mutant!(LeaseWithoutARound) {
            self.grant(from, sent, out);
        } else {
            self.confirm(Ticket::Lease { to: from, sent }, out);
        }
    }

    pub(crate) fn grant(&mut self, (to, life): (GatewayId, u64), sent: u64, out: &mut Step) {
        let early = self.leadership().is_none() && !mutant!(GrantedBeforeLeading);
        if !self.settings.own_broker && (early || self.is_to_lose(to)) {
            return;
        }
        self.leases.granted.insert(to, self.now.moment);
        let epoch = self.house.counters().epoch;
        self.send(to, PeerMessage::LeaseGrant { sent, life, epoch }, out);
    }

    pub(crate) fn lease_granted(&mut self, sent: u64, epoch: Epoch, out: &mut Step) {
        if epoch > self.house.counters().epoch && !mutant!(LeaseBeforeTheMove) {
            self.leases.ahead = Some((epoch, sent));
            return;
        }
        // Only a forger's grant comes from the future.
        if sent > self.now.moment.0 {
            return;
        }
        let sent = if mutant!(LeaseFromTheGrant) { self.now.moment.0 } else { sent };
        let until = Moment(sent) + self.settings.timing.lease;
        self.leases.until = self.leases.until.max(Some(until));
        self.unpark(out);
    }

    /// Takes the lease that waited for a move, if that is applied now.
    pub(crate) fn lease_after_a_move(&mut self, out: &mut Step) {
        let known = self.house.counters().epoch;
        if let Some((epoch, sent)) = self.leases.ahead.take_if(|(epoch, _)| *epoch <= known) {
            self.lease_granted(sent, epoch, out);
        }
    }

    /// Whether every lease that a gateway may hold has run out by now.
    pub(crate) fn lease_is_over(&self, of: GatewayId) -> bool {
        let wait = self.settings.timing.lease_wait();
        let wait = if mutant!(LeaseOutlivesTheWait) { wait / 2 } else { wait };
        self.settings.own_broker
            || self.leases.last_grant(of).is_none_or(|granted| self.now.moment >= granted + wait)
    }

    /// Whether a zone is about to be taken from a gateway: then its leases shall run out.
    fn is_to_lose(&self, gateway: GatewayId) -> bool {
        let owned = |zone: &Zone| self.house.zones().get(zone).is_some_and(|z| z.owner == gateway);
        let moved = self.leases.moves.values().any(|why| match why {
            Move::Dead { gateway: dead, .. } => *dead == gateway,
            Move::Return { zone, .. } => owned(zone),
        });
        let better = || {
            let mut zones = self.house.zones().keys().filter(|zone| owned(zone));
            zones.any(|zone| self.house.better_owner(zone).is_some())
        };
        moved || !self.has_vote(gateway) || better()
    }

    /// The leadership of this gateway, when the log tells of it and of no later one.
    pub(crate) fn leadership(&self) -> Option<Leadership> {
        self.leases.leadership.filter(|it| self.leads() && *it == self.house.counters().leadership)
    }

    /// A leadership began in the log; it is this gateway's own if it proposed that since it leads.
    pub(crate) fn note_leadership(&mut self, request: &Request) {
        let own = request.session == self.own_session() && request.number > self.leases.before;
        if own && self.leads() {
            self.leases.leadership = Some(self.house.counters().leadership);
        }
    }

    /// Remembers a proposal that moves zones.
    pub(crate) fn note_move(&mut self, number: u64, op: &Op) {
        if let Op::Move { why, .. } = op {
            self.leases.moves.insert(number, why.clone());
        }
    }

    /// These are applied, or refused, and do not come any more.
    pub(crate) fn forget_moves<'a>(&mut self, over: impl Iterator<Item = (SessionId, &'a u64)>) {
        let own = self.own_session();
        for (_, number) in over.filter(|(session, _)| *session == own) {
            self.leases.moves.remove(number);
        }
    }
}
