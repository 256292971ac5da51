//! A bounded table of sessions, for a state machine to own: each request is applied once.
//!
//! The table is a pure function of the log: give it every chosen request in order and every replica holds the
//! same table. It belongs into snapshots with the rest of the state.

use alloc::collections::BTreeMap;

use crate::id::SessionId;
use crate::message::Request;

/// What to do with a chosen request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The next of its session: apply it. It counts as applied from now on.
    Fresh,
    /// Applied before: answer, but do not apply.
    Duplicate,
    /// An earlier request of its session is missing: do not apply; its sender starts again from the gap.
    Gap,
    /// The session is not open.
    Unknown,
}

/// The table is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionsFull;

/// For each open session the number of its last applied request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    limit: usize,
    last: BTreeMap<SessionId, u64>,
}

impl Sessions {
    /// An empty table for at most `limit` sessions.
    pub const fn new(limit: usize) -> Self {
        Self { limit, last: BTreeMap::new() }
    }

    /// A table as [`iter`](Self::iter) gave it.
    ///
    /// # Errors
    /// If there are more rows than `limit`.
    pub fn restore(
        limit: usize,
        rows: impl IntoIterator<Item = (SessionId, u64)>,
    ) -> Result<Self, SessionsFull> {
        let last: BTreeMap<_, _> = rows.into_iter().collect();
        if last.len() > limit {
            return Err(SessionsFull);
        }
        Ok(Self { limit, last })
    }

    /// Opens a session, whose first request will have number 1. An open session stays as it is.
    ///
    /// # Errors
    /// If the table is full. Nothing is evicted: a forgotten session's retries would be applied twice.
    pub fn open(&mut self, session: SessionId) -> Result<(), SessionsFull> {
        if !self.last.contains_key(&session) {
            if self.last.len() >= self.limit {
                return Err(SessionsFull);
            }
            self.last.insert(session, 0);
        }
        Ok(())
    }

    /// Closes a session; true if it was open. Its id must not be opened again.
    pub fn close(&mut self, session: SessionId) -> bool {
        self.last.remove(&session).is_some()
    }

    /// Judges a chosen request; only `last + 1` is fresh, and it then is the new last.
    pub fn admit(&mut self, request: &Request) -> Admission {
        let Some(last) = self.last.get_mut(&request.session) else {
            return Admission::Unknown;
        };
        if request.number <= *last {
            return Admission::Duplicate;
        }
        if request.number - *last > 1 {
            return Admission::Gap;
        }
        *last = request.number;
        Admission::Fresh
    }

    /// The number of a session's last applied request; 0 before its first, `None` if it is not open.
    pub fn last(&self, session: SessionId) -> Option<u64> {
        self.last.get(&session).copied()
    }

    /// All rows, ascending, for a snapshot.
    pub fn iter(&self) -> impl Iterator<Item = (SessionId, u64)> + '_ {
        self.last.iter().map(|(session, last)| (*session, *last))
    }

    /// How many sessions are open.
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// True if no session is open.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;

    use super::*;

    fn request(session: u64, number: u64) -> Request {
        Request { session: SessionId(session), number, payload: Arc::from([]) }
    }

    #[test]
    fn only_the_next_number_is_fresh() {
        let mut sessions = Sessions::new(2);
        assert_eq!(sessions.admit(&request(1, 1)), Admission::Unknown);
        assert_eq!(sessions.open(SessionId(1)), Ok(()));
        assert_eq!(sessions.admit(&request(1, 2)), Admission::Gap);
        assert_eq!(sessions.admit(&request(1, 1)), Admission::Fresh);
        assert_eq!(sessions.admit(&request(1, 1)), Admission::Duplicate);
        assert_eq!(sessions.admit(&request(1, 2)), Admission::Fresh);
        assert_eq!(sessions.admit(&request(1, u64::MAX)), Admission::Gap);
    }

    #[test]
    fn the_table_is_bounded_and_survives_a_snapshot() {
        let mut sessions = Sessions::new(1);
        assert_eq!(sessions.open(SessionId(1)), Ok(()));
        assert_eq!(sessions.open(SessionId(1)), Ok(()));
        assert_eq!(sessions.open(SessionId(2)), Err(SessionsFull));
        assert_eq!(sessions.admit(&request(1, 1)), Admission::Fresh);
        let copy = Sessions::restore(1, sessions.iter());
        assert_eq!(copy, Ok(sessions));
    }
}
