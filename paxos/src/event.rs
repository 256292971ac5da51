//! What happened, in words.

use alloc::vec::Vec;
use core::fmt;

use crate::id::{Ballot, ReplicaId, RequestId, Slot};
use crate::voters::Voters;

/// What happened, for people; nothing depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The leader began to get a value accepted.
    RoundStarted {
        /// For this slot.
        slot: Slot,
        /// In this ballot.
        ballot: Ballot,
    },
    /// A replica's acceptance reached the leader.
    Accepted {
        /// For this slot.
        slot: Slot,
        /// In this ballot.
        ballot: Ballot,
        /// Whose acceptance.
        by: ReplicaId,
    },
    /// The leader gave up before the slot was chosen; a later leader decides.
    RoundFailed {
        /// The slot.
        slot: Slot,
        /// The ballot that failed.
        ballot: Ballot,
        /// The ballot that stood in the way, if one did.
        higher: Option<Ballot>,
    },
    /// The slot is chosen, and so is every slot below it.
    Chosen {
        /// The slot.
        slot: Slot,
    },
    /// A pre-vote began.
    Asking {
        /// The how-manieth.
        attempt: u64,
    },
    /// Phase 1 began.
    Campaigning {
        /// With this ballot.
        ballot: Ballot,
    },
    /// Phase 1 succeeded.
    Leading {
        /// In this ballot.
        ballot: Ballot,
    },
    /// A leader was heard from that was not followed before.
    Following {
        /// Who leads.
        leader: ReplicaId,
        /// In which ballot.
        ballot: Ballot,
    },
    /// This replica stopped leading or campaigning.
    SteppedDown {
        /// The ballot it had.
        ballot: Ballot,
        /// Why.
        reason: SteppedDown,
    },
    /// This replica asks a preferred one to lead.
    HandingOver {
        /// Whom.
        to: ReplicaId,
    },
    /// Chosen slots are missing here.
    CatchingUp {
        /// The first that is missing.
        from: Slot,
        /// The last that is known to be chosen.
        to: Slot,
    },
    /// Nothing that is known to be chosen is missing any more.
    CaughtUp,
    /// The peer's log does not reach back far enough: this replica needs a snapshot, then [`Input::Installed`].
    SnapshotNeeded {
        /// Who has a state to copy.
        from: ReplicaId,
        /// The first slot that is missing here.
        missing: Slot,
    },
    /// These were not proposed: there is no leader, or a queue is full.
    Refused(Vec<RequestId>),
    /// The group exists: these founded it.
    Founded(Voters),
    /// Blank, and waiting for these founders, of whom nothing was heard.
    Awaiting(Vec<u8>),
    /// From the slot after this one on, these vote.
    Voting {
        /// The slot that says so.
        slot: Slot,
        /// Who votes.
        voters: Voters,
    },
    /// A peer said of a slot what cannot be, if it and this replica keep to the protocol: it was not believed. One of
    /// the two is forged, damaged, or wrong.
    Contradicted {
        /// Who said it.
        by: ReplicaId,
        /// The slot, which holds another value here.
        slot: Slot,
        /// The ballot of what was said.
        ballot: Ballot,
    },
    /// These were not proposed as voters.
    VotersRefused {
        /// Who was to vote.
        voters: Voters,
        /// Why not.
        why: NoChange,
    },
}

/// Why a group of voters was not proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChange {
    /// This replica does not lead.
    NotLeading,
    /// Another change is under way, or the leader has only just begun.
    Busy,
    /// A new one, or a majority of them, is not alive and up to date: they could not choose anything.
    NotReady,
}

/// Why a leadership or a candidacy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SteppedDown {
    /// A higher ballot exists.
    HigherBallot(Ballot),
    /// No majority was heard from for an election timeout.
    LostQuorum,
    /// A voter no longer holds in memory what is missing here.
    TooFarBehind,
    /// Phase 1 found no majority in time.
    NoMajority,
    /// A snapshot replaced the log.
    Installed,
    /// It has no vote any more.
    Removed,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoundStarted { slot, ballot } => write!(f, "slot {slot}: round {ballot} started"),
            Self::Accepted { slot, ballot, by } => {
                write!(f, "slot {slot}: round {ballot} accepted by {by}")
            }
            Self::RoundFailed { slot, ballot, higher: Some(higher) } => {
                write!(f, "slot {slot}: round {ballot} failed, {higher} is higher")
            }
            Self::RoundFailed { slot, ballot, higher: None } => {
                write!(f, "slot {slot}: round {ballot} failed")
            }
            Self::Chosen { slot } => write!(f, "slot {slot}: chosen"),
            Self::Asking { attempt } => write!(f, "asks for votes, attempt {attempt}"),
            Self::Campaigning { ballot } => write!(f, "campaigns with {ballot}"),
            Self::Leading { ballot } => write!(f, "leads {ballot}"),
            Self::Following { leader, ballot } => write!(f, "follows {leader} in {ballot}"),
            Self::SteppedDown { ballot, reason } => write!(f, "gives up {ballot}: {reason}"),
            Self::HandingOver { to } => write!(f, "hands over to {to}"),
            Self::CatchingUp { from, to } => write!(f, "catches up from slot {from} to {to}"),
            Self::CaughtUp => write!(f, "caught up"),
            Self::SnapshotNeeded { from, missing } => {
                write!(f, "needs a snapshot from {from}: slot {missing} is missing")
            }
            Self::Refused(requests) => {
                write!(f, "refused")?;
                let mut each = requests.iter();
                each.try_for_each(|id| write!(f, " {}#{}", id.session, id.number))
            }
            Self::Founded(voters) => write!(f, "founded by {voters}"),
            Self::Awaiting(numbers) => write!(f, "waits for founders {numbers:?}"),
            Self::Voting { slot, voters } => write!(f, "slot {slot}: {voters} vote from here on"),
            Self::Contradicted { by, slot, ballot } => {
                write!(f, "slot {slot}: {by} says in {ballot} what contradicts this replica")
            }
            Self::VotersRefused { voters, why } => write!(f, "voters {voters} refused: {why}"),
        }
    }
}

impl fmt::Display for SteppedDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HigherBallot(ballot) => write!(f, "{ballot} is higher"),
            Self::LostQuorum => write!(f, "no majority answers"),
            Self::TooFarBehind => write!(f, "too far behind"),
            Self::NoMajority => write!(f, "no majority promised in time"),
            Self::Installed => write!(f, "a snapshot replaced the log"),
            Self::Removed => write!(f, "it has no vote any more"),
        }
    }
}

impl fmt::Display for NoChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLeading => write!(f, "this replica does not lead"),
            Self::Busy => write!(f, "another change is under way"),
            Self::NotReady => {
                write!(f, "a new one, or a majority of them, is not alive and up to date")
            }
        }
    }
}
