//! Who votes, for people: a gateway is added, removed or replaced while the home runs.
//!
//! The change itself is Paxos' own ([`paxos::Voters`]): the leader proposes it, and it holds from
//! the next slot on. A gateway that comes back without its file needs nobody's wish: Paxos gives it
//! the vote of its number again.

use paxos::{Moment, NoChange, Voters, VotersError};
use serde_json::{Value as Json, json};
use wire::{Answer, GatewayId, PayloadError, VotersRequest};

use crate::gateway::{Gateway, gateway};
use crate::requests::reply::Reply;
use crate::step::Step;

/// Someone who waits for a change of voters; the leader makes one at a time.
#[derive(Debug)]
pub(crate) struct Wish {
    voters: Voters,
    reply: Reply,
    until: Moment,
}

/// A change is agreed within some milliseconds, or its leader has lost its majority.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

impl Gateway {
    pub(crate) fn asked_for_voters(
        &mut self,
        payload: &[u8],
        reply: Reply,
        out: &mut Step,
    ) -> Result<(), PayloadError> {
        let request = VotersRequest::parse(payload)?;
        match self.wanted_voters(&request) {
            Err(why) => self.answer(&reply, Answer::error(why), out),
            Ok(voters) if voters == *self.paxos.voters() => {
                self.answer(&reply, Answer::ok(self.tell_voters()), out);
            }
            Ok(_) if self.wish.is_some() => {
                self.answer(&reply, Answer::error(refusal(NoChange::Busy)), out);
            }
            Ok(voters) => {
                let until = self.now.moment + PATIENCE;
                self.wish = Some(Wish { voters: voters.clone(), reply, until });
                self.agree(paxos::Input::ChangeVoters(voters), out);
            }
        }
        Ok(())
    }

    fn wanted_voters(&self, request: &VotersRequest) -> Result<Voters, String> {
        let said = |error: VotersError| error.to_string();
        let mut voters = self.paxos.voters().clone();
        for id in &request.add {
            if voters.numbered(id.0).is_some() {
                continue;
            }
            let mut observers = self.paxos.observers().map(|(replica, _)| replica);
            let Some(replica) = observers.find(|replica| replica.number() == id.0) else {
                return Err(format!(
                    "gateway {id} does not follow this site; start it first, as with \
                     hearth gateway --id {id}, and add it when it has caught up"
                ));
            };
            voters = voters.with(replica).map_err(said)?;
        }
        for id in &request.remove {
            if let Some(replica) = voters.numbered(id.0) {
                voters = voters.without(replica).map_err(said)?;
            }
        }
        self.majority_is_there(&voters).map(|()| voters)
    }

    /// Paxos looks at this too; here it is said who is missing.
    fn majority_is_there(&self, voters: &Voters) -> Result<(), String> {
        let all: Vec<GatewayId> = voters.iter().map(gateway).collect();
        let silent: Vec<_> = all.iter().filter(|id| self.peers.is_suspected(**id)).collect();
        match silent.first() {
            Some(first) if all.len() - silent.len() < voters.majority() => Err(format!(
                "of the gateways that would vote, {voters}, gateway {first} is silent, and without it nothing \
                 could be agreed; start it first, or remove it instead"
            )),
            _ => Ok(()),
        }
    }

    /// From here on others vote.
    pub(crate) fn voters_changed(&mut self, voters: &Voters, out: &mut Step) {
        self.regroup(voters);
        self.tell(out, format!("Gateways {voters} vote now."));
        if let Some(wish) = self.wish.take() {
            let answer = if wish.voters == *voters {
                Answer::ok(self.tell_voters())
            } else {
                Answer::error(format!("gateways {voters} vote now: another change came first"))
            };
            self.answer(&wish.reply, answer, out);
        }
    }

    pub(crate) fn voters_refused(&mut self, voters: &Voters, why: NoChange, out: &mut Step) {
        if let Some(wish) = self.wish.take_if(|wish| wish.voters == *voters) {
            self.answer(&wish.reply, Answer::error(refusal(why)), out);
        }
    }

    /// The leadership that was asked is over.
    pub(crate) fn give_up_wish(&mut self, out: &mut Step) {
        let Some(wish) = self.wish.take() else { return };
        let why = "leadership has changed meanwhile; the change may be agreed yet: ask who votes";
        self.answer(&wish.reply, Answer::error(why), out);
    }

    pub(crate) fn voter_chores(&mut self, out: &mut Step) {
        let now = self.now.moment;
        if let Some(wish) = self.wish.take_if(|wish| now >= wish.until) {
            let why = "the change was not agreed in time, and may be yet: ask who votes";
            self.answer(&wish.reply, Answer::error(why), out);
        }
    }

    fn tell_voters(&self) -> Json {
        let voters: Vec<GatewayId> = self.paxos.voters().iter().map(gateway).collect();
        let observers = self.paxos.observers();
        let observers =
            observers.map(|(id, slot)| json!({"gateway": gateway(id), "applied": slot.0}));
        json!({"voters": voters, "observers": observers.collect::<Vec<_>>()})
    }
}

fn refusal(why: NoChange) -> &'static str {
    match why {
        NoChange::NotLeading => "leadership has just changed; try again",
        NoChange::Busy => "another change is under way; try again",
        NoChange::NotReady => {
            "a new voter has not caught up, or a majority of the new voters is not there; nothing \
             could be agreed with them"
        }
    }
}
