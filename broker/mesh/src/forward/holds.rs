//! PUBACKs that wait until a second node has a message.
//!
//! It has to be one that is retained, or that a kept session wants. Reports and sets of zones have their own rule.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::planted;
use crate::id::{Counter, NodeId, Nodes, Token};
use crate::moment::Moment;

/// How long a publisher waits for a second node. 500 ms: longer than a peer's silence until it is suspected.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// Publishers that wait.
///
/// A client has at most its Receive Maximum of publishes open, which bounds them.
#[derive(Debug, Default)]
pub(crate) struct Holds {
    waiting: BTreeMap<Token, Hold>,
    alone: u64,
}

/// What a publisher waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hold {
    /// The message.
    pub counter: Counter,
    /// One of these is to have it; nobody, if it is not retained.
    pub one_of: Nodes,
    /// Each of these is to have it, for sessions that they keep.
    pub each_of: Nodes,
    /// Since when.
    pub since: Moment,
}

/// How safe a message is whose publisher may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Two nodes have it, or nobody has asked for that.
    Promised,
    /// Only this node has it for sure: no peer was there, or none answered in time.
    Alone,
}

impl Holds {
    /// A publisher waits, unless there is nothing to wait for.
    pub(crate) fn add(&mut self, token: Token, hold: Hold) {
        self.waiting.insert(token, hold);
    }

    /// How many messages were acknowledged that only this node had.
    #[must_use]
    pub(crate) fn alone(&self) -> u64 {
        self.alone
    }

    /// No peer is there to have it.
    pub(crate) fn count_alone(&mut self) -> Kept {
        self.alone += 1;
        Kept::Alone
    }

    /// A peer has kept everything up to here; who may know.
    pub(crate) fn confirmed(&mut self, node: NodeId, kept: Counter) -> Vec<Token> {
        for hold in self.waiting.values_mut().filter(|hold| hold.counter <= kept) {
            hold.each_of.remove(node);
            if hold.one_of.contains(node) {
                hold.one_of = Nodes::NONE;
            }
        }
        let done = |_: &Token, hold: &mut Hold| hold.one_of.is_empty() && hold.each_of.is_empty();
        self.waiting.extract_if(.., done).map(|(token, _)| token).collect()
    }

    /// A peer's life has ended, and with it what it had of messages up to here. Those that wait only for it wait until
    /// their time is over, for another node may take its place.
    pub(crate) fn restarted(&mut self, node: NodeId, at: Counter) {
        let lost = |hold: &&mut Hold| hold.counter <= at;
        for hold in self.waiting.values_mut().filter(lost) {
            if hold.one_of.contains(node) && hold.one_of.len() > 1 {
                hold.one_of.remove(node);
            } else if hold.one_of.contains(node) || hold.each_of.contains(node) {
                // Nobody will ever confirm it.
                hold.counter = Counter(u64::MAX);
            }
        }
    }

    /// Whose time is over.
    pub(crate) fn overdue(&mut self, now: Moment) -> Vec<Token> {
        let due = |_: &Token, hold: &mut Hold| planted::overdue(now.since(hold.since) >= PATIENCE);
        let due: Vec<Token> = self.waiting.extract_if(.., due).map(|(token, _)| token).collect();
        self.alone += due.len() as u64;
        due
    }

    /// When the next one's time is over.
    #[must_use]
    pub(crate) fn next(&self) -> Option<Moment> {
        self.waiting.values().map(|hold| hold.since.after(PATIENCE)).min()
    }
}
