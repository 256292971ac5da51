//! Random numbers that follow from a seed, the same ones on every machine: for tests and simulators.
//!
//! Recorded seeds mean what they did only as long as every method here takes the numbers from the
//! stream that it takes now.

/// Numbers at the edges of what fields hold.
const NUMBERS: &[u64] = &[
    0,
    1,
    127,
    128,
    255,
    16_383,
    16_384,
    65_535,
    65_536,
    268_435_455,
    u32::MAX as u64,
    1 << 32,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// Steele, Lea and Flood's `SplitMix64`: one number is the whole state.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts at a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In `0..limit`; 0 if that is empty.
    pub const fn below(&mut self, limit: usize) -> usize {
        self.less_than(limit as u64) as usize
    }

    /// In `0..limit`; 0 if that is empty.
    pub const fn less_than(&mut self, limit: u64) -> u64 {
        self.next() % if limit == 0 { 1 } else { limit }
    }

    /// In `low..=high`.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// In `low..=high`, where every order of magnitude is as likely as the next: mostly short, at times very long.
    pub fn tail(&mut self, low: u64, high: u64) -> u64 {
        let (least, most) = (low.max(1).ilog2(), high.max(1).ilog2());
        let magnitude = self.between(u64::from(least), u64::from(most));
        self.between(1 << magnitude, (2 << magnitude) - 1).clamp(low, high)
    }

    /// In `least..=most`, as often below ten times the least as above.
    pub fn spread(&mut self, least: u64, most: u64) -> u64 {
        let most = if self.once_in(2) { most.min(10 * least) } else { most };
        self.between(least, most)
    }

    /// True in `percent` of 100 cases. What never happens takes no number from the stream.
    pub const fn chance(&mut self, percent: u64) -> bool {
        percent > 0 && self.percent(percent)
    }

    /// True in `percent` of 100 cases. Takes a number from the stream also for what never happens.
    pub const fn percent(&mut self, percent: u64) -> bool {
        self.less_than(100) < percent
    }

    /// True once in `times`.
    pub const fn once_in(&mut self, times: u64) -> bool {
        self.less_than(times) == 0
    }

    /// One of these.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        *self.one_of(from)
    }

    /// One of these.
    ///
    /// # Panics
    /// When there are none.
    pub fn one_of<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A number at the edge of what fields hold.
    pub fn edge(&mut self) -> u64 {
        self.pick(NUMBERS)
    }

    /// Puts them into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_authors() {
        let mut random = Random::new(1_234_567);
        let numbers = [(); 3].map(|()| random.next());
        let published =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(numbers, published);
    }

    #[test]
    fn everything_stays_within_its_bounds() {
        let mut random = Random::new(7);
        for _ in 0..10_000 {
            assert!(random.below(3) < 3 && random.below(0) == 0);
            assert!((5..=9).contains(&random.between(5, 9)));
            assert!((5..=9_000).contains(&random.tail(5, 9_000)));
            assert!((5..=9_000).contains(&random.spread(5, 9_000)));
            assert!(!random.chance(0) && random.chance(100) && random.once_in(1));
        }
        let mut items = [1, 2, 3, 4];
        random.shuffle(&mut items);
        items.sort_unstable();
        assert_eq!(items, [1, 2, 3, 4]);
    }
}
