//! A rival proposer, on request: shows that a round that fails is tried again until it succeeds. It exists only with
//! the setting `gateway.contention`.
//!
//! The rival campaigns with a ballot of its own, while the network between it and a minority loses
//! what it sends there, the present leader among them. And the leader, asked likewise, hears the
//! others' refusals late, so that it goes on to propose, and meets a majority that has promised a
//! higher ballot. The core does nothing special: losing and delaying messages on their way to it and from it is all
//! that happens here.

use std::collections::BTreeSet;
use std::time::Duration;

use gateway_core::event::{Delivery, Effect, Session};
use gateway_core::peer::PeerMessage;
use paxos::{Message, Moment, ReplicaId, Voters};
use serde_json::{Value as Json, json};
use wire::{Answer, GatewayId};

/// The part of this gateway in a contention that was asked for.
#[derive(Debug)]
pub(crate) struct Contention {
    me: GatewayId,
    rivalry: Option<Rivalry>,
    deafness: Option<Deafness>,
}

/// What the core knows of the group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group<'a> {
    pub(crate) leader: Option<GatewayId>,
    pub(crate) voters: &'a Voters,
    /// The round of the highest ballot that this gateway has promised.
    pub(crate) round: u64,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// The core shall try to lead.
    Campaign,
    /// The core shall hear what was held back.
    Hear(ReplicaId, PeerMessage),
    /// Someone is answered.
    Answer(Effect),
}

/// It is the rival of the leader.
#[derive(Debug)]
struct Rivalry {
    rival: GatewayId,
    /// Those who hear nothing of it: the leader, and as many others as no majority needs.
    without: BTreeSet<GatewayId>,
    /// Who asked; answered once a majority has promised.
    asker: Option<Box<Delivery>>,
    until: Moment,
}

/// It is the leader, and hears refusals late: after its next proposal.
#[derive(Debug)]
struct Deafness {
    /// At most [`HELD`].
    held: Vec<(ReplicaId, PeerMessage)>,
    proposed: bool,
    until: Moment,
}

/// Refusals held back; every follower refuses some heartbeats until the leader gives up.
const HELD: usize = 256;

/// How long the rival's proposal is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Contention {
    /// No contention yet, at this gateway.
    pub(crate) const fn new(me: GatewayId) -> Self {
        Self { me, rivalry: None, deafness: None }
    }

    /// Whether this request to lead asks for a contention.
    pub(crate) fn is_asked(request: &Delivery) -> bool {
        let json = serde_json::from_slice::<Json>(&request.payload);
        json.is_ok_and(|json| json["hold"] == Json::Bool(true))
    }

    /// Someone asks this gateway to be a rival of the present leader or, if it is that itself, to go on unaware of
    /// one.
    pub(crate) fn begin(&mut self, request: Delivery, group: Group<'_>, now: Moment) -> Vec<Act> {
        let until = now + PATIENCE;
        match group.leader {
            Some(leader) if leader == self.me => {
                self.deafness = Some(Deafness { held: Vec::new(), proposed: false, until });
                vec![answer(&request, Answer::ok(json!({})))]
            }
            Some(rival) => {
                let spare = group.voters.len() - group.voters.majority();
                let others = group.voters.iter().map(|replica| GatewayId(replica.number()));
                let others = others.filter(|id| *id != rival && *id != self.me);
                let without = [rival].into_iter().chain(others).take(spare).collect();
                let asker = Some(Box::new(request));
                self.rivalry = Some(Rivalry { rival, without, asker, until });
                vec![Act::Campaign]
            }
            None => vec![answer(&request, Answer::ok(json!({}))), Act::Campaign],
        }
    }

    /// Whether a message of this gateway leaves.
    pub(crate) fn lets(&mut self, to: GatewayId, message: &PeerMessage) -> bool {
        let accept = matches!(message, PeerMessage::Paxos(Message::Accept { .. }));
        if let Some(deafness) = self.deafness.as_mut().filter(|_| accept) {
            deafness.proposed = true;
        }
        let proposes = matches!(
            message,
            PeerMessage::Paxos(
                Message::Prepare { .. }
                    | Message::Accept { .. }
                    | Message::Heartbeat { .. }
                    | Message::Commit { .. }
            )
        );
        let cut = self.rivalry.as_ref().is_some_and(|rivalry| rivalry.without.contains(&to));
        !cut || !proposes
    }

    /// What is heard now of what comes in.
    pub(crate) fn hears(&mut self, from: ReplicaId, message: PeerMessage) -> Option<PeerMessage> {
        if let PeerMessage::Paxos(Message::Accept { ballot, .. }) = &message {
            // The leader's proposal has met a majority that refuses it: there is no more to show.
            let leader = ballot.replica.number();
            self.rivalry.take_if(|rivalry| rivalry.rival.0 == leader);
        }
        let refusal = matches!(message, PeerMessage::Paxos(Message::Nack { .. }));
        match self.deafness.as_mut().filter(|deafness| !deafness.proposed) {
            Some(deafness) if refusal && deafness.held.len() < HELD => {
                deafness.held.push((from, message));
                None
            }
            _ => Some(message),
        }
    }

    /// What is due: the end of a deafness, and the answer to who asked for a rival.
    pub(crate) fn look(&mut self, group: Group<'_>, now: Moment) -> Vec<Act> {
        let over = self.deafness.take_if(|deaf| deaf.proposed || now >= deaf.until);
        let held = over.map_or_else(Vec::new, |deafness| deafness.held);
        let mut acts: Vec<Act> =
            held.into_iter().map(|(from, message)| Act::Hear(from, message)).collect();
        let leads = group.leader == Some(self.me);
        if let Some(rivalry) = &mut self.rivalry {
            let over = now >= rivalry.until;
            let asker = if leads || over { rivalry.asker.take() } else { None };
            acts.extend(asker.map(|asker| {
                answer(
                    &asker,
                    if leads {
                        Answer::ok(json!({"ballot": group.round}))
                    } else {
                        Answer::error("no majority promised")
                    },
                )
            }));
            if over {
                self.rivalry = None;
            }
        }
        acts
    }
}

