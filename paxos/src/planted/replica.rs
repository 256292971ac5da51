//! Mistakes of a replica that starts again.

use crate::id::Ballot;

/// The promise that the disk holds.
#[inline(always)]
pub(crate) fn recovered(promised: Ballot) -> Ballot {
    if is_on!(PromiseForgotten) { Ballot::ZERO } else { promised }
}
