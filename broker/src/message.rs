//! A message inside the broker, shared by everyone it goes to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::core::{GroupId, Weighed};
use crate::protocol::Qos;

/// Time since the broker started. A value, so that the core needs no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Moment(pub(crate) Duration);

impl Moment {
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }

    pub(crate) fn after_secs(self, seconds: u32) -> Self {
        self.after(Duration::from_secs(u64::from(seconds)))
    }

    /// Whole seconds from `now` until this moment, rounded up.
    pub(crate) fn secs_from(self, now: Self) -> u32 {
        let left = self.0.saturating_sub(now.0);
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }
}

/// A session, for as long as the broker runs; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionKey(pub(crate) u64);

/// A network connection, for as long as the broker runs; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnId(pub(crate) u64);

/// A published message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) topic: Box<str>,
    pub(crate) payload: Bytes,
    /// As published; subscribers get the lower of this and their own.
    pub(crate) qos: Qos,
    /// As published.
    pub(crate) retain: bool,
    /// Encoded properties that travel on.
    pub(crate) properties: Box<[u8]>,
    pub(crate) expires: Option<Moment>,
    /// `None` for the broker's own messages.
    pub(crate) publisher: Option<SessionKey>,
    /// Position in the order of everything that happened to subscriptions and messages.
    pub(crate) order: u64,
    /// Number of the stamp, for a site's reports and sets.
    pub(crate) stamp: Option<u64>,
    /// Whether the zone's session has been handed this message, so that it must not get it twice.
    pub(crate) handed: bool,
    pub(crate) weighed: Weighed,
}

impl Message {
    /// What it counts for in queues, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.topic.len() + self.payload.len() + self.properties.len()
    }

    pub(crate) fn expired(&self, now: Moment) -> bool {
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

/// A publisher whose PUBACK or PUBREC is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) publisher: SessionKey,
    pub(crate) pid: u16,
    pub(crate) qos: Qos,
}
