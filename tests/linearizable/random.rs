//! Numbers that follow from a seed.

/// Steele, Lea and Flood's SplitMix64: one number is the whole state.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// A number from `least` to `most`, small ones more often: as often below ten times the least
    /// as above.
    pub(crate) fn spread(&mut self, least: u64, most: u64) -> u64 {
        let most = if self.below(2) == 0 { most.min(10 * least) } else { most };
        least + self.below(most - least + 1)
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
