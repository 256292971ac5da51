//! What a node is to do after an input.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::forward::Kept;
use crate::id::{DiskId, LinkId, NodeId, Token};
use crate::map::{Change, Key};
use crate::message::Message;
use crate::wire::Frame;
use crate::zones::Offer;

/// One thing to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send a frame on a link, behind all earlier ones.
    Send(LinkId, Frame),
    /// End a link; it is used no more.
    Close(LinkId, Ended),
    /// Give a message that was published at another node to our subscribers.
    Deliver(Delivery),
    /// The map has changed: write it to disk, and follow it where it is a retained message.
    Changed(Change),
    /// A record is gone without a tombstone: take it off the disk.
    Forgotten(Key),
    /// Everything in the map but our own clients is gone, and the disk has another number; say so.
    BegunAnew(DiskId),
    /// A publisher may be acknowledged.
    Acknowledge(Token, Kept),
    /// A SUBSCRIBE holds everywhere: read what is retained, then answer it.
    Subscribed(Token),
    /// Messages of a peer are lost: end the sessions that were promised them.
    Lost(Lost),
    /// Give a report to the session of its zone.
    Offer(Offer),
    /// The owner has a report, or refuses it for good with this reason code: its publisher may know.
    Settled(Token, Option<u8>),
    /// Zones that wait and that nobody claims: say so on our own `broker/waiting`.
    Announce(Box<str>),
    /// The zone has a later owner: end the session of this epoch.
    EndZone(Box<str>, u64),
}

/// A message for our own subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it was published.
    pub from: NodeId,
    /// The message; as published it has RETAIN, for subscribers a copy has not.
    pub message: Arc<Message>,
    /// Whether it is for ordinary subscribers.
    pub everyone: bool,
    /// Shared subscriptions for which our members were chosen.
    pub groups: Vec<Box<str>>,
}

/// Messages that were given up before we came for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Where they were published.
    pub at: NodeId,
    /// Their topics; none if there are too many to name.
    pub topics: Option<Vec<Box<str>>>,
}

/// Why a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The peer was silent.
    Silent,
    /// The peer beats, but does not confirm.
    Stalled,
    /// A newer link takes its place.
    Replaced,
    /// No version is spoken by both.
    Foreign,
    /// What came makes no sense here; the other side is at fault.
    Confused,
}
