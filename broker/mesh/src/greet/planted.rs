//! Mistakes about how links begin.

use crate::planted::planted;

planted! {
    /// Whether it is known how far we got with a peer's messages.
    ForgetsHowFar: fn remembers(known: bool) => false;
}
