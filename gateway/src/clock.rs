//! The clocks: the only place of a gateway that reads them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway_core::Now;
use paxos::Moment;
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;
use wire::UnixMillis;

/// It counts on while the machine is suspended. A lease must not outlive that, and a timer must not wait for it.
#[cfg(target_os = "linux")]
const COUNTING: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const COUNTING: ClockId = ClockId::Monotonic;

/// Both clocks. Durations come from the monotonic one, which counts from here on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: counting() }
    }

    pub(crate) fn now(&self) -> Now {
        let elapsed = counting().saturating_sub(self.start).as_micros();
        Now { moment: Moment(u64::try_from(elapsed).unwrap_or(u64::MAX)), time: wall_clock() }
    }

    /// The instant at which the monotonic clock shows `moment`, if the machine is not suspended before.
    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        let left = moment.0.saturating_sub(self.now().moment.0);
        Instant::now() + Duration::from_micros(left)
    }
}

fn counting() -> Duration {
    Duration::try_from(clock_gettime(COUNTING)).unwrap_or_default()
}

/// Milliseconds since the Unix epoch; 0 on a machine whose clock stands before it.
pub(crate) fn wall_clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_as_far_as_its_moment() {
        let clock = Clock::start();
        let moment = clock.now().moment + Duration::from_secs(5);
        let left = clock.instant(moment) - Instant::now();
        assert!((4900..=5000).contains(&left.as_millis()), "{left:?}");
        assert!(clock.instant(Moment(0)) <= Instant::now(), "what is over is due at once");
    }
}
