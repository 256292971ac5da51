//! What all sessions together may hold, beside the bounds of each: what they are, and what waits for them.
//!
//! What waits has a limit that moves: no session may have more waiting than is free altogether. Few slow readers may
//! fall far behind; many share what there is, each with less, and whoever has more than that ends. A session with
//! little waiting always finds room, so nobody's silence ends somebody else's session.

use super::Core;
use super::session::Session;
use crate::message::SessionKey;
use crate::protocol::Connect;
use crate::weight::Scales;

/// What a session costs beside its texts, about: tables, timers, an empty queue.
const SESSION: usize = 1024;
/// What a subscription costs beside its filter, which stands in two tables.
const SUBSCRIPTION: usize = 200;
/// What a message that waits for a session costs there, whoever else has it.
pub(super) const WAITING: usize = 96;
/// Messages offered until those that wait are counted again. 1,024 of them weigh 96 KiB.
const COUNT_EVERY: u32 = 1024;

/// The sums over all sessions.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Bytes of what sessions are: ids, filters, wills.
    pub(super) sessions: usize,
    pub(super) scales: Scales,
    /// Messages that wait for sessions, when they were last counted.
    waiting: usize,
    until_count: u32,
}

impl Core {
    /// Whether there is room for a CONNECT: its will, and its session if that is new.
    pub(super) fn admits(&self, connect: &Connect, client: &str, new: bool) -> bool {
        let session = if new { SESSION + 2 * client.len() } else { 0 };
        let will = connect.will.as_ref().map_or(0, |will| will.publish.weight());
        self.room.sessions + session + will <= self.settings.limits.session_bytes
    }

    /// Whether there is room for another subscription.
    pub(super) fn admits_filter(&self, path: &str) -> bool {
        self.room.sessions + subscription(path) <= self.settings.limits.session_bytes
    }

    /// Brings the sum up to date after a session has changed.
    pub(super) fn weigh_session(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let bytes = session.bytes();
        let before = std::mem::replace(&mut session.weighed, bytes);
        self.room.sessions = self.room.sessions + bytes - before;
    }

    /// A session is gone.
    pub(super) fn unweigh_session(&mut self, session: &Session) {
        self.room.sessions -= session.weighed;
    }

    /// Bytes that may still wait for sessions.
    pub(super) fn free(&mut self) -> usize {
        self.room.until_count = self.room.until_count.checked_sub(1).unwrap_or_else(|| {
            let queues = self.sessions.values().map(|session| session.outbox.outstanding());
            self.room.waiting = queues.sum();
            COUNT_EVERY
        });
        // What is retained or held for zones has bounds of its own.
        let elsewhere = self.retained.size().1 + self.zones.held_bytes();
        let messages = self.room.scales.bytes().saturating_sub(elsewhere);
        let waiting = messages + self.room.waiting * WAITING;
        self.settings.limits.waiting_bytes.saturating_sub(waiting)
    }
}

impl Session {
    /// What it is, in bytes, without what waits for it.
    pub(super) fn bytes(&self) -> usize {
        let will = self.will.as_ref().map_or(0, |will| will.publish.weight());
        SESSION + 2 * self.client.len() + will + self.filter_bytes
    }
}

/// What a subscription costs.
pub(super) fn subscription(path: &str) -> usize {
    SUBSCRIPTION + 2 * path.len()
}
