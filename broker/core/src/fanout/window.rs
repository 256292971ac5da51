//! The messages whose numbers are inside the router.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::map::Map;
use crate::message::Message;
use crate::router::{FilterId, READ_AT_ONCE};

/// Messages after which a fence is sent, if none is under way. 256: a fence costs as much as a publish, so under
/// half a percent.
const FENCE_EVERY: u64 = 256;
/// Bytes after which a fence is sent early. 1 MiB, so that large payloads are let go soon.
const FENCE_BYTES: usize = 1024 * 1024;
/// Messages that may be inside the router before publishers are not read further. 2,048: some
/// milliseconds of the router's work; with 200 publishers in the middle of a step it stays below `KEEP`.
const CROWDED: usize = 2048;
/// The same in bytes. 16 MiB: sixteen of the largest packets.
const CROWDED_BYTES: usize = 16 * 1024 * 1024;
/// Messages kept at most, come what may: as many as the router reads of one filter at a time, so that one round
/// always catches up. Wills and announcements are not held back by `CROWDED`.
const KEEP: usize = READ_AT_ONCE as usize;

/// What the router has to be told about fences.
#[derive(Debug, Default)]
pub(super) struct Window {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    since_fence: u64,
    bytes_since_fence: usize,
    /// A fence is under way. Never two at a time: the second must be sent after the first has returned, or the
    /// router may read both before a filter's turn comes.
    under_way: bool,
    last_returned: u64,
    passed: Map<FilterId, u64>,
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
        self.due().then(|| self.fenced(order))
    }

    fn due(&self) -> bool {
        let enough = self.since_fence >= FENCE_EVERY || self.bytes_since_fence >= FENCE_BYTES;
        enough && !self.under_way
    }

    /// Whether messages are left that no fence will let go. Two fences do it: one to mark and one to pass.
    pub(super) fn needs_fence(&self) -> bool {
        !self.under_way && !self.messages.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn fenced(&mut self, number: u64) -> u64 {
        self.since_fence = 0;
        self.bytes_since_fence = 0;
        self.under_way = true;
        number
    }

    /// A fence came back: everything up to the fence before it has been read from every filter's log. The next
    /// fence, if it is time.
    pub(super) fn returned(&mut self, number: u64) -> Option<u64> {
        self.under_way = false;
        let passed = std::mem::replace(&mut self.last_returned, number);
        while self.messages.front().is_some_and(|message| message.order <= passed) {
            self.drop_front();
        }
        let last = self.messages.back()?.order;
        (self.due() || self.crowded()).then(|| self.fenced(last))
    }

    fn drop_front(&mut self) {
        if let Some(message) = self.messages.pop_front() {
            self.bytes -= message.weight();
        }
    }

    /// The message that came out of the router for a filter.
    pub(super) fn pass(&mut self, filter: FilterId, order: u64) -> Option<&Arc<Message>> {
        self.passed.insert(filter, order);
        let at = self.messages.binary_search_by_key(&order, |message| message.order).ok()?;
        self.messages.get(at)
    }

    /// The last message that came out of the router for a filter. Later ones that it matches are still inside.
    pub(super) fn passed(&self, filter: FilterId) -> u64 {
        self.passed.get(&filter).copied().unwrap_or(0)
    }

    /// The messages that came after `order`, oldest first.
    pub(super) fn after(&self, order: u64) -> impl Iterator<Item = &Arc<Message>> {
        let from = self.messages.partition_point(|message| message.order <= order);
        self.messages.range(from..)
    }

    pub(super) fn crowded(&self) -> bool {
        self.messages.len() > CROWDED || self.bytes > CROWDED_BYTES
    }
}
