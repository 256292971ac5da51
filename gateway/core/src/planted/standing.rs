//! Mistakes with files that were put back.

use crate::mutant::mutant;

/// Whether a gateway must prove that its file is not older than the others know it; it need not.
pub(crate) fn unproven(asks: bool) -> bool {
    asks && !mutant!(VotesUnproven)
}
