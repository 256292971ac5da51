//! What a broker of several that act as one has to decide: numbered streams of messages between nodes, the replicated map,
//! who gets a publish, who waits for that, and the way of a zone's reports to its owner. [`Node`] states what its caller has
//! to do; `README.md` beside this crate says how the rooms hang together.
//!
//! ```text
//!  frames of peers, what clients do, time --> Node --> frames, deliveries, acknowledgements, changes for the disk
//! ```
//!
//! It has no clock, no connections, no disk and no randomness: all of that comes in as values.
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "mutants"))]
#[cfg_attr(feature = "mutants", macro_use)]
extern crate std;

mod claims;
mod effect;
mod forward;
mod greet;
mod id;
mod map;
mod message;
mod messages;
mod moment;
#[cfg(feature = "mutants")]
pub mod mutant;
mod node;
mod peers;
mod planted;
mod records;
mod reports;
mod rooms;
mod stream;
mod version;
mod wire;
mod zones;

/// What nodes say to each other.
pub mod protocol {
    pub use crate::wire::*;
}

pub use claims::{Claim, ZONES};
pub use effect::{Delivery, Effect, Ended, Lost};
pub use forward::{FILTERS, GROUPS, Kept, PATIENCE};
pub use id::{
    Counter, DiskId, HIGHEST_NODE, Incarnation, Lane, Life, LinkId, NodeId, Nodes, Token,
};
pub use map::{
    Answer, Applied, BUCKETS, Brief, Bucket, Buried, Change, Clock, Entry, Home, Key, Kind, Map,
    Record, Refusal, TOMBSTONE_TIME, TOMBSTONES, Table, Testament, Value,
};
pub use message::{Fence, Message, Publisher, Qos};
pub use messages::Published;
pub use moment::Moment;
pub use node::{Counts, Node};
pub use peers::{READY_AFTER, SILENCE, STALL};
pub use rooms::Settings;
pub use stream::{Dropped, Inbox, LOOSE_BYTES, LOOSE_TIME, Log, MESSAGES, TIME, Verdict, WINDOW};
pub use version::{SiteTime, Version};
pub use zones::{
    Full, HELD_BYTES, HELD_MESSAGES, INCARNATIONS, LOOSE, Mark, Marks, OFFERED, Offer, Outcome,
    RETRY, UNDER_WAY, Verdict as Taking,
};
