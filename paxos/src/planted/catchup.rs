//! Mistakes of a replica that asks the others for what it misses, or for its requests.

use crate::id::Moment;

/// When a late replica asks again.
#[inline(always)]
pub(crate) fn asks_again(due: Moment) -> Moment {
    if is_on!(CatchUpAskedOnce) { Moment::NEVER } else { due }
}

/// When a forwarded request is sent again.
#[inline(always)]
pub(crate) fn forwards_again(due: Moment) -> Moment {
    if is_on!(RequestSentOnce) { Moment::NEVER } else { due }
}

/// Whether nothing but a snapshot can help.
#[inline(always)]
pub(crate) fn needs_snapshot(needs: bool) -> bool {
    needs && !is_on!(SnapshotNotAskedFor)
}
