//! Mistakes about what clients are sent.

use crate::planted::planted;

planted! {
    /// What is left of a message's time, in seconds.
    ExpiryNotSent: fn expiry(left: Option<u32>) => None;
}
