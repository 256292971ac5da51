//! What a step leaves behind: answers to clients, effects for the caller, timers, counts. Every room writes here, and
//! reads nothing of it.

mod counts;
mod effects;
mod links;
mod timers;

pub use counts::Counts;
pub use effects::{Complaint, Effects};
pub(crate) use links::{Links, Pulled};
pub(crate) use timers::{Timer, Timers};

use crate::codec::Action;
use crate::id::ConnId;
use crate::keep::Keep;
use crate::packet::{Qos, Reason};

/// All that comes out of a core.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) effects: Effects,
    pub(crate) timers: Timers,
    pub(crate) counts: Counts,
    pub(crate) links: Links,
}

impl Out {
    /// A connection has something to pull.
    pub(crate) fn wake(&mut self, conn: ConnId) {
        self.effects.wake.push(conn);
    }

    /// Tells the store.
    pub(crate) fn keep(&mut self, change: Keep) {
        self.effects.keep.push(change);
    }

    /// Answers a client, unless its connection is gone.
    pub(crate) fn answer(&mut self, conn: ConnId, action: Action) {
        if self.links.answer(conn, action) {
            self.wake(conn);
        }
    }

    /// Answers a publish of this QoS.
    pub(crate) fn acknowledge(&mut self, conn: ConnId, pid: u16, qos: Qos, reason: Reason) {
        let action = match qos {
            Qos::ExactlyOnce => Action::Pubrec(pid, reason),
            _ => Action::Puback(pid, reason),
        };
        self.answer(conn, action);
    }

    /// Ends a connection after all that it has been told.
    pub(crate) fn end(&mut self, conn: ConnId, reason: Reason) {
        if self.links.end(conn, reason) {
            self.wake(conn);
        }
    }

    /// Ends every connection.
    pub(crate) fn end_all(&mut self, reason: Reason) {
        for conn in self.links.all() {
            self.end(conn, reason);
        }
    }

    /// There is room again: connections whose last packet found none are read further.
    pub(crate) fn read_on(&mut self) {
        self.effects.wake.extend(self.links.unpause_all());
    }
}
