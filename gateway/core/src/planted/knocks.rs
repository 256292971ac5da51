//! Mistakes about zones that there are not.

use crate::mutant::mutant;

/// Whether a zone is unknown to the log; as if it always were.
pub(crate) fn known_zone_refused(unknown: bool) -> bool {
    unknown || mutant!(KnownZoneRefused)
}