fn answer(request: &Delivery, answer: Answer) -> Act {
    let topic = request.response_topic.clone();
    Act::Answer(Effect::Publish {
        session: Session::Own,
        topic: topic.unwrap_or_else(|| format!("{}/response", request.topic)),
        payload: answer.to_json().to_string().into_bytes(),
        at_least_once: true,
        retain: false,
        correlation: request.correlation.clone(),
        expires: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::id::{Generation, Token};
    use paxos::{Ballot, Slot};

    fn request() -> Delivery {
        Delivery {
            session: Session::Own,
            generation: Generation(0),
            token: Token(0),
            topic: "hearth/home/gateway/2/lead".to_owned(),
            payload: br#"{"hold":true}"#.to_vec(),
            promised: true,
            retain: false,
            response_topic: None,
            correlation: None,
            properties: Vec::new(),
        }
    }

    fn voters() -> Voters {
        Voters::new((1..=5).map(|number| ReplicaId::new(number, 0))).unwrap()
    }

    fn group(voters: &Voters, leader: u8) -> Group<'_> {
        Group { leader: Some(GatewayId(leader)), voters, round: 7 }
    }

    fn ballot(of: u8) -> Ballot {
        Ballot { round: 6, replica: ReplicaId::new(of, 0) }
    }

    fn heartbeat(of: u8) -> PeerMessage {
        PeerMessage::Paxos(Message::Heartbeat { ballot: ballot(of), beat: 1, chosen: Slot(1) })
    }

    fn nack(to: u8) -> PeerMessage {
        PeerMessage::Paxos(Message::Nack {
            ballot: ballot(to),
            promised: ballot(2),
            chosen: Slot(1),
        })
    }

    #[test]
    fn a_rival_is_not_heard_by_the_leader_and_as_many_others_as_no_majority_needs() {
        let voters = voters();
        let mut rival = Contention::new(GatewayId(2));
        assert!(Contention::is_asked(&request()));
        assert_eq!(rival.begin(request(), group(&voters, 5), Moment(0)), [Act::Campaign]);
        let heard = |id: &u8| rival.lets(GatewayId(*id), &heartbeat(2));
        assert_eq!([1, 3, 4, 5].iter().copied().filter(heard).collect::<Vec<_>>(), [3, 4]);
        assert!(rival.lets(GatewayId(5), &PeerMessage::Ping(1)), "it is no cut");
        assert_eq!(rival.look(group(&voters, 5), Moment(0)), [], "nobody has promised yet");
        let answer = &rival.look(group(&voters, 2), Moment(0))[..];
        assert!(matches!(answer, [Act::Answer(_)]), "{answer:?}");
    }

    #[test]
    fn a_leader_hears_refusals_after_its_next_proposal() {
        let voters = voters();
        let mut leader = Contention::new(GatewayId(5));
        let told = leader.begin(request(), group(&voters, 5), Moment(0));
        assert!(matches!(told[..], [Act::Answer(_)]), "{told:?}");
        let from = ReplicaId::new(1, 0);
        assert_eq!(leader.hears(from, nack(5)), None);
        assert_eq!(leader.look(group(&voters, 5), Moment(0)), []);
        let late = leader.look(group(&voters, 5), Moment(0) + PATIENCE);
        assert_eq!(late, [Act::Hear(from, nack(5))]);
        assert_eq!(leader.hears(from, nack(5)), Some(nack(5)));
    }
}
