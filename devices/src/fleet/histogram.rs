//! Latencies, counted in buckets that grow with them.

use std::time::Duration;

/// Buckets for each power of two: a value is known to within 1/32, about 3 in 100.
const PER_OCTAVE: u64 = 32;

/// Room for everything that a `u64` of microseconds can be.
const BUCKETS: usize = 60 * PER_OCTAVE as usize;

/// How often each latency was seen, in microseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros)] += 1;
        self.count += 1;
        self.max = self.max.max(micros);
    }

    /// Counts all that `other` has counted.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The greatest one, exactly, in microseconds; 0 if there is none.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The latency that the given part (0 to 1) of all stays within, in microseconds; up to 1/32
    /// too great, never too small. 0 if there is none.
    #[must_use]
    pub fn quantile(&self, part: f64) -> u64 {
        let wanted = (part * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (number, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return greatest(number).min(self.max);
            }
        }
        self.max
    }
}

/// The bucket of a value. Values below [`PER_OCTAVE`] have one each.
fn bucket(value: u64) -> usize {
    let octave = u64::from(value.max(1).ilog2()).saturating_sub(u64::from(PER_OCTAVE.ilog2()));
    let place = value >> octave;
    let number = octave * PER_OCTAVE + place;
    usize::try_from(number).unwrap_or(BUCKETS - 1).min(BUCKETS - 1)
}

/// The greatest value of a bucket.
fn greatest(number: usize) -> u64 {
    let number = number as u64;
    if number < 2 * PER_OCTAVE {
        return number;
    }
    let octave = number / PER_OCTAVE - 1;
    let place = number - octave * PER_OCTAVE;
    ((u128::from(place) + 1) << octave).saturating_sub(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_within_a_thirtysecond_of_its_bucket() {
        let powers = (0..64).map(|shift| 1_u64 << shift);
        for value in powers.flat_map(|power| [power - 1, power, power | (power >> 1)]) {
            let shown = greatest(bucket(value));
            assert!(shown >= value, "{value} is shown as {shown}");
            assert!(shown - value <= value / PER_OCTAVE, "{value} is shown as {shown}");
        }
    }

    #[test]
    fn quantiles_of_a_hundred_values() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0);
        for micros in 1..=100 {
            histogram.record(Duration::from_micros(micros));
        }
        let mut twice = histogram.clone();
        twice.add(&histogram);
        assert_eq!((twice.count(), twice.max()), (200, 100));
        assert!((50..=52).contains(&twice.quantile(0.5)), "{}", twice.quantile(0.5));
        assert!((99..=100).contains(&twice.quantile(0.99)), "{}", twice.quantile(0.99));
        assert_eq!(twice.quantile(1.0), 100);
    }
}
