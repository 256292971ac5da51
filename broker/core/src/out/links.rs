//! Connections, as the core sees them: whose session, which answers, which end.

use std::collections::{BTreeSet, VecDeque};

use crate::codec::Action;
use crate::id::{ConnId, SessionKey};
use crate::map::Map;
use crate::packet::Reason;

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: Map<ConnId, Link>,
    /// Connections whose last packet waits for room.
    paused: BTreeSet<ConnId>,
}

#[derive(Debug, Default)]
struct Link {
    /// `None` once another connection has taken the session over.
    session: Option<SessionKey>,
    /// Answers, which go out before messages.
    answers: VecDeque<Action>,
    close: Option<Reason>,
}

/// What a connection was told, and whose messages come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// There is no such connection, or it has no session any more.
    Nothing,
    /// It ends.
    Close(Reason),
    /// The messages of this session.
    Session(SessionKey),
}

impl Links {
    pub(crate) fn open(&mut self, conn: ConnId, session: SessionKey) {
        self.links.insert(conn, Link { session: Some(session), ..Link::default() });
    }

    /// A connection is gone; its session, if it still had one.
    pub(crate) fn close(&mut self, conn: ConnId) -> Option<SessionKey> {
        self.paused.remove(&conn);
        self.links.remove(&conn)?.session
    }

    pub(crate) fn session(&self, conn: ConnId) -> Option<SessionKey> {
        self.links.get(&conn)?.session
    }

    /// The connection has no session any more.
    pub(crate) fn detach(&mut self, conn: ConnId) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.session = None;
        }
    }

    /// Whether there is such a connection.
    pub(super) fn answer(&mut self, conn: ConnId, action: Action) -> bool {
        let link = self.links.get_mut(&conn);
        link.map(|link| link.answers.push_back(action)).is_some()
    }

    /// Whether there is such a connection. The first reason counts.
    pub(super) fn end(&mut self, conn: ConnId, reason: Reason) -> bool {
        self.links.get_mut(&conn).map(|link| *link.close.get_or_insert(reason)).is_some()
    }

    /// Every connection, the oldest first.
    pub(super) fn all(&self) -> Vec<ConnId> {
        let mut all: Vec<_> = self.links.keys().copied().collect();
        all.sort_unstable();
        all
    }

    /// Moves the answers to `into` and counts them in `sent`.
    pub(crate) fn pull(
        &mut self,
        conn: ConnId,
        into: &mut impl Extend<Action>,
        sent: &mut u64,
    ) -> Pulled {
        let Some(link) = self.links.get_mut(&conn) else { return Pulled::Nothing };
        *sent += link.answers.len() as u64;
        into.extend(link.answers.drain(..));
        match (link.close, link.session) {
            (Some(reason), _) => Pulled::Close(reason),
            (None, Some(key)) => Pulled::Session(key),
            (None, None) => Pulled::Nothing,
        }
    }

    pub(crate) fn pause(&mut self, conn: ConnId) {
        self.paused.insert(conn);
    }

    /// Whether it was paused.
    pub(crate) fn unpause(&mut self, conn: ConnId) -> bool {
        self.paused.remove(&conn)
    }

    pub(super) fn unpause_all(&mut self) -> BTreeSet<ConnId> {
        std::mem::take(&mut self.paused)
    }
}

#[cfg(feature = "testing")]
impl Links {
    pub(crate) fn paused(&self) -> &BTreeSet<ConnId> {
        &self.paused
    }

    /// Each with whether it ends, and how many answers it has not pulled.
    pub(crate) fn views(&self) -> impl Iterator<Item = (ConnId, bool, usize)> {
        self.links.iter().map(|(&conn, link)| (conn, link.close.is_some(), link.answers.len()))
    }
}
