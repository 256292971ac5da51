//! Who waits for the store to read something.

use std::collections::BTreeMap;

use wire::{Answer, CacheUse};

use crate::event::{Effect, Read};
use crate::id::Ticket;
use crate::reply::Reply;
use crate::survey::Survey;
use crate::want::Wants;

/// Reads that the store has not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// At most [`AT_ONCE`].
    asked: BTreeMap<Ticket, Asked>,
    ticket: Ticket,
}

/// Someone who waits for the store.
#[derive(Debug)]
pub(crate) enum Asked {
    /// The owner, for a query.
    Query(Query),
    /// A local read.
    Local(Reply),
    /// The registration table with the states.
    Devices(Reply),
    /// Agreed changes.
    History(Reply),
    /// The numbered event log.
    Log(Reply),
    /// The sums of the rows.
    Survey(Reply),
}

/// A query of one device.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) reply: Reply,
    /// How the cache was used.
    pub(crate) used: CacheUse,
    /// Whether the device is asked too.
    pub(crate) refresh: bool,
}

/// Requests that wait for the store, or for a round, at once. Either takes one write, so this is a burst.
pub(crate) const AT_ONCE: usize = 4096;

/// Why a request finds no place.
pub(crate) const TOO_MANY: &str = "too many requests at once; try again";

impl Reads {
    pub(crate) fn waiting(&self) -> usize {
        self.asked.len()
    }

    /// Reads for someone; refuses when too many wait.
    pub(crate) fn ask(&mut self, asked: Asked, out: &mut Wants, read: impl FnOnce(Ticket) -> Read) {
        if self.asked.len() >= AT_ONCE {
            return asked.reply().answer(Answer::error(TOO_MANY), out);
        }
        self.ticket = self.ticket.next();
        self.asked.insert(self.ticket, asked);
        out.read(read(self.ticket));
    }

    /// Looks at the rows of the file for someone; refuses when too many wait.
    pub(crate) fn survey(&mut self, reply: Reply, survey: Survey, out: &mut Wants) {
        if self.asked.len() >= AT_ONCE {
            return reply.answer(Answer::error(TOO_MANY), out);
        }
        self.ticket = self.ticket.next();
        self.asked.insert(self.ticket, Asked::Survey(reply));
        out.effect(Effect::Survey(survey, self.ticket));
    }

    /// Who waits for this.
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Asked> {
        self.asked.remove(&ticket)
    }
}

impl Asked {
    pub(crate) const fn reply(&self) -> &Reply {
        match self {
            Self::Query(Query { reply, .. })
            | Self::Local(reply)
            | Self::Devices(reply)
            | Self::History(reply)
            | Self::Log(reply)
            | Self::Survey(reply) => reply,
        }
    }
}
