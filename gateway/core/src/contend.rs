//! A rival proposer, on request: shows that a round that fails is tried again until it succeeds.
//!
//! The rival campaigns with a ballot of its own, while the network between it and a minority loses
//! what it sends there, the present leader among them. And the leader, asked likewise, hears the
//! others' refusals late, so that it goes on to propose, and meets a majority that has promised a
//! higher ballot. Paxos itself does nothing special: losing and delaying messages is all that
//! happens here.

use std::collections::BTreeSet;

use paxos::{Message, ReplicaId};
use wire::{Answer, GatewayId};

use crate::gateway::{Gateway, gateway};
use crate::peer::PeerMessage;
use crate::requests::reply::Reply;
use crate::step::Step;

/// The part of this gateway in a contention that was asked for.
#[derive(Debug, Default)]
pub(crate) struct Contention {
    rivalry: Option<Rivalry>,
    deafness: Option<Deafness>,
}

/// It is the rival of the leader.
#[derive(Debug)]
struct Rivalry {
    rival: GatewayId,
    /// Those who hear nothing of it: the leader, and as many others as no majority needs.
    without: BTreeSet<GatewayId>,
    /// Who asked; answered once a majority has promised.
    reply: Option<Reply>,
    until: paxos::Moment,
}

/// It is the leader, and hears refusals late: after its next proposal.
#[derive(Debug)]
struct Deafness {
    held: Vec<(ReplicaId, PeerMessage)>,
    proposed: bool,
    until: paxos::Moment,
}

/// Refusals held back; every follower refuses some heartbeats until the leader gives up.
const HELD: usize = 256;

/// How long the rival's proposal is waited for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

impl Gateway {
    /// Someone asks this gateway to lead; with `hold` as a rival of the present leader or, if it
    /// is that itself, to go on unaware of one.
    pub(crate) fn contend(&mut self, hold: bool, reply: Reply, out: &mut Step) {
        let until = self.now.moment + PATIENCE;
        match self.leader().filter(|_| hold) {
            Some(leader) if leader == self.settings.id => {
                self.contention.deafness =
                    Some(Deafness { held: Vec::new(), proposed: false, until });
                self.answer(&reply, Answer::ok(serde_json::json!({})), out);
            }
            Some(rival) => {
                let voters = self.paxos.voters();
                let spare = voters.len() - voters.majority();
                let others = voters.iter().map(gateway);
                let others = others.filter(|id| *id != rival && *id != self.settings.id);
                let without = [rival].into_iter().chain(others).take(spare).collect();
                let rivalry = Rivalry { rival, without, reply: Some(reply), until };
                self.contention.rivalry = Some(rivalry);
                self.agree(paxos::Input::Campaign, out);
            }
            None => {
                self.answer(&reply, Answer::ok(serde_json::json!({})), out);
                self.agree(paxos::Input::Campaign, out);
            }
        }
    }

    /// What leaves of what this gateway sends.
    pub(crate) fn contention_lets(
        &mut self,
        to: GatewayId,
        message: PeerMessage,
    ) -> Option<PeerMessage> {
        let accept = matches!(message, PeerMessage::Paxos(Message::Accept { .. }));
        if let Some(deafness) = self.contention.deafness.as_mut().filter(|_| accept) {
            deafness.proposed = true;
        }
        let rivalry = self.contention.rivalry.as_ref();
        let cut = rivalry.is_some_and(|rivalry| rivalry.without.contains(&to));
        let proposes = matches!(
            message,
            PeerMessage::Paxos(
                Message::Prepare { .. }
                    | Message::Accept { .. }
                    | Message::Heartbeat { .. }
                    | Message::Commit { .. }
            )
        );
        (!cut || !proposes).then_some(message)
    }

    /// What is heard now of what comes in.
    pub(crate) fn contention_hears(
        &mut self,
        from: ReplicaId,
        message: PeerMessage,
    ) -> Option<PeerMessage> {
        if let PeerMessage::Paxos(Message::Accept { ballot, .. }) = &message {
            // The leader's proposal has met a majority that refuses it: there is no more to show.
            let rival = self.contention.rivalry.as_ref().map(|rivalry| rivalry.rival.0);
            if rival == Some(ballot.replica.number()) {
                self.contention.rivalry = None;
            }
        }
        let refusal = matches!(message, PeerMessage::Paxos(Message::Nack { .. }));
        match self.contention.deafness.as_mut().filter(|deafness| !deafness.proposed) {
            Some(deafness) if refusal && deafness.held.len() < HELD => {
                deafness.held.push((from, message));
                None
            }
            _ => Some(message),
        }
    }

    pub(crate) fn contention_chores(&mut self, out: &mut Step) {
        let now = self.now.moment;
        let deafness = &mut self.contention.deafness;
        if let Some(over) = deafness.take_if(|deafness| deafness.proposed || now >= deafness.until)
        {
            for (from, message) in over.held {
                self.hear(from, message, out);
            }
        }
        let leads = self.leads();
        let Some(rivalry) = &mut self.contention.rivalry else { return };
        let over = self.now.moment >= rivalry.until;
        let reply = if leads || over { rivalry.reply.take() } else { None };
        if over {
            self.contention.rivalry = None;
        }
        let Some(reply) = reply else { return };
        let ballot = self.paxos.ballot().round;
        let answer = if leads {
            Answer::ok(serde_json::json!({"ballot": ballot}))
        } else {
            Answer::error("no majority promised")
        };
        self.answer(&reply, answer, out);
    }
}
