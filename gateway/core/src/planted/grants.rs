//! Mistakes of a leader with the leases that it grants.

use std::time::Duration;

use paxos::Moment;

use crate::mutant::mutant;

/// Whether the log does not tell of this leadership yet; as if it did.
pub(crate) fn granted_before_leading(early: bool) -> bool {
    early && !mutant!(GrantedBeforeLeading)
}

/// How long a leader waits after its last grant; half of it.
pub(crate) fn lease_outlives_the_wait(wait: Duration) -> Duration {
    if mutant!(LeaseOutlivesTheWait) { wait / 2 } else { wait }
}

/// Since when this gateway leads, until when the one before it may have granted; never.
pub(crate) fn old_grants_forgotten(since: Option<Moment>) -> Option<Moment> {
    since.filter(|_| !mutant!(OldGrantsForgotten))
}
