//! What is agreed on, and what replicas say to each other to agree on it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{Ballot, ReplicaId, RequestId, SessionId, Slot};
use crate::voters::Voters;

/// One request of a session. The payload has no meaning here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Request {
    /// Whose request it is.
    pub session: SessionId,
    /// Its number in that session, from 1. A (session, number) pair never names two payloads.
    pub number: u64,
    /// What the state machine will read.
    pub payload: Arc<[u8]>,
}

impl Request {
    /// The request's name, without its payload.
    pub const fn id(&self) -> RequestId {
        RequestId { session: self.session, number: self.number }
    }
}

/// What a slot holds. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Value {
    /// Nothing: fills a gap, or starts a leadership (Paxos Made Simple, 3).
    NoOp,
    /// Requests, to be applied in this order.
    Batch(Arc<[Request]>),
    /// Who votes from the next slot on.
    Voters(Arc<Voters>),
}

impl Value {
    /// The requests inside, in order.
    pub fn requests(&self) -> &[Request] {
        match self {
            Self::NoOp | Self::Voters(_) => &[],
            Self::Batch(requests) => requests,
        }
    }

    /// Who votes from the next slot on, if this says so.
    pub fn voters(&self) -> Option<&Voters> {
        match self {
            Self::Voters(voters) => Some(voters),
            Self::NoOp | Self::Batch(_) => None,
        }
    }

    /// Payload bytes inside.
    pub fn bytes(&self) -> usize {
        self.requests().iter().map(|r| r.payload.len()).sum()
    }
}

/// A slot's value with the ballot under which it was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Entry {
    /// Where in the log.
    pub slot: Slot,
    /// The highest ballot at which the sender accepted or learnt it.
    pub ballot: Ballot,
    /// What.
    pub value: Value,
}

/// How a voter answers a pre-vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Opinion {
    /// It would promise.
    Granted,
    /// It hears from a live leader and does not suspect it.
    LeaderAlive(ReplicaId),
    /// The candidate misses slots that the voter no longer holds in memory; catch up first.
    Behind,
    /// The candidate has no vote, as far as the voter knows, and the voter knows as much as it does.
    Stranger,
}

/// What one replica says to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Message {
    /// I am blank: is there a group?
    Seek,
    /// So am I. Said only to the founder with the lowest number, who founds the group.
    Blank {
        /// To which disk of that founder: another one must ask anew, for a group may exist by then.
        to: ReplicaId,
    },
    /// There is: these founded it.
    Founded {
        /// Who votes from slot 1 on.
        founders: Voters,
        /// The sender's chosen prefix.
        chosen: Slot,
    },
    /// Would you promise, if I asked? Changes nothing at the voter.
    PreVote {
        /// The candidate's own count of its attempts; comes back in the answer.
        attempt: u64,
        /// The candidate's chosen prefix.
        chosen: Slot,
        /// The ballot of the leader that asked the candidate to take over.
        replacing: Option<Ballot>,
    },
    /// The answer to a pre-vote.
    PreVoteAnswer {
        /// The attempt that is answered.
        attempt: u64,
        /// What the voter thinks of it.
        opinion: Opinion,
        /// The voter's promise, so that the candidate's ballot will be above it.
        promised: Ballot,
        /// The voter's chosen prefix.
        chosen: Slot,
    },
    /// Phase 1a, once for all slots from `from` on.
    Prepare {
        /// The ballot to promise.
        ballot: Ballot,
        /// The first slot to report.
        from: Slot,
    },
    /// Phase 1b: a promise, and every accepted entry in `from ..= to`.
    Promise {
        /// The ballot promised.
        ballot: Ballot,
        /// The first slot reported.
        from: Slot,
        /// The last slot reported; `Slot(u64::MAX)` when nothing is left.
        to: Slot,
        /// The voter's chosen prefix: reported entries up to here are chosen.
        chosen: Slot,
        /// The accepted entries, ascending.
        entries: Vec<Entry>,
    },
    /// Phase 2a.
    Accept {
        /// The leader's ballot.
        ballot: Ballot,
        /// The leader's chosen prefix.
        chosen: Slot,
        /// Which slot.
        slot: Slot,
        /// What to accept there.
        value: Value,
    },
    /// Phase 2b: everything in `from ..= to` is accepted and durable. It speaks for several slots when one write
    /// made them durable, and always names them: whatever was lost or overtaken on the way, it claims neither more
    /// nor less.
    Accepted {
        /// The ballot at which all of them were accepted.
        ballot: Ballot,
        /// The first slot.
        from: Slot,
        /// The last slot.
        to: Slot,
        /// The voter's chosen prefix.
        chosen: Slot,
    },
    /// No: a higher ballot is promised.
    Nack {
        /// The ballot that is refused.
        ballot: Ballot,
        /// Why.
        promised: Ballot,
        /// The voter's chosen prefix.
        chosen: Slot,
    },
    /// No promise: the candidate misses slots that the voter no longer holds in memory, or that took its vote.
    TooFarBehind {
        /// The ballot that is refused.
        ballot: Ballot,
        /// The voter's chosen prefix.
        chosen: Slot,
    },
    /// The leader lives.
    Heartbeat {
        /// Its ballot.
        ballot: Ballot,
        /// Its count of heartbeats in this ballot.
        beat: u64,
        /// Its chosen prefix.
        chosen: Slot,
    },
    /// The answer: nothing above `ballot` is promised here.
    HeartbeatAck {
        /// The ballot of the heartbeat.
        ballot: Ballot,
        /// The heartbeat that is answered.
        beat: u64,
        /// The follower's chosen prefix.
        chosen: Slot,
    },
    /// The chosen prefix grew, and no `Accept` is about to say so.
    Commit {
        /// The leader's ballot.
        ballot: Ballot,
        /// Its chosen prefix.
        chosen: Slot,
    },
    /// Requests for the leader, in order.
    Propose {
        /// What to propose.
        requests: Vec<Request>,
    },
    /// The leader's queue is full: these were not proposed.
    Refuse {
        /// Which.
        requests: Vec<RequestId>,
    },
    /// Send me what is chosen from here on.
    CatchUp {
        /// The first slot that is missing.
        from: Slot,
    },
    /// Chosen entries, ascending and without holes.
    Suffix {
        /// The sender's chosen prefix.
        chosen: Slot,
        /// The entries; empty when the sender has them no more and a snapshot is needed.
        entries: Vec<Entry>,
    },
    /// The leader asks a preferred follower to lead.
    Handover {
        /// The leader's ballot.
        ballot: Ballot,
    },
}

