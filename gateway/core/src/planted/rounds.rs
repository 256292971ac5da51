//! Mistakes of a leader that does not ask a majority whether it leads still.

use crate::mutant::mutant;
use crate::want::Want;

/// The question before a lease is granted; its answer at once.
pub(crate) fn lease_without_a_round(ask: Want) -> Want {
    if mutant!(LeaseWithoutARound) { confirmed(ask) } else { ask }
}

/// The question before an owner hears that it still is one; its answer at once.
pub(crate) fn epoch_without_a_round(ask: Want) -> Want {
    if mutant!(EpochWithoutARound) { confirmed(ask) } else { ask }
}

/// The question before the API is answered; its answer at once.
pub(crate) fn api_without_a_round(ask: Want) -> Want {
    if mutant!(ApiWithoutARound) { confirmed(ask) } else { ask }
}

fn confirmed(ask: Want) -> Want {
    match ask {
        Want::Confirm(question) => Want::Confirmed(question, true),
        other => other,
    }
}
