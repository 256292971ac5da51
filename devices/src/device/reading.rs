//! What a thermometer in a living room might show.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;
use wire::{Kind, State};

use super::Settings;

/// Wanders slowly around 21 degrees.
pub(super) struct Thermometer {
    every: Duration,
    next: Instant,
    tenths: i32,
    random: RandomState,
    count: u64,
}

impl Thermometer {
    /// None when the device is no thermometer or shall not report by itself.
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let every = settings.interval.filter(|_| settings.kind == Kind::Temperature)?;
        let random = RandomState::new();
        Some(Self { every, next: Instant::now() + every, tenths: 210, random, count: 0 })
    }

    /// When to read it next.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// The reading, in degrees with one decimal.
    pub(super) fn read(&mut self) -> State {
        self.next = Instant::now() + self.every;
        self.count += 1;
        let step = self.random.hash_one(self.count) % 3;
        self.tenths = (self.tenths + step as i32 - 1).clamp(180, 240);
        let degrees = f64::from(self.tenths) / 10.0;
        State::new(degrees.to_string()).expect("a number is a short text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_stays_a_room() {
        let mut thermometer = Thermometer {
            every: Duration::from_secs(1),
            next: Instant::now(),
            tenths: 210,
            random: RandomState::new(),
            count: 0,
        };
        for _ in 0..10_000 {
            let degrees: f64 = thermometer.read().as_str().parse().expect("a number");
            assert!((18.0..=24.0).contains(&degrees), "{degrees}");
        }
    }
}
