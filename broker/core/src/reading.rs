//! What the broker has done and what it holds, in numbers.

use crate::out::Counts;
use crate::rooms::Rooms;
use crate::zones::Waits;

/// What the broker holds at one moment, and what it has done so far.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// All that has happened.
    pub counts: Counts,
    /// Clients with a connection.
    pub connected: usize,
    /// Connected or asleep.
    pub sessions: usize,
    /// Of all sessions, shared ones included.
    pub subscriptions: usize,
    /// Those of `subscriptions` that are shared.
    pub shared: usize,
    /// Retained messages.
    pub retained: usize,
    /// Their bytes.
    pub retained_bytes: usize,
    /// Waiting for clients or under way to them.
    pub queued: usize,
    /// Bytes of those that wait.
    pub queued_bytes: usize,
    /// Inside the router.
    pub window: usize,
    /// Of the site's zones.
    pub zones: Waits,
}

impl Reading {
    /// Everything in numbers. Looks at every session, so not for every day's traffic.
    pub(crate) fn of(rooms: &Rooms) -> Self {
        let mut reading = Self {
            counts: rooms.out.counts.clone(),
            connected: rooms.sessions.connected(),
            sessions: rooms.sessions.len(),
            retained: rooms.retained.len(),
            retained_bytes: rooms.retained.bytes(),
            window: rooms.fanout.inside(),
            zones: rooms.zones.waits(),
            ..Self::default()
        };
        for (_, session) in rooms.sessions.iter() {
            reading.subscriptions += session.subscriptions.len();
            reading.shared += session.subscriptions.shared().len();
            let queued = session.outbox.size();
            reading.queued += queued.messages;
            reading.queued_bytes += queued.bytes;
        }
        reading
    }
}
