//! Mistakes of a learner.

use crate::id::{Ballot, Slot};
use crate::record::Record;
use crate::step::Step;
use crate::voters::Voters;

/// Whether a commit mark says nothing about a value, because the value's ballot is another.
#[inline(always)]
pub(crate) fn is_other(other: bool) -> bool {
    other && !is_on!(MarkForAnyBallot)
}

/// The ballot to promise with what a peer tells.
#[inline(always)]
pub(crate) fn learnt(ballot: Ballot) -> Ballot {
    if is_on!(LearntNotPromised) { Ballot::ZERO } else { ballot }
}

/// The voters behind a snapshot.
#[inline(always)]
pub(crate) fn installed_voters(installed: Voters, held: &Voters) -> Voters {
    if is_on!(SnapshotVotersIgnored) { held.clone() } else { installed }
}

/// The snapshot's record is written.
#[inline(always)]
pub(crate) fn snapshot_is_written(step: &mut Step) {
    if is_on!(SnapshotNotWritten) {
        step.records.pop_if(|record| matches!(record, Record::Installed(Slot(_))));
    }
}
