//! Mistakes with what is proposed for the home.

use crate::mutant::mutant;

/// Whether a gateway needs not join; a dead one that was `known` once does not join again.
pub(crate) fn not_joined_again(joined: bool, known: bool) -> bool {
    if mutant!(NotJoinedAgain) { known } else { joined }
}

/// Whether a gateway's leases are over that is to be declared dead; as if they were.
pub(crate) fn lease_not_waited_for(over: bool) -> bool {
    over || mutant!(LeaseNotWaitedFor)
}

/// The same of a gateway that may have lost its vote; as if they were, when it has.
pub(crate) fn removal_not_waited_for(over: bool, votes: bool) -> bool {
    if mutant!(RemovalNotWaitedFor) { over || !votes } else { over }
}

/// Whether the leases on a zone that is to go home are over; as if they were.
pub(crate) fn way_home_not_waited_for(over: bool) -> bool {
    over || mutant!(WayHomeNotWaitedFor)
}
