//! The numbered streams of messages between two nodes.
//!
//! ```text
//!  publish --> Log: one for all peers --> Cursor of each peer --PUBLISH, MARK--> Inbox of that peer
//!                                     <-------------------------------GOT-----
//! ```
//!
//! A node numbers what is published at it, once for all peers. A peer is sent what it wants and says how far it got;
//! after a new link the sender goes on there. So nothing is doubled and nothing is missing, though the link itself
//! promises no more than order.
//!
//! What a peer does not want is kept too until the peer has confirmed a later mark: what it wants is only known up to
//! what it has confirmed, for it may have let a client subscribe while the link was about to end.

mod cursor;
mod inbox;
mod log;
mod planted;

pub use inbox::Inbox;
pub(crate) use log::Orphan;
pub use log::{Dropped, LOOSE_BYTES, LOOSE_TIME, Log, MESSAGES, TIME, Verdict, WINDOW};
