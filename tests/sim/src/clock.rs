//! The clock of a process that never goes back: it drifts, and it leaps forward when its machine was suspended.

use paxos::Moment;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// True time when the process started; its clock then shows zero.
    pub(crate) started: u64,
    /// Parts per million by which it is too fast.
    pub(crate) drift: i64,
    /// Microseconds that it leapt forward since the start.
    pub(crate) leapt: u64,
}

impl Clock {
    pub(crate) const fn new(drift: i64) -> Self {
        Self { started: 0, drift, leapt: 0 }
    }

    /// The process starts now.
    pub(crate) const fn start(&mut self, now: u64) {
        (self.started, self.leapt) = (now, 0);
    }

    /// What it shows.
    pub(crate) const fn shows(&self, now: u64) -> Moment {
        let span = (now - self.started) as i64;
        Moment((span + span * self.drift / 1_000_000) as u64 + self.leapt)
    }

    /// The true time from which on it shows at least `moment`, unless it leaps.
    pub(crate) fn true_time(&self, moment: Moment) -> u64 {
        let left = moment.0.saturating_sub(self.leapt).min(1 << 50) as i64;
        self.started + (left * 1_000_000 / (1_000_000 + self.drift)) as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_fit() {
        for drift in [-200_000, -1, 0, 3, 200_000] {
            let clock = Clock { started: 77, drift, leapt: 5_000 };
            for moment in [5_000, 5_001, 123_456_789].map(Moment) {
                let at = clock.true_time(moment);
                assert!(clock.shows(at) >= moment);
                assert!(clock.shows(at).0 <= moment.0 + 3, "{drift} {moment:?}");
            }
        }
    }
}
