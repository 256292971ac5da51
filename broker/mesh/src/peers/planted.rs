//! Mistakes about peers.

use crate::planted::planted;

planted! {
    /// Whether a node may let clients in.
    ReadyAtOnce: fn is_ready(ready: bool) => true;
}
