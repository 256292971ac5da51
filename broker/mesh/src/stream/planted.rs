//! Mistakes about the streams of messages.

use crate::id::Counter;
use crate::planted::planted;

planted! {
    /// Whether a peer has a message, so that it can be let go.
    LetGoWhenSent: fn has_it(has: bool, passed: bool) => passed;
    /// The last message that a peer has on a new link.
    ResumedAtTheEnd: fn resumed_at(at: Counter, last: Counter) => last;
    /// Whether a peer is told of messages that are lost.
    GapUntold: fn tells(tells: bool) => false;
}
