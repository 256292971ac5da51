//! Clocks compared with this gateway's own monotonic one.

use paxos::Moment;
use wire::UnixMillis;

/// By how many milliseconds another clock is ahead of this gateway's monotonic one. It stays while both run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ahead(i64);

impl Ahead {
    /// A clock that shows `time` at a moment.
    pub(crate) fn of(time: UnixMillis, at: Moment) -> Self {
        Self(signed(time.0).saturating_sub(millis(at)))
    }

    /// What the clock shows at a moment.
    pub(crate) fn time(self, at: Moment) -> UnixMillis {
        UnixMillis(u64::try_from(self.0.saturating_add(millis(at))).unwrap_or(0))
    }

    /// A clock that is ahead of this one by so many milliseconds.
    pub(crate) const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// By how many milliseconds this clock is ahead of another one.
    pub(crate) const fn over(self, other: Self) -> i64 {
        self.0.saturating_sub(other.0)
    }
}

fn millis(at: Moment) -> i64 {
    signed(at.0 / 1000)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
