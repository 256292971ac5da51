//! Mistakes of the log in memory.

use crate::id::Slot;

/// The first slot to keep.
#[inline(always)]
pub(crate) fn keep(keep: Slot) -> Slot {
    if is_on!(MemoryNotBounded) { Slot::ZERO } else { keep }
}
