//! Time as a value.

use std::time::Duration;

/// Time since the broker started. A value, so that the core needs no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub Duration);

impl Moment {
    /// This long after this moment.
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// So many seconds after this moment.
    pub fn after_secs(self, seconds: u32) -> Self {
        self.after(Duration::from_secs(u64::from(seconds)))
    }

    /// Whole seconds from `now` until this moment, rounded up.
    pub fn secs_from(self, now: Self) -> u32 {
        let left = self.0.saturating_sub(now.0);
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}
