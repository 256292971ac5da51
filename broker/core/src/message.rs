//! A message inside the broker, shared by everyone it goes to.

use std::sync::Arc;

use bytes::Bytes;

use crate::access::Payer;
use crate::id::{GroupId, SessionKey, Stamp};
use crate::moment::Moment;
use crate::packet::{Publish, Qos};
use crate::route::ZoneName;
use crate::weight::{Scales, Weighed};

/// A published message.
#[derive(Debug)]
pub struct Message {
    /// Topic name.
    pub topic: Box<str>,
    /// Payload, which nobody looks into.
    pub payload: Bytes,
    /// As published; subscribers get the lower of this and their own.
    pub qos: Qos,
    /// As published.
    pub retain: bool,
    /// Encoded properties that travel on.
    pub properties: Box<[u8]>,
    /// From when on it is not delivered any more.
    pub expires: Option<Moment>,
    /// `None` for the broker's own messages.
    pub(crate) publisher: Option<SessionKey>,
    /// On whose account goes the zone that it may make; the house's for what is for no zone.
    pub(crate) payer: Payer,
    /// The user who published it; none where there are no users, and for the broker's own messages.
    pub owner: Option<Arc<str>>,
    /// Position in the order of everything that happened to subscriptions and messages.
    pub order: u64,
    /// The stamp of a site's reports and sets.
    pub stamp: Option<Stamp>,
    /// Where the topic of those names the zone.
    pub(crate) zone: Option<ZoneName>,
    /// Whether the zone's session has been handed this message, so that it must not get it twice.
    pub handed: bool,
    /// Of a request to the gateways: where its sender may have the answer sent, as user properties.
    pub(crate) replies: Option<Arc<[u8]>>,
    pub(crate) weighed: Weighed,
}

impl Message {
    /// The message of a publish that came in at `now`; `order` is its place among all messages.
    #[must_use]
    pub fn new(publish: Publish, now: Moment, order: u64) -> Self {
        Self {
            topic: publish.topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            properties: publish.properties.forwarded,
            expires: publish.properties.expiry.map(|seconds| now.after_secs(seconds)),
            publisher: None,
            payer: Payer::House,
            owner: None,
            order,
            stamp: None,
            zone: None,
            handed: false,
            replies: None,
            weighed: Weighed::default(),
        }
    }

    /// The same message on the scales.
    pub(crate) fn weighed(mut self, scales: &Scales) -> Self {
        self.weighed = scales.put(self.weight());
        self
    }

    /// The zone of a site's report or set.
    pub(crate) fn zone(&self) -> Option<&str> {
        self.zone.map(|name| name.of(&self.topic))
    }

    /// What it counts for in queues, in bytes.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.topic.len() + self.payload.len() + self.properties.len()
    }

    /// Whether its time is over.
    #[must_use]
    pub fn expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// A message waiting for or on its way to one session.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// From the retained store; does not count against the queue's bounds, which the store has already.
    pub(crate) stored: bool,
    pub(crate) ids: Box<[u32]>,
    /// Whose acknowledgement waits for this delivery.
    pub(crate) hold: Option<Hold>,
    /// Its number among those of its session that outlive the broker; 0 if it does not.
    pub(crate) kept: u32,
    /// The shared subscription that it belongs to.
    pub(crate) group: Option<GroupId>,
}

impl Delivery {
    /// A message as it was published.
    pub(crate) fn new(message: Arc<Message>) -> Self {
        Self {
            qos: message.qos,
            retain: false,
            stored: false,
            ids: Box::default(),
            hold: None,
            kept: 0,
            group: None,
            message,
        }
    }
}

/// A publisher whose PUBACK or PUBREC is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Number of the publish: clients use their packet ids again.
    pub(crate) number: u64,
    pub(crate) publisher: SessionKey,
    pub(crate) pid: u16,
    pub(crate) qos: Qos,
}
