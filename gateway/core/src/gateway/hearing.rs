//! What other gateways say, brought to the roles that it concerns.

use paxos::{Moment, ReplicaId};

use crate::consensus::agreement::Agreement;
use crate::consensus::damage::Damage;
use crate::consensus::rounds::Rounds;
use crate::consensus::standing::Standing;
use crate::consensus::versions;
use crate::context::Context;
use crate::id::gateway;
use crate::ownership::authority::Authority;
use crate::ownership::grants::Grants;
use crate::ownership::lease::{Grant, Lease};
use crate::ownership::peers::Peers;
use crate::ownership::zones::{self, Zones};
use crate::peer::PeerMessage;
use crate::requests::handler::RequestHandler;
use crate::snapshots::fetching::Fetching;
use crate::snapshots::giving::Giving;
use crate::want::{EpochQuestion, LeaseRequest, Wants};

/// What a message of another gateway may touch.
pub(super) struct Hearing<'a> {
    pub(super) ctx: &'a Context,
    pub(super) agreement: &'a Agreement,
    pub(super) standing: &'a mut Standing,
    pub(super) damage: &'a mut Damage,
    pub(super) rounds: &'a mut Rounds,
    pub(super) peers: &'a mut Peers,
    pub(super) grants: &'a Grants,
    pub(super) lease: &'a mut Lease,
    pub(super) zones: &'a mut Zones,
    pub(super) requests: &'a mut RequestHandler,
    pub(super) fetching: &'a mut Fetching,
    pub(super) giving: &'a mut Giving,
}

impl Hearing<'_> {
    pub(super) fn take(mut self, replica: ReplicaId, message: PeerMessage, out: &mut Wants) {
        let (ctx, from) = (self.ctx, gateway(replica));
        self.peers.heard(from, ctx.now.moment);
        if !versions::understands(ctx, &message) {
            return;
        }
        match message {
            // Whoever has not proven its file neither votes nor learns. It tells blank files that there is a group.
            PeerMessage::Paxos(ref paxos)
                if !matches!(paxos, paxos::Message::Seek)
                    && !self.standing.is_proven(self.agreement) => {}
            PeerMessage::Paxos(message) => {
                if self.damage.is_none(ctx, from, &message, out) {
                    self.rounds.proposed(ctx, &message);
                    out.agree(paxos::Input::Message { from: replica, message });
                }
            }
            PeerMessage::Ping(number) => out.send(from, PeerMessage::Pong(number)),
            PeerMessage::Pong(number) => self.peers.answered(from, number),
            PeerMessage::LeaseRequest { sent, life } => {
                let request = LeaseRequest { from, life, sent: Moment(sent) };
                self.grants.requested(ctx, self.peers, request, out);
            }
            PeerMessage::LeaseGrant { sent, life, epoch } => {
                let grant = Grant { sent: Moment(sent), life, epoch };
                if self.lease.granted(ctx, grant) {
                    self.unpark(out);
                }
            }
            PeerMessage::EpochQuery { zone, epoch, question: number } => {
                zones::epoch_asked(ctx, from, EpochQuestion { zone, epoch, number }, out);
            }
            PeerMessage::EpochAnswer { zone, epoch, question: number, holds } => {
                let question = EpochQuestion { zone, epoch, number };
                if self.zones.epoch_answered(ctx, &question, holds, out) {
                    self.unpark(out);
                }
            }
            PeerMessage::SnapshotRequest { above, part } => {
                self.giving.asked(from, above, ctx.applied, part, out);
            }
            PeerMessage::Announce(its) => {
                self.standing.announced(ctx, self.agreement, replica, its, out);
            }
            PeerMessage::Known(known) => {
                self.standing.answered(ctx, self.agreement, replica, known, out);
            }
            PeerMessage::SnapshotAnswer(answer) => self.fetching.answered(ctx, from, answer, out),
        }
    }

    /// The lease is here, or the leader's word that a zone is still ours.
    fn unpark(&mut self, out: &mut Wants) {
        let (ctx, zones, lease) = (self.ctx, &*self.zones, &*self.lease);
        self.requests.unpark(Authority { ctx, zones, lease }, out);
    }
}
