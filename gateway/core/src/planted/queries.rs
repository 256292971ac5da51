//! Mistakes with the right to answer queries alone.

use crate::mutant::mutant;

/// Whether the leader said "still yours"; as if it had.
pub(crate) fn answered_unconfirmed(confirmed: bool) -> bool {
    confirmed || mutant!(AnsweredUnconfirmed)
}

/// Whether the house still gives the zone to this gateway; as if it did.
pub(crate) fn answered_after_the_move(ours: bool) -> bool {
    ours || mutant!(AnsweredAfterTheMove)
}

/// Whether the lease runs; as if it did.
pub(crate) fn answered_without_a_lease(holds: bool) -> bool {
    holds || mutant!(AnsweredWithoutALease)
}
