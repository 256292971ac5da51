//! Mistakes about retained messages.

use crate::planted::planted;

planted! {
    /// Whether a message clears its topic.
    EmptyRetained: fn clears(clears: bool) => false;
}
