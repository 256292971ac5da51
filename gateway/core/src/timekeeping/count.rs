//! How this gateway counts elapsed time.
//!
//! A leader counts on its own monotonic clock. Everybody else follows it: each of its heartbeats tells its count. A
//! heartbeat that was late tells too little, so the highest of the last ones counts; none can tell too much. So a
//! clock that runs too fast is never far ahead of the leader's, and cannot pull the others along.

use std::collections::VecDeque;

use paxos::Moment;
use wire::UnixMillis;

use super::ahead::Ahead;
use crate::planted;

/// Elapsed time at one moment, as far as this gateway knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elapsed {
    pub(crate) time: UnixMillis,
    /// Whether this gateway knows it. One that has just started does not know how long it was away.
    pub(crate) known: bool,
}

/// The count of this gateway.
#[derive(Debug)]
pub(crate) struct Count {
    /// What the last heartbeats of the leader told, the newest last; never empty.
    told: VecDeque<Ahead>,
    known: bool,
}

/// The heartbeats of which the highest count holds: less than a second of them. What is cut off for longer counts on
/// from the last ones.
const HEARTBEATS: usize = 8;

/// By how many milliseconds the log may be ahead of this count. More than a gateway can be ahead of the leader that it
/// follows: then this count has stood still, as in a virtual machine that was stopped.
const LOG_AHEAD: i64 = 1000;

impl Count {
    /// Of a gateway whose file ends at this elapsed time.
    pub(crate) fn new(end: Ahead) -> Self {
        Self { told: VecDeque::from([end]), known: false }
    }

    pub(crate) const fn is_known(&self) -> bool {
        self.known
    }

    /// Elapsed time at a moment. `agreed` is that of the log.
    pub(crate) fn elapsed(&self, agreed: UnixMillis, now: Moment) -> Elapsed {
        let time = if self.known { self.ahead().time(now) } else { agreed };
        Elapsed { time, known: self.known }
    }

    pub(crate) fn ahead(&self) -> Ahead {
        let newest = self.told.back().copied().unwrap_or(Ahead::of(UnixMillis(0), Moment(0)));
        self.told.iter().copied().fold(newest, Ahead::max)
    }

    /// The leader tells its count.
    pub(crate) fn follow(&mut self, leader: Ahead) {
        if !self.known {
            return self.set(leader);
        }
        if self.told.len() == HEARTBEATS {
            self.told.pop_front();
        }
        self.told.push_back(leader);
    }

    /// This gateway counts from here on.
    pub(crate) fn set(&mut self, ahead: Ahead) {
        (self.told, self.known) = (VecDeque::from([ahead]), true);
    }

    /// This gateway leads: it follows nobody any more.
    pub(crate) fn lead(&mut self, agreed: Ahead) {
        if self.known {
            let own = planted::timekeeping::count_begun_anew(self.ahead(), agreed);
            self.set(own.max(agreed));
        }
    }

    /// The log has come so far.
    pub(crate) fn keep_up(&mut self, agreed: Ahead) {
        if agreed.over(self.ahead()) > LOG_AHEAD {
            self.told = VecDeque::from([agreed]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Moment {
        Moment(millis * 1000)
    }

    fn known(time: u64, now: u64) -> Count {
        let mut count = Count::new(Ahead::of(UnixMillis(0), at(0)));
        count.set(Ahead::of(UnixMillis(time), at(now)));
        count
    }

    fn millis(count: &Count, now: u64) -> u64 {
        count.elapsed(UnixMillis(0), at(now)).time.0
    }

    #[test]
    fn a_late_heartbeat_tells_too_little_and_changes_nothing() {
        let mut count = known(5000, 100);
        for late in [2000, 1500, 1000, 500, 0] {
            count.follow(Ahead::of(UnixMillis(7000 - late), at(2100)));
            assert_eq!(millis(&count, 2100), 7000);
        }
    }

    #[test]
    fn a_clock_that_runs_too_fast_stays_near_the_leaders() {
        // Twice as fast: 200 ms here are 100 ms at the leader.
        let mut count = known(0, 0);
        for beat in 1..100 {
            count.follow(Ahead::of(UnixMillis(beat * 100), at(beat * 200)));
            assert!(millis(&count, beat * 200) <= beat * 100 + 800, "beat {beat}");
        }
    }

    #[test]
    fn who_has_started_knows_only_what_the_log_tells() {
        let mut count = Count::new(Ahead::of(UnixMillis(5000), at(0)));
        let elapsed = count.elapsed(UnixMillis(5000), at(900));
        assert_eq!((elapsed.time, elapsed.known), (UnixMillis(5000), false));
        count.follow(Ahead::of(UnixMillis(9000), at(950)));
        assert_eq!(millis(&count, 1000), 9050);
    }

    #[test]
    fn a_count_that_stood_still_takes_what_the_log_tells() {
        let mut count = known(5000, 0);
        count.keep_up(Ahead::of(UnixMillis(5900), at(0)));
        assert_eq!(millis(&count, 0), 5000);
        count.keep_up(Ahead::of(UnixMillis(6001), at(0)));
        assert_eq!(millis(&count, 0), 6001);
    }
}
