//! The site's clock: a hybrid logical clock (Kulkarni et al.) on a node's own clock.
//!
//! It never goes back, and is later than everything that the node has heard of. Wall clocks decide nothing after a
//! node's first start: from the first peer on, the site's time is what the peers say.

use core::time::Duration;

use crate::moment::Moment;
use crate::version::SiteTime;

/// Bits of a reading that count readings within a millisecond.
const COUNT_BITS: u32 = 16;
/// Latest time that is believed, in milliseconds: the year 6429. Later ones would leave no room to count on.
const LATEST: u64 = 1 << 47;

/// The clock of one node.
#[derive(Debug)]
pub struct Clock {
    /// What the site's time is ahead of this node's own, in milliseconds.
    ahead: u64,
    last: SiteTime,
}

impl Clock {
    /// A clock that shows at least `floor` at [`Moment`] zero: the highest reading on disk, or the wall clock at a
    /// first start.
    #[must_use]
    pub fn new(floor: SiteTime) -> Self {
        Self { ahead: millis(floor).min(LATEST), last: SiteTime::default() }
    }

    /// A reading that is later than all before it.
    pub fn next(&mut self, now: Moment) -> SiteTime {
        let physical = SiteTime((self.ahead + whole_millis(now.0)) << COUNT_BITS);
        self.last = physical.max(SiteTime(self.last.0 + 1));
        self.last
    }

    /// Hears a reading of another node; whether it is believed.
    pub fn observe(&mut self, now: Moment, heard: SiteTime) -> bool {
        if millis(heard) > LATEST {
            return false;
        }
        self.last = self.last.max(heard);
        self.ahead = self.ahead.max(millis(heard).saturating_sub(whole_millis(now.0)));
        true
    }

    /// What it shows, without counting a reading.
    #[must_use]
    pub fn shown(&self, now: Moment) -> SiteTime {
        SiteTime((self.ahead + whole_millis(now.0)) << COUNT_BITS).max(self.last)
    }
}

fn millis(time: SiteTime) -> u64 {
    time.0 >> COUNT_BITS
}

fn whole_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(LATEST).min(LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment(Duration::from_millis(millis))
    }

    #[test]
    fn it_is_later_than_everything_it_heard_and_goes_on_from_there() {
        let mut clock = Clock::new(SiteTime(5_000 << 16));
        let first = clock.next(at(10));
        assert_eq!(first, SiteTime(5_010 << 16));
        assert_eq!(clock.next(at(10)), SiteTime(first.0 + 1));
        assert!(clock.observe(at(20), SiteTime(9_000 << 16)));
        assert!(clock.next(at(20)) > SiteTime(9_000 << 16));
        assert_eq!(
            clock.next(at(120)),
            SiteTime(9_100 << 16),
            "a second clock runs beside the first"
        );
        assert!(!clock.observe(at(121), SiteTime(u64::MAX)), "no room is left to count on");
    }
}
