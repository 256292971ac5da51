//! Messages under way.

use std::fmt;

use paxos::{Ballot, Message, Replica, ReplicaId, Slot, Value};

#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) from: ReplicaId,
    pub(crate) to: ReplicaId,
    pub(crate) message: Message,
}

impl Envelope {
    /// Whether the model carries it. Losing a message is always allowed, so this only bounds what is visited.
    pub(crate) fn matters(&self, slots: u64) -> bool {
        match &self.message {
            // Beyond the bound.
            Message::Accept { slot, .. } | Message::Accepted { to: slot, .. } => slot.0 <= slots,
            Message::Prepare { .. }
            | Message::Promise { .. }
            | Message::TooFarBehind { .. }
            | Message::Commit { .. } => true,
            // It only makes a proposer give up, as a crash does, and one that goes on is refused all the same.
            Message::Nack { .. } => false,
            // A heartbeat does what a commit mark does, and its answer counts for leases and timers only.
            Message::Heartbeat { .. } | Message::HeartbeatAck { .. } => false,
            // They only lead to a campaign, which may happen at any time anyway.
            Message::PreVote { .. } | Message::PreVoteAnswer { .. } | Message::Handover { .. } => {
                false
            }
            // Nobody is late by more than the bounds, so nobody asks but whoever is to get a vote, in the beginning.
            Message::CatchUp { .. } | Message::Suffix { .. } => false,
            // Clients ask leaders themselves.
            Message::Propose { .. } | Message::Refuse { .. } => false,
            // The group exists.
            Message::Seek | Message::Blank { .. } | Message::Founded { .. } => false,
        }
    }

    /// Whether it can have no effect at its addressee any more.
    pub(crate) fn is_dead(&self, replica: &Replica, durable: Ballot) -> bool {
        let own = replica.ballot();
        match &self.message {
            Message::Prepare { ballot, .. }
            | Message::Accept { ballot, .. }
            | Message::Commit { ballot, .. } => *ballot < durable,
            Message::Promise { ballot, .. } => {
                *ballot <= durable && (own > *ballot || replica.is_leading())
            }
            Message::Accepted { ballot, to: slot, .. } => {
                *ballot <= durable
                    && (own > *ballot || !replica.is_leading() || replica.chosen_to() >= *slot)
            }
            _ => false,
        }
    }

    /// How far the sender of an answer knows all to be chosen is read only to decide when to catch up, which
    /// nobody has to within the bounds; one answer must not count as several.
    pub(crate) fn settled(mut self) -> Self {
        if let Message::Accepted { chosen, .. }
        | Message::Nack { chosen, .. }
        | Message::TooFarBehind { chosen, .. } = &mut self.message
        {
            *chosen = Slot::ZERO;
        }
        self
    }
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.message.name(), self.from)?;
        match &self.message {
            Message::Prepare { ballot, from } => write!(f, ": {ballot}, from slot {from} on"),
            Message::Promise { ballot, chosen, entries, .. } => {
                write!(f, ": {ballot}, chosen to {chosen}, accepted")?;
                let mut each = entries.iter();
                each.try_for_each(|e| write!(f, " {}={}@{}", e.slot, text(&e.value), e.ballot))
            }
            Message::Accept { ballot, chosen, slot, value } => {
                write!(f, ": {ballot}, slot {slot}={}, chosen to {chosen}", text(value))
            }
            Message::Accepted { ballot, to: slot, .. } => write!(f, ": {ballot}, slot {slot}"),
            Message::Nack { ballot, promised, .. } => write!(f, ": {ballot}, promised {promised}"),
            Message::Commit { ballot, chosen } => write!(f, ": {ballot}, chosen to {chosen}"),
            _ => Ok(()),
        }
    }
}

/// A value in a word.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::NoOp => "no-op".to_owned(),
        Value::Voters(voters) => format!("voters({voters})"),
        Value::Batch(requests) => {
            let each: Vec<_> = requests.iter().map(|r| r.session.to_string()).collect();
            each.join("+")
        }
    }
}
