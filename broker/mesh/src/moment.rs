//! Time as a value.

use core::time::Duration;

/// Time since this node started, on a clock that only goes forward. A value, so that nothing here needs a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub Duration);

impl Moment {
    /// This long after this moment.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    /// Whole milliseconds that are left until `end`, if there is one.
    #[must_use]
    pub fn left(self, end: Option<Self>) -> Option<u64> {
        end.map(|end| u64::try_from(end.since(self).as_millis()).unwrap_or(u64::MAX))
    }

    /// How long ago `earlier` was; nothing if it is still to come.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
