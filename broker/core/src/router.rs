//! What the core and the router of wildcard filters say to each other. The router itself is the caller's: the core says
//! by its number which message goes in, and is told which filters it matches.

use std::sync::Arc;

use crate::message::Message;

/// A wildcard filter inside the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterId(pub u32);

/// First number for a filter. 0 and 1 are the router's own.
pub const FIRST_FILTER: u32 = 2;

/// Messages of one filter that the router reads at a time. 16,384: no more are ever inside, so that one turn of a
/// filter reads all that is there for it, and a fence never overtakes more than one turn.
pub const READ_AT_ONCE: u64 = 16 * 1024;

/// One step for the router.
#[derive(Debug)]
pub enum RouterOp {
    /// This message goes in: its [`order`](Message::order) and its topic are all that the router needs.
    Publish(Arc<Message>),
    /// A fence with this number goes in.
    Fence(u64),
    /// The filter with this number and this path is there from now on, for the router's life.
    Subscribe(FilterId, Box<str>),
}

/// One thing that came out of the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routed {
    /// The message with this number matches this filter.
    Match(FilterId, u64),
    /// Messages of this filter were lost in the router's log.
    Gap(FilterId),
    /// Everything before this number has had its turn.
    Fence(u64),
}
