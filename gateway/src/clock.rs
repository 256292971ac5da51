//! The clocks: the only place of a gateway that reads them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway_core::Now;
use paxos::Moment;
use tokio::time::Instant;
use wire::UnixMillis;

/// Both clocks. Durations come from the monotonic one, which counts from here on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        let elapsed = self.start.elapsed().as_micros();
        Now { moment: Moment(u64::try_from(elapsed).unwrap_or(u64::MAX)), time: wall_clock() }
    }

    /// The instant at which the monotonic clock shows `moment`.
    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        self.start + Duration::from_micros(moment.0)
    }
}

/// Milliseconds since the Unix epoch; 0 on a machine whose clock stands before it.
pub(crate) fn wall_clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
