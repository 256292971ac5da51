//! Which heartbeats are recent. An answer to an older one was long under way, and its sender may be gone meanwhile.

use core::time::Duration;

use crate::id::Moment;
use crate::planted::leader as planted;

/// Knows the heartbeats of the last one to two periods, whose length the caller says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RecentBeats {
    /// The first heartbeat of the period before.
    first: u64,
    /// The first heartbeat of this period.
    next: u64,
    /// When this period began.
    began: Moment,
}

impl RecentBeats {
    pub(super) const fn new(now: Moment) -> Self {
        Self { first: 0, next: 0, began: now }
    }

    pub(super) fn sent(&mut self, beat: u64, now: Moment, period: Duration) {
        if now.since(self.began) >= period {
            *self = Self { first: self.next, next: beat, began: now };
        }
    }

    pub(super) fn contain(&self, beat: u64) -> bool {
        planted::is_recent(beat >= self.first)
    }
}
