//! MQTT 3.1.1 and 5 packets as the broker sees them: one set of types for both versions.

mod properties;
mod reason;
pub mod topic;

use bytes::Bytes;

pub use properties::{correlation, response_topic, user_property, without_user_properties};
pub use reason::Reason;

/// The protocol a connection speaks, from its CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.
    V5,
}

/// Quality of service, ordered.
// The standard's own names.
#[allow(clippy::enum_variant_names)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

impl Qos {
    /// The QoS with this number, 0 to 2.
    pub fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// The properties that travel with a message, still encoded, without those the broker acts upon itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// Payload format, content type, response topic, correlation data and user properties, as received.
    pub forwarded: Box<[u8]>,
    /// Message expiry in seconds.
    pub expiry: Option<u32>,
}

/// A publish as a client sent it, topic alias resolved.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Whether the client has sent it before.
    pub dup: bool,
    /// Quality of service.
    pub qos: Qos,
    /// Whether the topic keeps it.
    pub retain: bool,
    /// 0 with QoS 0.
    pub pid: u16,
    /// A valid topic name.
    pub topic: Box<str>,
    /// Payload.
    pub payload: Bytes,
    /// Properties.
    pub properties: Properties,
}

impl Publish {
    /// What its message counts for in queues, in bytes.
    pub fn weight(&self) -> usize {
        self.topic.len() + self.payload.len() + self.properties.forwarded.len()
    }
}

/// A client's last will.
#[derive(Debug, Clone)]
pub struct Will {
    /// What is published; its packet id means nothing.
    pub publish: Publish,
    /// Will delay in seconds.
    pub delay: u32,
}

/// What a CONNECT says of who sends it.
#[derive(Clone, Default)]
pub struct Login {
    /// User name.
    pub user: Option<Box<str>>,
    /// Password.
    pub password: Option<Box<[u8]>>,
}

impl std::fmt::Debug for Login {
    // No log ever holds the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A CONNECT, the parts that matter here.
#[derive(Debug, Clone)]
pub struct Connect {
    /// Protocol version.
    pub version: Version,
    /// Client id; empty asks for one.
    pub client_id: String,
    /// User and password.
    pub login: Login,
    /// Clean Start, in MQTT 3.1.1 Clean Session.
    pub clean: bool,
    /// Seconds; `u32::MAX` is for ever.
    pub session_expiry: u32,
    /// Seconds; 0 is none.
    pub keep_alive: u16,
    /// QoS 1 and 2 publishes that the client takes at a time, at least 1.
    pub receive_maximum: u16,
    /// Largest packet that the client takes, in bytes.
    pub maximum_packet: u32,
    /// Topic aliases the client takes.
    pub alias_maximum: u16,
    /// Since when a gateway owns the zone for which it comes; 0 from everybody else.
    pub epoch: u64,
    /// Last will.
    pub will: Option<Will>,
}

/// One entry of a SUBSCRIBE.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The filter, with `$share/<name>/` if it is shared.
    pub path: String,
    /// Highest QoS that the client wants.
    pub qos: Qos,
    /// Not what the client publishes itself.
    pub no_local: bool,
    /// RETAIN as it was published.
    pub retain_as_published: bool,
    /// Whether retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent on SUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainHandling {
    /// With every SUBSCRIBE.
    Always,
    /// If there was no such subscription.
    IfNew,
    /// Not at all.
    Never,
}

/// What a client may send.
#[derive(Debug, Clone)]
pub enum Packet {
    /// CONNECT; the first packet and no other.
    Connect(Box<Connect>),
    /// PUBLISH.
    Publish(Publish),
    /// PUBACK of this packet id, and why the client refuses the message if it does.
    Puback(u16, Option<Reason>),
    /// The flag tells whether the client took the message.
    Pubrec(u16, bool),
    /// PUBREL of this packet id.
    Pubrel(u16),
    /// PUBCOMP of this packet id.
    Pubcomp(u16),
    /// SUBSCRIBE.
    Subscribe {
        /// Packet id.
        pid: u16,
        /// Subscription identifier.
        id: Option<u32>,
        /// One or more filters, which the core checks.
        filters: Vec<Filter>,
    },
    /// UNSUBSCRIBE.
    Unsubscribe {
        /// Packet id.
        pid: u16,
        /// One or more filters.
        filters: Vec<String>,
    },
    /// PINGREQ.
    Pingreq,
    /// DISCONNECT.
    Disconnect {
        /// Whether the will is to be published all the same.
        with_will: bool,
        /// Session expiry from now on, in seconds, if it changes.
        session_expiry: Option<u32>,
    },
}
