//! The wall clocks of the voters, as their heartbeats tell them.

use std::collections::BTreeMap;
use std::time::Duration;

use paxos::{Moment, Voters};
use wire::GatewayId;

use super::ahead::Ahead;
use crate::id::gateway;
use crate::planted;

/// The last that each voter told. As many as there are voters.
#[derive(Debug, Default)]
pub(crate) struct Walls {
    told: BTreeMap<GatewayId, (Ahead, Moment)>,
}

/// The clocks of some voters at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readings {
    /// From the one that is most behind to the one that is most ahead.
    sorted: Vec<Ahead>,
    voters: usize,
}

/// Clocks agree if they differ by no more than so many milliseconds.
pub(crate) const AGREE: i64 = 1000;

impl Walls {
    pub(crate) fn hear(&mut self, of: GatewayId, wall: Ahead, now: Moment) {
        self.told.insert(of, (wall, now));
    }

    /// Only voters are asked.
    pub(crate) fn regroup(&mut self, voters: &Voters) {
        self.told.retain(|id, _| voters.numbered(id.0).is_some());
    }

    /// The clock of a gateway, if it was told lately: an old heartbeat that comes late shows an old time.
    pub(crate) fn fresh(&self, of: GatewayId, now: Moment, fresh: Duration) -> Option<Ahead> {
        let (wall, at) = self.told.get(&of)?;
        (now < *at + fresh).then_some(*wall)
    }

    /// The clocks of all voters that told them lately.
    pub(crate) fn readings(&self, voters: &Voters, now: Moment, fresh: Duration) -> Readings {
        let told = voters.iter().filter_map(|id| self.fresh(gateway(id), now, fresh));
        Readings::new(told.collect(), voters.len())
    }
}

impl Readings {
    fn new(mut clocks: Vec<Ahead>, voters: usize) -> Self {
        clocks.sort_unstable();
        Self { sorted: planted::timekeeping::any_clock_is_the_median(clocks), voters }
    }

    fn majority(&self) -> usize {
        planted::timekeeping::one_clock_is_enough(self.voters / 2 + 1)
    }

    /// Between which two of them the median is, if a majority of the voters tells. With an odd number both are the
    /// same. With an even number nobody knows which half is wrong, and whatever lies between is as good.
    pub(crate) fn median(&self) -> Option<(Ahead, Ahead)> {
        let count = self.sorted.len();
        if count < self.majority() {
            return None;
        }
        Some((*self.sorted.get(count.checked_sub(1)? / 2)?, *self.sorted.get(count / 2)?))
    }

    /// The clock on which a majority of the voters agrees: the middle one of those that are nearest to each other.
    pub(crate) fn agreed(&self) -> Option<Ahead> {
        let near = self.sorted.windows(self.majority().max(1)).min_by_key(|near| spread(near))?;
        (spread(near) <= AGREE).then(|| near[(near.len() - 1) / 2])
    }
}

/// Of clocks in order.
fn spread(clocks: &[Ahead]) -> i64 {
    clocks.first().zip(clocks.last()).map_or(0, |(first, last)| last.over(*first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::UnixMillis;

    fn readings(clocks: &[u64], voters: usize) -> Readings {
        let clocks = clocks.iter().map(|clock| Ahead::of(UnixMillis(*clock), Moment(0)));
        Readings::new(clocks.collect(), voters)
    }

    fn median(clocks: &[u64], voters: usize) -> Option<(u64, u64)> {
        let of = |clock: Ahead| clock.time(Moment(0)).0;
        readings(clocks, voters).median().map(|(low, high)| (of(low), of(high)))
    }

    fn agreed(clocks: &[u64], voters: usize) -> Option<u64> {
        readings(clocks, voters).agreed().map(|clock| clock.time(Moment(0)).0)
    }

    const DAY: u64 = 24 * 3_600_000;

    #[test]
    fn one_clock_of_three_moves_no_median() {
        assert_eq!(median(&[DAY + 7, DAY, 2 * DAY], 3), Some((DAY + 7, DAY + 7)));
        assert_eq!(median(&[DAY + 7, DAY, 0], 3), Some((DAY, DAY)));
        assert_eq!(median(&[DAY, 2 * DAY], 3), Some((DAY, 2 * DAY)));
        assert_eq!(median(&[DAY], 3), None, "one is no majority");
        assert_eq!(median(&[DAY, DAY + 1, DAY + 2, 0], 4), Some((DAY, DAY + 1)));
        assert_eq!((median(&[], 0), median(&[5], 1)), (None, Some((5, 5))));
    }

    #[test]
    fn a_gap_is_dated_by_a_majority_that_agrees() {
        assert_eq!(agreed(&[DAY, 2 * DAY, DAY + 40], 3), Some(DAY));
        assert_eq!(agreed(&[DAY, 2 * DAY], 3), None);
        assert_eq!(agreed(&[DAY, DAY + 1001, DAY + 9000], 3), None);
        assert_eq!(agreed(&[DAY, DAY + 999, DAY + 1010], 3), Some(DAY + 999));
        assert_eq!((agreed(&[DAY], 2), agreed(&[DAY], 1)), (None, Some(DAY)));
    }
}
