//! Mistakes with files that were put back.

use crate::mutant::mutant;

/// Whether a gateway must prove that its file is not older than the others know it; it need not.
pub(crate) fn unproven(asks: bool) -> bool {
    asks && !mutant!(VotesUnproven)
}

/// Whether an answer is for an earlier life of this gateway, perhaps with a file that was lost; then it says nothing.
pub(crate) fn is_for_another_file(late: bool) -> bool {
    late && !mutant!(AnswerToAnotherFile)
}
