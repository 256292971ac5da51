//! Mistakes with what is proposed for the home.

use crate::mutant::mutant;

/// Whether a gateway needs not join; a dead one that was `known` once does not join again.
pub(crate) fn not_joined_again(joined: bool, known: bool) -> bool {
    joined || mutant!(NotJoinedAgain) && known
}

/// Whether a gateway's leases are over that is to be declared dead: as if they were, of one that is lost
/// (`LeaseNotWaitedFor`), or of one that has no vote (`RemovalNotWaitedFor`).
pub(crate) fn not_waited_for(over: bool, votes: bool) -> bool {
    over || mutant!(LeaseNotWaitedFor) || mutant!(RemovalNotWaitedFor) && !votes
}

/// Whether the leases on a zone that is to go home are over; as if they were.
pub(crate) fn way_home_not_waited_for(over: bool) -> bool {
    over || mutant!(WayHomeNotWaitedFor)
}
