//! MQTT 3.1.1 and 5 packets as the broker sees them: one set of types for both versions.
//!
//! `mqtt-protocol-core` parses the packets. Its `Connection` is not used, because it keeps a
//! second copy of the session's handshakes, answers a repeated QoS 2 publish at once even while the
//! durable acknowledgement is outstanding, and counts a resumed PUBREL below zero for clients with a
//! Receive Maximum. PUBLISH and its acknowledgements, the hot path, are read and written in place.

mod decode;
mod decode_connect;
mod encode;
#[cfg(test)]
mod fuzz;
mod properties;
mod reason;
pub(crate) mod topic;

use bytes::Bytes;

pub(crate) use decode::Decoder;
pub(crate) use encode::{
    Action, ConnackLimits, Encoder, Outgoing, codes_size, user_property, welcome_size,
};
pub(crate) use properties::{response_topic, without_user_properties};
pub(crate) use reason::Reason;

/// The protocol a connection speaks, from its CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V311,
    V5,
}

/// Quality of service, ordered.
// The standard's own names.
#[allow(clippy::enum_variant_names)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Qos {
    AtMostOnce = 0,
    AtLeastOnce = 1,
    ExactlyOnce = 2,
}

impl Qos {
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
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
pub(crate) struct Properties {
    /// Payload format, content type, response topic, correlation data and user properties, as received.
    pub(crate) forwarded: Box<[u8]>,
    /// Message expiry in seconds.
    pub(crate) expiry: Option<u32>,
}

/// A publish as a client sent it, topic alias resolved.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    pub(crate) dup: bool,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// 0 with QoS 0.
    pub(crate) pid: u16,
    pub(crate) topic: Box<str>,
    pub(crate) payload: Bytes,
    pub(crate) properties: Properties,
}

impl Publish {
    /// What its message counts for in queues, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.topic.len() + self.payload.len() + self.properties.forwarded.len()
    }
}

/// A client's last will.
#[derive(Debug, Clone)]
pub(crate) struct Will {
    pub(crate) publish: Publish,
    /// Will delay in seconds.
    pub(crate) delay: u32,
}

/// What a CONNECT says of who sends it.
#[derive(Clone, Default)]
pub(crate) struct Login {
    pub(crate) user: Option<Box<str>>,
    pub(crate) password: Option<Box<[u8]>>,
}

impl std::fmt::Debug for Login {
    // No log ever holds the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A CONNECT, the parts that matter here.
#[derive(Debug, Clone)]
pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) client_id: String,
    pub(crate) login: Login,
    pub(crate) clean: bool,
    /// Seconds; `u32::MAX` is for ever.
    pub(crate) session_expiry: u32,
    /// Seconds; 0 is none.
    pub(crate) keep_alive: u16,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet: u32,
    /// Topic aliases the client takes.
    pub(crate) alias_maximum: u16,
    pub(crate) will: Option<Will>,
}

/// One entry of a SUBSCRIBE.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) path: String,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
}

/// When retained messages are sent on SUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetainHandling {
    Always,
    IfNew,
    Never,
}

/// What a client may send.
#[derive(Debug, Clone)]
pub(crate) enum Packet {
    Connect(Box<Connect>),
    Publish(Publish),
    Puback(u16),
    /// The flag tells whether the client took the message.
    Pubrec(u16, bool),
    Pubrel(u16),
    Pubcomp(u16),
    Subscribe {
        pid: u16,
        id: Option<u32>,
        filters: Vec<Filter>,
    },
    Unsubscribe {
        pid: u16,
        filters: Vec<String>,
    },
    Pingreq,
    Disconnect {
        with_will: bool,
        session_expiry: Option<u32>,
    },
}
