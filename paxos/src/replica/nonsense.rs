//! What no replica says, whatever has happened to it: recognised before any role believes it.
//!
//! This is no authentication: whoever can send in a peer's name can also lie within these bounds, and make a group
//! agree on what nobody proposed. What contradicts what a replica holds, it does not believe either
//! ([`Event::Contradicted`](crate::Event)). Numbers that nobody can have counted to would do worse: they use up the
//! rounds for ever, or make a leader fill gaps without end.

use super::Replica;
use crate::id::{Ballot, Slot};
use crate::message::{Entry, Message, Value};
use crate::voters::Voters;

/// Rounds that a ballot may be above every other that was heard: with an election every 300 ms, forty years.
const ROUNDS: u64 = 1 << 32;

/// Slots that a peer may be ahead: at a million a second, nine years.
const SLOTS: u64 = 1 << 48;

/// Slots above the chosen prefix that an acceptor may report at the least, should windows differ within a group.
const REPORTED: u64 = 1 << 16;

impl Replica {
    /// Whether no replica that keeps to the protocol can have sent this.
    pub(super) fn is_nonsense(&self, message: &Message) -> bool {
        let ballot = |ballot: Ballot| self.is_out_of_reach(ballot);
        let far = |slot: Slot| slot.above(self.log.chosen()) > SLOTS;
        let no_start = |slot: Slot| slot == Slot::ZERO || far(slot);
        match message {
            Message::Seek
            | Message::Blank { .. }
            | Message::Propose { .. }
            | Message::Refuse { .. } => false,
            Message::Founded { chosen, .. } => far(*chosen),
            Message::PreVote { chosen, replacing, .. } => {
                far(*chosen) || replacing.is_some_and(ballot)
            }
            Message::PreVoteAnswer { promised, chosen, .. } => ballot(*promised) || far(*chosen),
            Message::Prepare { ballot: asked, from } => ballot(*asked) || no_start(*from),
            Message::Promise { ballot: given, from, to, chosen, entries } => {
                ballot(*given) || far(*chosen) || self.is_no_report(*from, *to, entries)
            }
            Message::Accept { ballot: led, chosen, slot, value } => {
                ballot(*led) || far(*chosen) || no_start(*slot) || is_no_value(value)
            }
            Message::Accepted { ballot: led, from, to, chosen } => {
                ballot(*led) || no_start(*from) || to < from || far(*to) || far(*chosen)
            }
            Message::Nack { ballot: led, promised, chosen } => {
                ballot(*led) || ballot(*promised) || far(*chosen)
            }
            Message::TooFarBehind { ballot: led, chosen }
            | Message::Heartbeat { ballot: led, chosen, .. }
            | Message::HeartbeatAck { ballot: led, chosen, .. }
            | Message::Commit { ballot: led, chosen } => ballot(*led) || far(*chosen),
            Message::CatchUp { from } => no_start(*from),
            Message::Suffix { chosen, entries } => {
                far(*chosen) || self.is_no_suffix(*chosen, entries)
            }
            Message::Handover { ballot: led } => ballot(*led),
        }
    }

    /// Round 0 is nobody's, and far above all others is nobody yet.
    fn is_out_of_reach(&self, ballot: Ballot) -> bool {
        let highest = self.acceptor.promised().max(self.election.seen());
        let far = ballot.round.saturating_sub(highest.round) > ROUNDS;
        far || (ballot.round == 0 && ballot != Ballot::ZERO)
    }

    /// A report is ascending, lies in its range, and does not reach above what acceptors may hold.
    fn is_no_report(&self, from: Slot, to: Slot, entries: &[Entry]) -> bool {
        let config = &self.group.config;
        let held = config.log_window.saturating_add(config.window).saturating_mul(4);
        let last = self.log.chosen().plus(held.max(REPORTED));
        let ascending = entries.windows(2).all(|pair| pair[0].slot < pair[1].slot);
        let inside = |entry: &Entry| {
            from <= entry.slot && entry.slot <= to && entry.slot <= last && self.is_entry(entry)
        };
        from == Slot::ZERO || to < from || !ascending || !entries.iter().all(inside)
    }

    /// What is chosen has no holes and ends where its sender says.
    fn is_no_suffix(&self, chosen: Slot, entries: &[Entry]) -> bool {
        let whole = entries.windows(2).all(|pair| pair[0].slot.next() == pair[1].slot);
        let known = |entry: &Entry| entry.slot <= chosen && self.is_entry(entry);
        !whole || !entries.iter().all(known)
    }

    fn is_entry(&self, entry: &Entry) -> bool {
        entry.slot > Slot::ZERO
            && !self.is_out_of_reach(entry.ballot)
            && entry.ballot.round > 0
            && !is_no_value(&entry.value)
    }
}

/// A group without voters could never change again.
fn is_no_value(value: &Value) -> bool {
    value.voters().is_some_and(Voters::is_empty)
}
