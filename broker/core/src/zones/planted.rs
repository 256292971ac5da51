//! Mistakes about acknowledgements.

use crate::id::ConnId;
use crate::planted::planted;

planted! {
    /// The connection on which a publisher is told.
    AcknowledgedElsewhere: fn heard_on(heard: ConnId, now: Option<ConnId>) => now.unwrap_or(heard);
}
