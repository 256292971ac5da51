//! The messages whose numbers are inside the router.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::message::Message;

/// Messages between two fences. 256: a fence costs as much as a publish, so under half a percent.
const FENCE_EVERY: u64 = 256;
/// Bytes after which a fence is sent early. 1 MiB, so that large payloads are let go soon.
const FENCE_BYTES: usize = 1024 * 1024;
/// Messages that may be inside the router before publishers are not read further. 2,048: half of what the router
/// reads of one filter at a time, so that one round always catches up.
const CROWDED: usize = 2048;
/// The same in bytes. 16 MiB: sixteen of the largest packets.
const CROWDED_BYTES: usize = 16 * 1024 * 1024;
/// Messages kept at most, come what may. Wills and announcements are not held back by `CROWDED`.
const KEEP: usize = 16 * 1024;

/// What the router has to be told about fences.
#[derive(Debug, Default)]
pub(super) struct Window {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    since_fence: u64,
    bytes_since_fence: usize,
    /// Fences sent and not returned.
    outstanding: usize,
    last_returned: u64,
}

impl Window {
    /// Adds a message; a number to fence with, if it is time.
    pub(super) fn push(&mut self, message: Arc<Message>) -> Option<u64> {
        let order = message.order;
        self.bytes += message.weight();
        self.bytes_since_fence += message.weight();
        self.since_fence += 1;
        self.messages.push_back(message);
        if self.messages.len() > KEEP {
            self.drop_front();
        }
        (self.since_fence >= FENCE_EVERY || self.bytes_since_fence >= FENCE_BYTES)
            .then(|| self.fenced(order))
    }

    /// Whether messages are left that no fence will let go. Two fences do it: one to mark and one to pass.
    pub(super) fn needs_fence(&self) -> bool {
        self.outstanding == 0 && !self.messages.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn fenced(&mut self, number: u64) -> u64 {
        self.since_fence = 0;
        self.bytes_since_fence = 0;
        self.outstanding += 1;
        number
    }

    /// A fence came back: everything up to the fence before it has been read from every filter's log.
    pub(super) fn returned(&mut self, number: u64) {
        self.outstanding = self.outstanding.saturating_sub(1);
        let passed = std::mem::replace(&mut self.last_returned, number);
        while self.messages.front().is_some_and(|message| message.order <= passed) {
            self.drop_front();
        }
    }

    fn drop_front(&mut self) {
        if let Some(message) = self.messages.pop_front() {
            self.bytes -= message.weight();
        }
    }

    pub(super) fn get(&self, order: u64) -> Option<&Arc<Message>> {
        let at = self.messages.binary_search_by_key(&order, |message| message.order).ok()?;
        self.messages.get(at)
    }

    pub(super) fn crowded(&self) -> bool {
        self.messages.len() > CROWDED || self.bytes > CROWDED_BYTES
    }
}
