//! Mistakes with deliveries of a zone.

use crate::event::Delivery;
use crate::mutant::mutant;
use crate::reply::acknowledge;
use crate::want::Wants;

/// Acknowledges what is only proposed.
pub(crate) fn acknowledged_before_agreed(delivery: &Delivery, out: &mut Wants) {
    if mutant!(AcknowledgedBeforeAgreed) {
        acknowledge(delivery, out);
    }
}
