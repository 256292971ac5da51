//! Mistakes about what clients publish.

use crate::planted::planted;

planted! {
    /// Whether the acknowledgement of a report waits for its zone.
    AcknowledgedAtOnce: fn waits(waits: bool) => false;
}
