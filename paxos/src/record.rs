//! What must be on disk, and how to start again from it.

use alloc::vec::Vec;

use crate::id::{Ballot, Slot};
use crate::message::{Entry, Value};
use crate::voters::Voters;

/// One durable fact. Written in order; a later record of a kind (and slot) replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Record {
    /// No ballot below this one will be answered. Also how a candidate keeps its own ballot from being used twice.
    Promised(Ballot),
    /// The slot's value and the ballot under which it was accepted (or learnt as chosen).
    Accepted {
        /// Where in the log.
        slot: Slot,
        /// The ballot.
        ballot: Ballot,
        /// The value.
        value: Value,
    },
    /// Everything up to here is chosen, and the accepted entries up to here are the chosen ones.
    /// Losing it costs only time, so it forces no write by itself.
    Chosen(Slot),
    /// These founded the group: they vote from slot 1 on. Written once in a disk's life.
    Founded(Voters),
    /// The answer to [`Input::Installed`](crate::Input::Installed): this transaction replaces the state machine by
    /// the snapshot up to here, and deletes the entries up to here, which may hold values that were not chosen.
    Installed(Slot),
}

/// What a replica finds on its disk when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The last [`Record::Promised`], or [`Ballot::ZERO`].
    pub promised: Ballot,
    /// Accepted entries, one per slot, ascending: all of them above `applied`, and as many below as are cheap to read.
    pub accepted: Vec<Entry>,
    /// The last [`Record::Chosen`], or [`Slot::ZERO`].
    pub chosen: Slot,
    /// The last slot that the state machine holds.
    pub applied: Slot,
    /// [`Record::Founded`], or nobody.
    pub founders: Voters,
    /// Who votes in the slot after `applied`: the last [`Value::Voters`] that the state machine applied or got with
    /// a snapshot, else `founders`.
    pub voters: Voters,
}

impl Recovered {
    /// A disk without history.
    pub const fn empty() -> Self {
        Self {
            promised: Ballot::ZERO,
            accepted: Vec::new(),
            chosen: Slot::ZERO,
            applied: Slot::ZERO,
            founders: Voters::none(),
            voters: Voters::none(),
        }
    }

    /// The same, of a group that these founded.
    #[must_use]
    pub fn founded_by(self, founders: Voters) -> Self {
        Self { voters: founders.clone(), founders, ..self }
    }
}

impl Default for Recovered {
    fn default() -> Self {
        Self::empty()
    }
}
