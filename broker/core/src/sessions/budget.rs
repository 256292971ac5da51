//! What may wait for all sessions together, beside the bounds of each.
//!
//! It is a limit that moves: no session may have more waiting than is free altogether. Few slow readers may fall
//! far behind; many share what there is, each with less, and whoever has more than that ends. A session with little
//! waiting always finds room, so nobody's silence ends somebody else's session.

use crate::session::WAITING;
use crate::weight::Scales;

/// Messages offered until those that wait are counted again. 1,024 of them weigh 96 KiB.
const COUNT_EVERY: u32 = 1024;

/// The sums over all messages that wait.
#[derive(Debug, Default)]
pub(super) struct Budget {
    scales: Scales,
    /// Messages that wait for sessions, when they were last counted.
    waiting: usize,
    until_count: u32,
}

impl Budget {
    pub(super) fn scales(&self) -> &Scales {
        &self.scales
    }

    /// Bytes that may still wait, of `limit`; `waiting` counts messages, now and then.
    pub(super) fn free(
        &mut self,
        elsewhere: usize,
        limit: usize,
        waiting: impl Fn() -> usize,
    ) -> usize {
        self.until_count = self.until_count.checked_sub(1).unwrap_or_else(|| {
            self.waiting = waiting();
            COUNT_EVERY
        });
        let messages = self.scales.bytes().saturating_sub(elsewhere);
        limit.saturating_sub(messages + self.waiting * WAITING)
    }
}
