//! Mistakes of counting votes.

use crate::id::ReplicaId;
use crate::voters::Voters;

/// Whether this very disk votes.
#[inline(always)]
pub(crate) fn votes(votes: bool, id: ReplicaId, voters: &Voters) -> bool {
    if is_on!(AnyDiskVotes) { voters.numbered(id.number()).is_some() } else { votes }
}

/// Whether two disks are the same.
#[inline(always)]
pub(crate) fn is_same(same: bool, one: ReplicaId, other: ReplicaId) -> bool {
    same || is_on!(AnyDiskVotes) && one.number() == other.number()
}

/// How many of `all` make a majority.
#[inline(always)]
pub(crate) fn majority(majority: usize, all: usize) -> usize {
    if is_on!(HalfIsEnough) { all.div_ceil(2) } else { majority }
}

/// How many votes are needed.
#[inline(always)]
pub(crate) fn needed(majority: usize) -> usize {
    if is_on!(OneTooFew) { majority - 1 } else { majority }
}

/// The vote of a stranger, as a bit.
#[inline(always)]
pub(crate) fn stranger(bit: u8) -> u8 {
    if is_on!(AnybodyVotes) { 1 << Voters::MOST } else { bit }
}

/// Whether the founder knows all others to be blank.
#[inline(always)]
pub(crate) fn all_blank(all: bool) -> bool {
    all || is_on!(FoundedAlone)
}
