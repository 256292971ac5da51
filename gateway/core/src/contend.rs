//! A rival proposer, on request: shows that a round that fails is tried again until it succeeds.
//!
//! The gateway campaigns with a ballot of its own, but the network between it and the present
//! leader is slow: what it sends there is lost, and what it sends as a leader is delayed until the
//! other's proposal arrives, which a majority now refuses. Paxos itself does nothing special:
//! losing and delaying messages is all that happens here.

use paxos::Message;
use wire::{Answer, GatewayId};

use crate::event::Effect;
use crate::gateway::Gateway;
use crate::peer::PeerMessage;
use crate::reply::Reply;
use crate::step::Step;

/// Whether this gateway contends for the leadership on request.
#[derive(Debug, Default)]
pub(crate) struct Contention {
    rivalry: Option<Rivalry>,
}

#[derive(Debug)]
struct Rivalry {
    rival: GatewayId,
    /// Who asked; answered once a majority has promised.
    reply: Option<Reply>,
    held: Vec<(GatewayId, PeerMessage)>,
    campaigned: bool,
    until: paxos::Moment,
}

/// How long the rival's proposal is waited for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

/// Messages held back; a leader of seven sends a dozen in that time when nothing is proposed.
const HELD: usize = 1024;

impl Gateway {
    /// Someone asks this gateway to lead; with `hold` as a rival of the present leader.
    pub(crate) fn contend(&mut self, hold: bool, reply: Reply, out: &mut Step) {
        match self.leader().filter(|leader| hold && *leader != self.settings.id) {
            Some(rival) => {
                let until = self.now.moment + PATIENCE;
                let (reply, held) = (Some(reply), Vec::new());
                let rivalry = Rivalry { rival, reply, held, campaigned: false, until };
                self.contention.rivalry = Some(rivalry);
            }
            None => {
                self.answer(&reply, Answer::ok(serde_json::json!({})), out);
                self.agree(paxos::Input::Campaign, out);
            }
        }
    }

    /// What leaves now of what this gateway sends.
    pub(crate) fn contention_lets(
        &mut self,
        to: GatewayId,
        message: PeerMessage,
    ) -> Option<PeerMessage> {
        let Some(rivalry) = &mut self.contention.rivalry else { return Some(message) };
        match &message {
            PeerMessage::Paxos(Message::Prepare { .. }) if to == rivalry.rival => None,
            PeerMessage::Paxos(
                Message::Accept { .. } | Message::Heartbeat { .. } | Message::Commit { .. },
            ) => {
                if rivalry.held.len() < HELD {
                    rivalry.held.push((to, message));
                }
                None
            }
            _ => Some(message),
        }
    }

    /// The rival's heartbeat is when to begin: until its next one it does not learn of the higher
    /// ballot. Its proposal is when to end: it has met a majority that refuses it.
    pub(crate) fn contention_hears(&mut self, message: &Message, out: &mut Step) {
        let Some(rivalry) = &mut self.contention.rivalry else { return };
        match message {
            Message::Heartbeat { ballot, .. }
                if ballot.replica.0 == rivalry.rival.0 && !rivalry.campaigned =>
            {
                rivalry.campaigned = true;
                self.agree(paxos::Input::Campaign, out);
            }
            Message::Accept { ballot, .. } if ballot.replica.0 == rivalry.rival.0 => {
                self.release(out);
            }
            _ => {}
        }
    }

    pub(crate) fn contention_chores(&mut self, out: &mut Step) {
        let leads = self.leads();
        let Some(rivalry) = &mut self.contention.rivalry else { return };
        let over = self.now.moment >= rivalry.until;
        let reply = if leads || over { rivalry.reply.take() } else { None };
        if let Some(reply) = reply {
            let ballot = self.paxos.ballot().round;
            let answer = if leads {
                Answer::ok(serde_json::json!({"ballot": ballot}))
            } else {
                Answer::error("no majority promised")
            };
            self.answer(&reply, answer, out);
        }
        if over {
            self.release(out);
        }
    }

    fn release(&mut self, out: &mut Step) {
        if let Some(rivalry) = self.contention.rivalry.take() {
            let held = rivalry.held.into_iter();
            out.effects.extend(held.map(|(to, message)| Effect::Send { to, message }));
        }
    }
}
