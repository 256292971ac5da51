//! Mistakes with answers.

use crate::house::Refusal;
use crate::mutant::mutant;

/// Whether a request that is refused is answered; it is not.
pub(crate) fn refused_in_silence(answers: bool) -> bool {
    answers && !mutant!(RefusedInSilence)
}

/// Why a delivery is refused; as if it were taken.
pub(crate) fn refused_as_success(refusal: Option<Refusal>) -> Option<Refusal> {
    refusal.filter(|_| !mutant!(RefusedAsSuccess))
}
