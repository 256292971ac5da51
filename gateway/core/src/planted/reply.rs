//! Mistakes with answers.

use crate::mutant::mutant;

/// Whether a request that is refused is answered; it is not.
pub(crate) fn refused_in_silence(answers: bool) -> bool {
    answers && !mutant!(RefusedInSilence)
}
