//! Mistakes about what nodes do with messages.

use alloc::sync::Arc;

use crate::message::Message;
use crate::planted::planted;

planted! {
    /// Whether a message or record is of an ownership that is over.
    FormerOwnerHeard: fn is_former(former: bool) => false;
    /// Whether a publisher waits for a second node.
    AcknowledgedAlone: fn waits(waits: bool) => false;
    /// What is passed on of what came from a peer: nothing.
    ForwardedTwice: fn passed_on(nothing: Option<Arc<Message>>, message: &Arc<Message>) => Some(message.clone());
}
