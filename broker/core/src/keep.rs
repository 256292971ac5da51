//! What outlives the broker: retained messages, sessions with their subscriptions, wills, and whether this site has
//! gateways.
//!
//! Every change of it is a [`Keep`]; a store that applies them in order has what
//! [`Core::restore`](crate::Core::restore) takes at the next start, as a [`Memory`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::message::Message;
use crate::moment::Moment;
use crate::packet::{Filter, Qos, Will};

/// A change of what outlives the broker.
#[derive(Debug, Clone)]
pub enum Keep {
    /// The topic's retained message is this one now.
    Retained(Arc<Message>),
    /// The topic has no retained message any more.
    Cleared(Box<str>),
    /// There is a session, with this time to live.
    Session(Lasting),
    /// The client has no session any more, and so no subscriptions.
    SessionEnded(Arc<str>),
    /// The client's session has a subscription, new or changed, with this identifier.
    Subscribed(Arc<str>, Filter, Option<u32>),
    /// The client's session has no such subscription any more.
    Unsubscribed(Arc<str>, Box<str>),
    /// The client sleeps: these wait for it, and nothing else; these QoS 2 ids of its own are not released yet.
    Asleep(Arc<str>, Vec<Waiting>, Vec<u16>),
    /// The client is back; what it has sent since then is not kept.
    Awake(Arc<str>),
    /// The sleeping client's own QoS 2 publish with this id has been taken in now.
    Received(Arc<str>, u16),
    /// This waits for the client, new or as it is now.
    Waiting(Arc<str>, Waiting),
    /// The client has what waited for it under this number.
    Delivered(Arc<str>, u32),
    /// The client has this will, new or as it is now.
    Will(Box<LastWill>),
    /// The client has no will any more.
    WillOver(Arc<str>),
    /// A gateway of this site has been here.
    Gateways,
}

/// How long a session lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lasting {
    /// Client id.
    pub client: Arc<str>,
    /// Whose it is; none where there are no users.
    pub user: Option<Box<str>>,
    /// Seconds it outlives its connection; `u32::MAX` is for ever.
    pub expiry: u32,
    /// When it ends, if it sleeps and does not last for ever.
    pub ends_at: Option<Moment>,
}

/// What was kept of the broker's earlier lives.
#[derive(Debug, Default)]
pub struct Memory {
    /// Whether a gateway of this site has ever been here.
    pub gateways: bool,
    /// Retained messages.
    pub retained: Vec<StoredMessage>,
    /// Messages that wait for sessions.
    pub messages: Vec<StoredMessage>,
    /// Sessions, all asleep.
    pub sessions: Vec<StoredSession>,
    /// Last wills.
    pub wills: Vec<StoredWill>,
}

/// A message that was kept.
#[derive(Debug)]
pub struct StoredMessage {
    /// Its place in the order of an earlier life's messages; 0 if that is not known.
    pub order: u64,
    /// Topic name.
    pub topic: Box<str>,
    /// Payload.
    pub payload: Bytes,
    /// As published.
    pub qos: Qos,
    /// Encoded properties that travel on.
    pub properties: Box<[u8]>,
    /// What is left of its time, if that is limited.
    pub left: Option<Duration>,
    /// The user who published it, if that is known: of retained messages.
    pub owner: Option<Box<str>>,
}

/// A session that was kept; it sleeps.
#[derive(Debug)]
pub struct StoredSession {
    /// Client id.
    pub client: Box<str>,
    /// Whose it is; none where there were no users.
    pub user: Option<Box<str>>,
    /// Seconds it outlives its connection; `u32::MAX` is for ever.
    pub expiry: u32,
    /// What is left of its time; `None` if it was connected to the end, or lasts for ever.
    pub left: Option<Duration>,
    /// With the identifiers, the oldest first.
    pub subscriptions: Vec<(Filter, Option<u32>)>,
    /// What waits for it, in order; messages stand in [`Memory::messages`].
    pub waiting: Vec<StoredWaiting>,
    /// QoS 2 ids of the client that it has not released.
    pub received: Vec<u16>,
}

/// A message that waits for a session, by the message's order.
#[derive(Debug)]
pub struct StoredWaiting {
    /// Its number within the session.
    pub number: u32,
    /// The message's order.
    pub order: u64,
    /// The delivery's own QoS.
    pub qos: Qos,
    /// Whether it is sent with RETAIN.
    pub retain: bool,
    /// Whether it comes from the store of retained messages.
    pub stored: bool,
    /// Subscription identifiers.
    pub ids: Box<[u32]>,
    /// How far its handshake had come; none if it was not sent.
    pub sent: Option<Sent>,
}

/// A QoS 1 or 2 message that waits for a session which may outlive the broker.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its number within the session, from 1.
    pub number: u32,
    /// The message itself.
    pub message: Arc<Message>,
    /// The delivery's own QoS.
    pub qos: Qos,
    /// Whether it is sent with RETAIN.
    pub retain: bool,
    /// Whether it comes from the store of retained messages.
    pub stored: bool,
    /// Subscription identifiers.
    pub ids: Box<[u32]>,
    /// How far its handshake has come; none if it was not sent.
    pub sent: Option<Sent>,
}

/// How far the handshake of a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its packet id.
    pub pid: u16,
    /// The client has it: what is missing is the PUBCOMP.
    pub released: bool,
}

/// A will to keep.
#[derive(Debug, Clone)]
pub struct LastWill {
    /// Client id.
    pub client: Arc<str>,
    /// Whose it is; none where there are no users.
    pub user: Option<Box<str>>,
    /// The will itself.
    pub will: Will,
    /// When it is published; none while its client is there.
    pub due: Option<Moment>,
}

/// A will that was kept.
#[derive(Debug)]
pub struct StoredWill {
    /// Client id.
    pub client: Box<str>,
    /// Whose it is; none where there were no users.
    pub user: Option<Box<str>>,
    /// The will itself.
    pub will: Will,
    /// What was left of its delay; `None` if its client was there to the end.
    pub left: Option<Duration>,
}
