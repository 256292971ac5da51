//! Mistakes with what an owner publishes.

use crate::mutant::mutant;

/// Whether a zone's states are published when its session is up; they are not.
pub(crate) fn states_not_published_again(publishes: bool) -> bool {
    publishes && !mutant!(StatesNotPublishedAgain)
}

/// Whether open orders are sent when a zone's session is up; they are not.
pub(crate) fn orders_not_sent_again(sends: bool) -> bool {
    sends && !mutant!(OrdersNotSentAgain)
}
