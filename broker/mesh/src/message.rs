//! A message on its way through the home.

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;

use crate::moment::Moment;
use crate::version::Version;

/// How sure the delivery of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
// The standard's own names.
#[allow(clippy::enum_variant_names)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

/// Who published a message: a client id and the CONNECT since which the client is there. A later CONNECT of the same
/// client has a higher one, at whatever node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// Client id.
    pub client: Arc<str>,
    /// Its CONNECT.
    pub since: Version,
}

/// The ownership under which an owner published a `state` or a `command`: peers drop those of an epoch that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The zone.
    pub zone: Box<str>,
    /// The owner's epoch.
    pub epoch: u64,
}

/// A published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic name.
    pub topic: Box<str>,
    /// Payload, which nobody looks into.
    pub payload: Bytes,
    /// As published.
    pub qos: Qos,
    /// As published.
    pub retain: bool,
    /// Encoded properties that travel on.
    pub properties: Bytes,
    /// When it expires, by the clock of the node that has it.
    pub expires: Option<Moment>,
    /// `None` for a broker's own messages.
    pub publisher: Option<Publisher>,
    /// The user on whose account it goes.
    pub user: Option<Box<str>>,
    /// For what a zone's owner publishes.
    pub fence: Option<Fence>,
    /// Of a retained message: its place among all that its topic ever had. The mesh sets it.
    pub version: Option<Version>,
}

impl Message {
    /// A plain message: neither retained nor of a zone.
    #[must_use]
    pub fn new(topic: &str, payload: Bytes, qos: Qos) -> Self {
        Self {
            topic: topic.into(),
            payload,
            qos,
            retain: false,
            properties: Bytes::new(),
            expires: None,
            publisher: None,
            user: None,
            fence: None,
            version: None,
        }
    }

    /// What it counts for in queues, in bytes: its texts and about what its bookkeeping takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        128 + self.topic.len() + self.payload.len() + self.properties.len()
    }

    /// Whether its time is over.
    #[must_use]
    pub fn expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}
