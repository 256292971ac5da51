//! Who votes, for people: a gateway is added, removed or replaced while the home runs.
//!
//! The change itself is Paxos' own ([`paxos::Voters`]): the leader proposes it, and it holds from
//! the next slot on. A gateway that comes back without its file needs nobody's wish: Paxos gives it
//! the vote of its number again.

use std::time::Duration;

use paxos::{Moment, NoChange, Voters, VotersError};
use serde_json::{Value as Json, json};
use wire::{Answer, GatewayId, PayloadError, VotersRequest};

use crate::consensus::agreement::Agreement;
use crate::context::Context;
use crate::id::gateway;
use crate::ownership::peers::Peers;
use crate::reply::Reply;
use crate::want::Wants;

/// Someone who waits for a change of voters; the leader makes one at a time.
#[derive(Debug, Default)]
pub(crate) struct Voting {
    wish: Option<Wish>,
}

#[derive(Debug)]
struct Wish {
    voters: Voters,
    reply: Reply,
    until: Moment,
}

/// A change is agreed within some milliseconds, or its leader has lost its majority.
const PATIENCE: Duration = Duration::from_secs(5);

impl Voting {
    /// Someone asks who votes, or for other voters.
    pub(crate) fn asked(
        &mut self,
        ctx: &Context,
        group: Group<'_>,
        payload: &[u8],
        reply: Reply,
        out: &mut Wants,
    ) -> Result<(), PayloadError> {
        let request = VotersRequest::parse(payload)?;
        match group.wanted(ctx, &request) {
            Err(why) => reply.answer(Answer::error(why), out),
            Ok(voters) if voters == *group.agreement.voters() => {
                reply.answer(Answer::ok(tell_voters(group.agreement)), out);
            }
            Ok(_) if self.wish.is_some() => {
                reply.answer(Answer::error(refusal(NoChange::Busy)), out);
            }
            Ok(voters) => {
                let until = ctx.now.moment + PATIENCE;
                self.wish = Some(Wish { voters: voters.clone(), reply, until });
                out.agree(paxos::Input::ChangeVoters(voters));
            }
        }
        Ok(())
    }

    /// From here on others vote.
    pub(crate) fn changed(&mut self, agreement: &Agreement, voters: &Voters, out: &mut Wants) {
        if let Some(wish) = self.wish.take() {
            let answer = if wish.voters == *voters {
                Answer::ok(tell_voters(agreement))
            } else {
                Answer::error(format!("gateways {voters} vote now: another change came first"))
            };
            wish.reply.answer(answer, out);
        }
    }

    pub(crate) fn refused(&mut self, voters: &Voters, why: NoChange, out: &mut Wants) {
        if let Some(wish) = self.wish.take_if(|wish| wish.voters == *voters) {
            wish.reply.answer(Answer::error(refusal(why)), out);
        }
    }

    /// The leadership that was asked is over.
    pub(crate) fn give_up(&mut self, out: &mut Wants) {
        let Some(wish) = self.wish.take() else { return };
        let why = "leadership has changed meanwhile; the change may be agreed yet: ask who votes";
        wish.reply.answer(Answer::error(why), out);
    }

    pub(crate) fn chores(&mut self, ctx: &Context, out: &mut Wants) {
        let now = ctx.now.moment;
        if let Some(wish) = self.wish.take_if(|wish| now >= wish.until) {
            let why = "the change was not agreed in time, and may be yet: ask who votes";
            wish.reply.answer(Answer::error(why), out);
        }
    }
}

/// The gateways among which voters are chosen.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a> {
    pub(crate) agreement: &'a Agreement,
    pub(crate) peers: &'a Peers,
}

impl Group<'_> {
    /// Who would vote; or why they cannot.
    fn wanted(&self, ctx: &Context, request: &VotersRequest) -> Result<Voters, String> {
        let said = |error: VotersError| error.to_string();
        let mut voters = self.agreement.voters().clone();
        for id in &request.add {
            if voters.numbered(id.0).is_some() {
                continue;
            }
            let mut observers = self.agreement.observers().map(|(replica, _)| replica);
            let Some(replica) = observers.find(|replica| replica.number() == id.0) else {
                return Err(format!(
                    "gateway {id} does not follow this site; start it first, as with \
                     hearth gateway --id {id}, and add it when it has caught up"
                ));
            };
            self.understands_the_site(ctx, *id)?;
            voters = voters.with(replica).map_err(said)?;
        }
        for id in &request.remove {
            if let Some(replica) = voters.numbered(id.0) {
                voters = voters.without(replica).map_err(said)?;
            }
        }
        self.majority_is_there(&voters).map(|()| voters)
    }

    /// A voter that does not understand what the log may hold would stop at it.
    fn understands_the_site(&self, ctx: &Context, id: GatewayId) -> Result<(), String> {
        let site = ctx.house.counters().version;
        match self.peers.versions(id) {
            Some(versions) if versions.newest >= site => Ok(()),
            Some(versions) => Err(format!(
                "gateway {id} runs a program that knows versions up to {}, and the site has version {site}: \
                 give it the program of the others first",
                versions.newest
            )),
            None => Err(format!(
                "gateway {id} has not said yet which versions it understands; is it connected? try again"
            )),
        }
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
}

fn tell_voters(agreement: &Agreement) -> Json {
    let voters: Vec<GatewayId> = agreement.voters().iter().map(gateway).collect();
    let observers = agreement.observers();
    let observers = observers.map(|(id, slot)| json!({"gateway": gateway(id), "applied": slot.0}));
    json!({"voters": voters, "observers": observers.collect::<Vec<_>>()})
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
