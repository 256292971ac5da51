//! The nouns that everything else counts with: time, replicas, slots, ballots, sessions.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A point in time: microseconds since the process started, on a clock that never runs backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Moment(pub u64);

impl Moment {
    /// Later than every moment that a process lives to see.
    pub const NEVER: Self = Self(u64::MAX);

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let seconds = span.as_secs().saturating_mul(1_000_000);
        Self(self.0.saturating_add(seconds).saturating_add(u64::from(span.subsec_micros())))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} ms", self.0 / 1000, self.0 % 1000)
    }
}

/// A replica: one disk in all its lives. The low byte is the number that people use and messages are addressed
/// by; the rest tells disks apart. Whoever lost its disk, or got back an old one, is another replica with the
/// same number: it has no vote until the log gives it one, for nobody knows what it had promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReplicaId(pub u64);

impl ReplicaId {
    /// The replica `number` on a disk; of `disk` the lower 56 bits count.
    pub const fn new(number: u8, disk: u64) -> Self {
        Self(disk << 8 | number as u64)
    }

    /// The number that people use.
    pub const fn number(self) -> u8 {
        self.0.to_le_bytes()[0]
    }

    /// What tells its disk from others.
    pub const fn disk(self) -> u64 {
        self.0 >> 8
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// A place in the log. The first is 1; 0 stands for "none yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Slot(pub u64);

impl Slot {
    /// Before the first slot.
    pub const ZERO: Self = Self(0);

    /// The slot after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The slot `count` places further on.
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count))
    }

    /// How many places this is after `other`; zero if it is not after.
    pub const fn above(self, other: Self) -> u64 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A proposal number (Paxos Made Simple, 2.2): unique, because it names its proposer, and totally ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Ballot {
    /// Grows with every attempt to lead; 0 only in [`Ballot::ZERO`].
    pub round: u64,
    /// Who leads it, and the tie-break between equal rounds.
    pub replica: ReplicaId,
}

impl Ballot {
    /// Below every ballot that anyone leads.
    pub const ZERO: Self = Self { round: 0, replica: ReplicaId(0) };

    /// The lowest ballot of `replica` above this one.
    ///
    /// # Panics
    /// If the rounds are used up, which takes 2^64 elections.
    pub fn succeeded_by(self, replica: ReplicaId) -> Self {
        let round = self.round.checked_add(1);
        assert!(round.is_some(), "ballot rounds are used up");
        Self { round: round.unwrap_or(u64::MAX), replica }
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.round, self.replica)
    }
}

/// Who asks: one stream of numbered requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// Names a request without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestId {
    /// Whose request it is.
    pub session: SessionId,
    /// Its number in that session.
    pub number: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ballots_order_by_round_then_replica() {
        let low = Ballot { round: 1, replica: ReplicaId(7) };
        let high = low.succeeded_by(ReplicaId(1));
        assert!(Ballot::ZERO < low && low < high);
        assert!(low > Ballot { round: 1, replica: ReplicaId(2) });
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!(Moment::NEVER + Duration::from_secs(1), Moment::NEVER);
        assert_eq!(Moment(1) + Duration::MAX, Moment::NEVER);
        assert_eq!(Moment(1) + Duration::from_micros(2_000_003), Moment(2_000_004));
        assert_eq!(Moment(5).since(Moment(9)), Duration::ZERO);
    }
}
