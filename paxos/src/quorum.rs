//! Distinct voters who said yes to one thing.

use crate::config::Config;
use crate::id::ReplicaId;

/// A set of replicas. Saying yes twice counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Votes(pub(crate) [u64; 4]);

impl Votes {
    /// Adds a vote; false if it was there.
    pub(crate) fn insert(&mut self, by: ReplicaId) -> bool {
        let (word, bit) = (usize::from(by.0 / 64), 1 << (by.0 % 64));
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    pub(crate) fn contains(&self, by: ReplicaId) -> bool {
        self.0[usize::from(by.0 / 64)] & (1 << (by.0 % 64)) != 0
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// True once more than half of the group is in: any two such sets share a replica.
    pub(crate) fn is_majority(&self, config: &Config) -> bool {
        self.count() >= config.majority()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_vote_counts_once() {
        let config = Config::new(ReplicaId(255), [0, 1, 255].map(ReplicaId));
        let mut votes = Votes::default();
        assert!(votes.insert(ReplicaId(255)));
        assert!(!votes.insert(ReplicaId(255)));
        assert!(!votes.is_majority(&config));
        assert!(votes.insert(ReplicaId(0)));
        assert!(votes.is_majority(&config));
        assert!(votes.contains(ReplicaId(0)) && !votes.contains(ReplicaId(1)));
    }
}
