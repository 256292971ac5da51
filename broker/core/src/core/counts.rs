//! What the broker has done and what it holds, in numbers; and the `$SYS` topics, which only the broker publishes to.

use bytes::Bytes;

use super::Core;
use super::durable_ack::Waits;
use crate::moment::Moment;
use crate::protocol::{Properties, Publish, Qos};

/// Topics of this and below are the broker's own.
const OWN: &str = "$SYS";

/// Events since the broker started. They only grow, and are counted under the core's lock, where an addition is free.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Packets of any kind.
    pub received: u64,
    /// Packets of any kind.
    pub sent: u64,
    /// PUBLISH packets of clients.
    pub publishes_received: u64,
    /// PUBLISH packets to clients.
    pub publishes_sent: u64,
    /// Messages that a full queue did not take.
    pub dropped: u64,
    /// Reports and orders that their zone's owner refused for good.
    pub refused: u64,
    /// Bytes of payload.
    pub payload_received: u64,
    /// Bytes of payload.
    pub payload_sent: u64,
    /// Accepted CONNECTs.
    pub connections: u64,
    /// Sessions that were not come back for.
    pub expired: u64,
    /// Most clients connected at a time.
    pub most_connected: usize,
}

/// What the broker holds at one moment, and what it has done so far.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// All that has happened.
    pub counts: Counts,
    /// Clients with a connection.
    pub connected: usize,
    /// Connected or asleep.
    pub sessions: usize,
    /// Of all sessions, shared ones included.
    pub subscriptions: usize,
    /// Those of `subscriptions` that are shared.
    pub shared: usize,
    /// Retained messages.
    pub retained: usize,
    /// Their bytes.
    pub retained_bytes: usize,
    /// Waiting for clients or under way to them.
    pub queued: usize,
    /// Bytes of those that wait.
    pub queued_bytes: usize,
    /// Inside the router.
    pub window: usize,
    /// Of the site's zones.
    pub zones: Waits,
}

impl Core {
    /// Everything in numbers. Looks at every session, so not for every day's traffic.
    pub fn reading(&self) -> Reading {
        let (retained, retained_bytes) = self.retained.size();
        let mut reading = Reading {
            counts: self.counts.clone(),
            connected: self.connected,
            sessions: self.sessions.len(),
            retained,
            retained_bytes,
            window: self.window.len(),
            zones: self.zones.waits(),
            ..Reading::default()
        };
        for session in self.sessions.values() {
            reading.subscriptions += session.subscriptions();
            reading.shared += session.shared.len();
            let (queued, bytes) = session.outbox.size();
            reading.queued += queued;
            reading.queued_bytes += bytes;
        }
        reading
    }

    /// Whether a topic is one to which no client may publish.
    pub(super) fn is_own(topic: &str) -> bool {
        topic.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Publishes one of the broker's own values, retained; an empty one clears the topic.
    pub fn tell(&mut self, now: Moment, topic: &str, value: &str) {
        let publish = Publish {
            dup: false,
            qos: Qos::AtMostOnce,
            retain: true,
            pid: 0,
            topic: format!("{OWN}/broker/{topic}").into(),
            payload: Bytes::copy_from_slice(value.as_bytes()),
            properties: Properties::default(),
        };
        self.publish_for(now, None, publish);
    }
}
