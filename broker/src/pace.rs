//! How fast a device may publish: a bucket of tokens for each user that is a device, however many connections it has.
//!
//! A device that publishes faster is not refused anything: it is read more slowly, and what it has sent waits in its
//! socket. So no report is lost, and the others, the gateways' agreement and their disks go on at their own speed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use broker_settings::Limits;

/// The buckets of all devices that have ever come. Users stand in a file, so there are no more than lines in it; and a
/// device that comes back does not find its bucket full again.
#[derive(Debug)]
pub(crate) struct Paces {
    pace: (Duration, Duration),
    all: Mutex<HashMap<Box<str>, Arc<Pace>>>,
}

/// One device's bucket.
#[derive(Debug)]
pub(crate) struct Pace(Mutex<Bucket>);

/// How much of a bucket is used, as the time at which it is full again.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// What one publish takes.
    each: Duration,
    /// What the full bucket holds.
    whole: Duration,
    full_at: Instant,
}

impl Paces {
    pub(crate) fn new(limits: &Limits) -> Self {
        let each = Duration::from_secs(1) / limits.device_publishes_per_second.max(1);
        let pace = (each, each * limits.device_publishes_at_once.max(1));
        Self { pace, all: Mutex::default() }
    }

    /// The bucket of the device with this user's name.
    pub(crate) fn of(&self, user: &str) -> Arc<Pace> {
        let (each, whole) = self.pace;
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(Pace(Mutex::new(Bucket { each, whole, full_at: Instant::now() })));
        all.entry(user.into()).or_insert_with(fresh).clone()
    }
}

impl Pace {
    /// Takes a token for one publish; if there is none, tells when there will be.
    pub(crate) fn take(&self, now: Instant) -> Result<(), Instant> {
        self.bucket().take(now)
    }

    /// When there will be a token, if there is none now.
    pub(crate) fn wait(&self, now: Instant) -> Option<Instant> {
        self.bucket().wait(now)
    }

    fn bucket(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Result<(), Instant> {
        if let Some(at) = self.wait(now) {
            return Err(at);
        }
        self.full_at = self.full_at.max(now) + self.each;
        Ok(())
    }

    fn wait(&self, now: Instant) -> Option<Instant> {
        // The token is there when all that is taken already, and one more, fit into the bucket.
        let ahead = self.full_at.max(now) + self.each;
        (ahead > now + self.whole).then(|| ahead - self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_what_it_holds_at_once_and_then_one_by_one() {
        let limits = Limits {
            device_publishes_per_second: 10,
            device_publishes_at_once: 3,
            ..Limits::default()
        };
        let paces = Paces::new(&limits);
        let (pace, now) = (paces.of("hall/door"), Instant::now() + Duration::from_secs(1));
        let taken = (0..9).filter(|_| pace.take(now).is_ok()).count();
        assert_eq!(taken, 3);
        assert_eq!(pace.wait(now), Some(now + Duration::from_millis(100)));
        // Another connection of the same device shares it, another device does not.
        assert!(paces.of("hall/door").take(now).is_err());
        assert!(paces.of("hall/lamp").take(now).is_ok());
        let later = now + Duration::from_millis(250);
        let taken = (0..9).filter(|_| pace.take(later).is_ok()).count();
        assert_eq!(taken, 2);
        let much_later = now + Duration::from_secs(3600);
        let taken = (0..9).filter(|_| pace.take(much_later).is_ok()).count();
        assert_eq!(taken, 3, "it never holds more");
    }
}
