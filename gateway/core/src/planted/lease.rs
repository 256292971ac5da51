//! Mistakes of an owner with its lease.

use paxos::Moment;

use crate::mutant::mutant;

/// Whether a grant is for this life; any is.
pub(crate) fn grant_to_another_life(mine: bool) -> bool {
    mine || mutant!(GrantToAnotherLife)
}

/// Whether a grant tells of a move that is not applied here; none does.
pub(crate) fn lease_before_the_move(ahead: bool) -> bool {
    ahead && !mutant!(LeaseBeforeTheMove)
}

/// When a lease begins; now.
pub(crate) fn lease_from_the_grant(sent: Moment, now: Moment) -> Moment {
    if mutant!(LeaseFromTheGrant) { now } else { sent }
}
