//! What goes out and what comes in.

use bytes::Bytes;

use crate::Qos;

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Where to; no wildcards.
    pub topic: String,
    /// How; at least once unless said otherwise.
    pub qos: Qos,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
    /// What.
    pub payload: Bytes,
    /// Where to answer (MQTT 5; dropped with 3.1.1, like the three below).
    pub response_topic: Option<String>,
    /// Seconds after which the broker drops what it has not delivered.
    pub expires: Option<u32>,
    /// Correlation Data: copied into the answer.
    pub correlation: Option<Bytes>,
    /// User properties.
    pub properties: Vec<(String, String)>,
}

impl Publish {
    /// A message of QoS 1 that is not retained.
    #[must_use]
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            qos: Qos::AtLeastOnce,
            retain: false,
            payload: payload.into(),
            response_topic: None,
            expires: None,
            correlation: None,
            properties: Vec::new(),
        }
    }

    /// The same with another quality of service.
    #[must_use]
    pub fn qos(mut self, qos: Qos) -> Self {
        self.qos = qos;
        self
    }

    /// The same, retained or not.
    #[must_use]
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// The same with a topic for the answer.
    #[must_use]
    pub fn response_topic(mut self, topic: impl Into<String>) -> Self {
        self.response_topic = Some(topic.into());
        self
    }

    /// The same with Correlation Data.
    #[must_use]
    pub fn correlation(mut self, data: impl Into<Bytes>) -> Self {
        self.correlation = Some(data.into());
        self
    }

    /// The same with one more user property.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }
}

/// A message that came in.
#[derive(Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where it was published.
    pub topic: String,
    /// What it says.
    pub payload: Bytes,
    /// How it came.
    pub qos: Qos,
    /// Whether it came from the broker's store of retained messages.
    pub retain: bool,
    /// Whether the broker may have delivered it before.
    pub dup: bool,
    /// Where to answer.
    pub response_topic: Option<String>,
    /// Correlation Data for the answer.
    pub correlation: Option<Bytes>,
    /// User properties.
    pub properties: Vec<(String, String)>,
    /// Give this to [`crate::Link::ack`] when the message is dealt with.
    pub ack: Ack,
}

/// The right to acknowledge one delivery, once. Worth nothing for QoS 0, with automatic
/// acknowledgements, and after the connection that delivered has ended.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a delivery that is not acknowledged comes again"]
pub struct Ack(pub(crate) Option<Due>);

impl Ack {
    /// An acknowledgement that does nothing, for deliveries made up in tests.
    pub fn none() -> Self {
        Self(None)
    }
}

/// What an acknowledgement must say, and on which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) connection: u64,
    pub(crate) packet: u16,
    pub(crate) qos: Qos,
    pub(crate) refusal: Option<Reason>,
}

/// Why a delivery is refused for good. With MQTT 5 the acknowledgement carries it; with 3.1.1 it is a plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// 0x99: the payload is not what the topic takes.
    PayloadFormat,
    /// 0x90: the topic names something that there is not.
    TopicName,
    /// 0x87: the sender may not do this.
    NotAuthorized,
    /// 0x97: the sender has used up its share.
    Quota,
}

/// What happened to the connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The broker accepted the connection.
    Up {
        /// Whether it still knew our session: subscriptions and messages that waited.
        session_present: bool,
    },
    /// The broker answered a subscription.
    Subscribed(Vec<Granted>),
    /// A message came in.
    Message(Delivery),
    /// The connection has ended, or never came about.
    Down(DownReason),
}

/// The broker's answer to one filter of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The filter.
    pub filter: String,
    /// The quality of service that the broker grants, or why it refuses.
    pub outcome: Result<Qos, String>,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownReason {
    /// For people.
    pub text: String,
    /// Whether another connection took the client id (MQTT 5, reason 0x8E; with 3.1.1 the broker
    /// just closes, and this stays false).
    pub taken_over: bool,
}

impl DownReason {
    pub(crate) fn because(text: impl Into<String>) -> Self {
        Self { text: text.into(), taken_over: false }
    }
}

impl core::fmt::Display for DownReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.text)
    }
}
