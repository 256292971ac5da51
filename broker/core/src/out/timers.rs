//! When the core wants to be called, and why.

use std::collections::BTreeSet;

use crate::id::SessionKey;
use crate::moment::Moment;

/// Why the core wants to be called at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    SessionEnds(SessionKey),
    WillDue(SessionKey),
    Announce,
}

/// All deadlines, the next one first.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Moment, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Moment, timer: Timer) {
        self.0.insert((at, timer));
    }

    /// Takes a timer back, if it was set.
    pub(crate) fn cancel(&mut self, at: Option<Moment>, timer: Timer) {
        if let Some(at) = at {
            self.0.remove(&(at, timer));
        }
    }

    pub(crate) fn next(&self) -> Option<Moment> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the first timer that is due.
    pub(crate) fn due(&mut self, now: Moment) -> Option<(Moment, Timer)> {
        self.0.first().is_some_and(|(at, _)| *at <= now).then(|| self.0.pop_first()).flatten()
    }

    #[cfg(feature = "testing")]
    pub(crate) fn all(&self) -> impl Iterator<Item = &(Moment, Timer)> {
        self.0.iter()
    }
}