impl Message {
    /// Lets an acceptance speak for the slot after its last one too, if `next` accepts that in the same ballot.
    pub(crate) fn extend(&mut self, next: &Self) -> bool {
        let (
            Self::Accepted { ballot, to, chosen, .. },
            Self::Accepted { ballot: same, from, to: last, chosen: latest },
        ) = (self, next)
        else {
            return false;
        };
        let joins = ballot == same && to.next() == *from;
        if joins {
            (*to, *chosen) = (*last, *latest);
        }
        joins
    }

    /// The kind of message, in one word, for logs and counters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Seek => "seek",
            Self::Blank { .. } => "blank",
            Self::Founded { .. } => "founded",
            Self::PreVote { .. } => "pre-vote",
            Self::PreVoteAnswer { .. } => "pre-vote-answer",
            Self::Prepare { .. } => "prepare",
            Self::Promise { .. } => "promise",
            Self::Accept { .. } => "accept",
            Self::Accepted { .. } => "accepted",
            Self::Nack { .. } => "nack",
            Self::TooFarBehind { .. } => "too-far-behind",
            Self::Heartbeat { .. } => "heartbeat",
            Self::HeartbeatAck { .. } => "heartbeat-ack",
            Self::Commit { .. } => "commit",
            Self::Propose { .. } => "propose",
            Self::Refuse { .. } => "refuse",
            Self::CatchUp { .. } => "catch-up",
            Self::Suffix { .. } => "suffix",
            Self::Handover { .. } => "handover",
        }
    }
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_encoding() {
        let request =
            Request { session: SessionId(3), number: 9, payload: Arc::from(&b"21.5"[..]) };
        let ballot = Ballot { round: 300, replica: ReplicaId::new(2, 9) };
        let message = Message::Promise {
            ballot,
            from: Slot(4),
            to: Slot(u64::MAX),
            chosen: Slot(3),
            entries: alloc::vec![Entry {
                slot: Slot(4),
                ballot,
                value: Value::Batch(Arc::from([request])),
            }],
        };
        let bytes = postcard::to_allocvec(&message).expect("encodes");
        assert_eq!(postcard::from_bytes::<Message>(&bytes), Ok(message));
    }

    #[test]
    fn a_group_that_cannot_be_is_refused() {
        let twice = alloc::vec![ReplicaId::new(1, 0), ReplicaId::new(1, 5)];
        let bytes = postcard::to_allocvec(&twice).expect("encodes");
        assert!(postcard::from_bytes::<Voters>(&bytes).is_err());
    }
}
