//! The leases that this gateway grants while it leads, and which moves may be proposed with regard to them.
//!
//! On a single broker of Hearth's own, the takeover of the query session ends an old owner's
//! answers when its zone moves. Elsewhere the leader stops granting leases to whoever is to lose a
//! zone, and waits out the last one ([`Timing::lease_wait`](crate::Timing::lease_wait)) before it
//! proposes the move. Such a proposal is good in its own leadership only: the next leader grants
//! leases again. So there a leadership begins in the log ([`Op::Lead`]), before it grants any lease; a
//! move names the leadership that waited for it, and is not applied in another one. After a move its
//! loser may have another lease, but takes it only when it has applied the move.

use std::collections::BTreeMap;

use paxos::{Moment, Request, SessionId, Voters};
use wire::{GatewayId, Zone};

use crate::command::{Leadership, Move, Op};
use crate::context::Context;
use crate::ownership::peers::Peers;
use crate::peer::PeerMessage;
use crate::planted;
use crate::want::{LeaseRequest, Question, Want, Wants};

/// What this gateway granted since it leads.
#[derive(Debug)]
pub(crate) struct Grants {
    /// Under which this gateway numbers its own proposals.
    session: SessionId,
    granted: BTreeMap<GatewayId, Moment>,
    leading_since: Option<Moment>,
    /// Moves that this leader proposed and that may still be applied, by number. Bounded by what
    /// there is to move, each until it is refused or has shown its effect.
    moves: BTreeMap<u64, Move>,
    /// The leadership, when the log tells of it, and the number of the last proposal before it.
    leadership: Option<Leadership>,
    before: u64,
}

impl Grants {
    pub(crate) const fn new(session: SessionId) -> Self {
        Self {
            session,
            granted: BTreeMap::new(),
            leading_since: None,
            moves: BTreeMap::new(),
            leadership: None,
            before: 0,
        }
    }

    /// A new leader knows nothing of the grants of the one before; `number` is that of its last own proposal.
    pub(crate) fn began_to_lead(&mut self, now: Moment, number: u64) {
        self.granted.clear();
        self.moves.clear();
        (self.leadership, self.before) = (None, number);
        self.leading_since = Some(now);
    }

    /// A gateway asks for a lease; only a round begun now may tell that this one may still grant it.
    pub(crate) fn requested(
        &self,
        ctx: &Context,
        peers: &Peers,
        request: LeaseRequest,
        out: &mut Wants,
    ) {
        let alive = ctx.house.gateways().get(&request.from).is_some_and(|member| member.alive);
        // One that is about to be declared dead gets no lease that would have to be waited out.
        if ctx.leads && alive && !peers.is_suspected(request.from) {
            let ask = Want::Confirm(Question::Lease(request));
            out.push(planted::rounds::lease_without_a_round(ask));
        }
    }

    /// This gateway led after the request had come.
    pub(crate) fn grant(
        &mut self,
        ctx: &Context,
        voters: &Voters,
        request: LeaseRequest,
        out: &mut Wants,
    ) {
        let LeaseRequest { from, life, sent } = request;
        let early = planted::grants::granted_before_leading(self.leadership(ctx).is_none());
        if !ctx.settings.own_broker && (early || self.is_to_lose(ctx, voters, from)) {
            return;
        }
        self.granted.insert(from, ctx.now.moment);
        let epoch = ctx.house.counters().epoch;
        out.send(from, PeerMessage::LeaseGrant { sent: sent.0, life, epoch });
    }

    /// Whether every lease that a gateway may hold has run out by now.
    pub(crate) fn is_over(&self, ctx: &Context, of: GatewayId) -> bool {
        let wait = planted::grants::lease_outlives_the_wait(ctx.settings.timing.lease_wait());
        ctx.settings.own_broker
            || self.last_grant(of).is_none_or(|granted| ctx.now.moment >= granted + wait)
    }

    /// The leadership of this gateway, when the log tells of it and of no later one.
    pub(crate) fn leadership(&self, ctx: &Context) -> Option<Leadership> {
        self.leadership.filter(|it| ctx.leads && *it == ctx.house.counters().leadership)
    }

    /// A leadership began in the log; it is this gateway's own if it proposed that since it leads.
    pub(crate) fn note_leadership(&mut self, ctx: &Context, request: &Request) {
        let own = request.session == self.session && request.number > self.before;
        if own && ctx.leads {
            self.leadership = Some(ctx.house.counters().leadership);
        }
    }

    /// Remembers a proposal that moves zones.
    pub(crate) fn note_move(&mut self, number: u64, op: &Op) {
        if let Op::Move { why, .. } = op {
            self.moves.insert(number, why.clone());
        }
    }

    /// Forgets moves that were applied or refused.
    pub(crate) fn forget_moves(&mut self, over: impl Iterator<Item = (SessionId, u64)>) {
        for (_, number) in over.filter(|(session, _)| *session == self.session) {
            self.moves.remove(&number);
        }
    }

    /// The last moment at which a lease of this gateway may have been granted.
    fn last_grant(&self, to: GatewayId) -> Option<Moment> {
        let since = planted::grants::old_grants_forgotten(self.leading_since);
        self.granted.get(&to).copied().max(since)
    }

    /// Whether a zone is about to be taken from a gateway: then its leases shall run out.
    fn is_to_lose(&self, ctx: &Context, voters: &Voters, gateway: GatewayId) -> bool {
        let house = &ctx.house;
        let owned = |zone: &Zone| house.zones().get(zone).is_some_and(|z| z.owner == gateway);
        let moved = self.moves.values().any(|why| match why {
            Move::Dead { gateway: dead, .. } => *dead == gateway,
            Move::Return { zone, .. } => owned(zone),
        });
        let better = || {
            let mut zones = house.zones().keys().filter(|zone| owned(zone));
            zones.any(|zone| house.better_owner(zone).is_some())
        };
        moved || voters.numbered(gateway.0).is_none() || better()
    }
}
