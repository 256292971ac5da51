//! Who votes, and who of them has said yes.
//!
//! Membership is part of the log: a slot that holds [`Voters`] says who votes from the next slot on. The leader
//! proposes nothing behind such a slot until it is chosen, so whoever proposes a slot knows whose majority it
//! takes. A candidate asks a majority of the voters that it knows of *and* of every later group that a promise
//! reports: by induction it reaches the group that decided last, however many changes it has missed.

use alloc::vec::Vec;
use core::fmt;

use crate::id::ReplicaId;
use crate::planted::voters as planted;

/// A group of 1 to 7 voters with distinct numbers, ascending by number; or nobody, before a group is founded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Vec<ReplicaId>", into = "Vec<ReplicaId>"))]
pub struct Voters(Vec<ReplicaId>);

/// Why replicas cannot be a group of voters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VotersError {
    /// There must be 1 to 7.
    Count(usize),
    /// Two disks of this number would vote.
    Twice(u8),
}

impl Voters {
    /// The most voters of a group: beyond, a majority is slower and no safer.
    pub const MOST: usize = 7;

    /// A group.
    ///
    /// # Errors
    /// If there are none, more than seven, or two with one number.
    pub fn new(voters: impl IntoIterator<Item = ReplicaId>) -> Result<Self, VotersError> {
        let mut voters: Vec<_> = voters.into_iter().collect();
        voters.sort_unstable_by_key(|id| (id.number(), *id));
        voters.dedup();
        if !(1..=Self::MOST).contains(&voters.len()) {
            return Err(VotersError::Count(voters.len()));
        }
        match voters.windows(2).find(|pair| pair[0].number() == pair[1].number()) {
            Some(pair) => Err(VotersError::Twice(pair[0].number())),
            None => Ok(Self(voters)),
        }
    }

    /// Nobody: what a replica knows before a group is founded.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// This group with `new` in it, in place of whoever has its number.
    ///
    /// # Errors
    /// If that would be more than seven.
    pub fn with(&self, new: ReplicaId) -> Result<Self, VotersError> {
        let others = self.iter().filter(|id| id.number() != new.number());
        Self::new(others.chain([new]))
    }

    /// This group without `gone`.
    ///
    /// # Errors
    /// If nobody would be left.
    pub fn without(&self, gone: ReplicaId) -> Result<Self, VotersError> {
        Self::new(self.iter().filter(|id| *id != gone))
    }

    /// The voters, ascending by number.
    pub fn iter(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.0.iter().copied()
    }

    /// Whether this very disk votes.
    pub fn contains(&self, id: ReplicaId) -> bool {
        planted::votes(self.0.contains(&id), id, self)
    }

    /// The voter with this number.
    pub fn numbered(&self, number: u8) -> Option<ReplicaId> {
        self.iter().find(|id| id.number() == number)
    }

    /// How many vote.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// True before a group is founded.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many voters make a majority: any two such sets share a voter.
    pub fn majority(&self) -> usize {
        planted::majority(self.0.len() / 2 + 1, self.0.len())
    }

    fn position(&self, id: ReplicaId) -> Option<usize> {
        self.0.iter().position(|voter| planted::is_same(*voter == id, *voter, id))
    }
}

impl TryFrom<Vec<ReplicaId>> for Voters {
    type Error = VotersError;

    fn try_from(voters: Vec<ReplicaId>) -> Result<Self, VotersError> {
        if voters.is_empty() { Ok(Self::none()) } else { Self::new(voters) }
    }
}

impl From<Voters> for Vec<ReplicaId> {
    fn from(voters: Voters) -> Self {
        voters.0
    }
}

impl fmt::Display for Voters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, id) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{id}")?;
        }
        Ok(())
    }
}

impl fmt::Display for VotersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "a group has 1 to 7 voters, not {count}"),
            Self::Twice(number) => write!(f, "two replicas with number {number} cannot both vote"),
        }
    }
}

impl core::error::Error for VotersError {}

/// Those of one group who said yes to one thing: a bit per place in the group. Saying yes twice counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Votes(u8);

impl Votes {
    /// Adds a vote; false if it was there, or comes from someone without a vote.
    pub(crate) fn insert(&mut self, by: ReplicaId, voters: &Voters) -> bool {
        let bit = voters.position(by).map_or(planted::stranger(0), |place| 1 << place);
        let new = bit & !self.0 != 0;
        self.0 |= bit;
        new
    }

    pub(crate) fn contains(self, by: ReplicaId, voters: &Voters) -> bool {
        voters.position(by).is_some_and(|place| self.0 & (1 << place) != 0)
    }

    /// True once more than half of the group is in.
    pub(crate) fn is_majority(self, voters: &Voters) -> bool {
        self.0.count_ones() as usize >= planted::needed(voters.majority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(count: u8) -> Voters {
        Voters::new((1..=count).map(|number| ReplicaId::new(number, 0))).unwrap_or_default()
    }

    #[test]
    fn majorities_of_even_groups_are_more_than_half() {
        let majorities: Vec<_> = (1..=7).map(|n| group(n).majority()).collect();
        assert_eq!(majorities, [1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn the_same_vote_counts_once_and_a_strangers_never() {
        let (voters, mut votes) = (group(3), Votes::default());
        let stranger = ReplicaId::new(2, 77);
        assert!(votes.insert(ReplicaId::new(3, 0), &voters));
        assert!(!votes.insert(ReplicaId::new(3, 0), &voters));
        assert!(!votes.insert(stranger, &voters) && !votes.contains(stranger, &voters));
        assert!(!votes.is_majority(&voters));
        assert!(votes.insert(ReplicaId::new(2, 0), &voters) && votes.is_majority(&voters));
    }

    #[test]
    fn one_number_has_one_vote() {
        let new = ReplicaId::new(2, 77);
        let twice = Voters::new([ReplicaId::new(2, 0), new]);
        assert_eq!(twice, Err(VotersError::Twice(2)));
        let replaced = group(3).with(new).unwrap_or_default();
        assert_eq!((replaced.len(), replaced.numbered(2)), (3, Some(new)));
        assert_eq!(group(7).with(ReplicaId::new(8, 0)), Err(VotersError::Count(8)));
        assert_eq!(group(1).without(ReplicaId::new(1, 0)), Err(VotersError::Count(0)));
    }
}
