//! How to connect.

use core::time::Duration;

use crate::Address;

/// Quality of service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qos {
    /// 0: sent once, never acknowledged.
    AtMostOnce,
    /// 1: acknowledged, so possibly delivered twice.
    #[default]
    AtLeastOnce,
    /// 2: two acknowledgements, never twice on one session.
    ExactlyOnce,
}

/// Version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1, which any broker speaks.
    V3,
    /// 5, with properties and reasons.
    #[default]
    V5,
}

/// What the broker publishes when the connection ends without a DISCONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// How.
    pub qos: Qos,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}

/// How to connect; [`Options::new`] gives the usual answers.
#[derive(Clone, Debug)]
pub struct Options {
    /// The broker.
    pub address: Address,
    /// Client id: a second connection with the same one throws the first one out.
    pub client_id: String,
    /// Version of the protocol; 5.
    pub version: Version,
    /// Whether to begin without a session and to leave none behind; true.
    pub clean: bool,
    /// How long the broker keeps the session of a lost connection. Only MQTT 5 with `clean`
    /// false; with 3.1.1 the broker decides. One day.
    pub session_expiry: Duration,
    /// After this much silence the broker is asked whether it lives; after twice as much the
    /// connection is given up. Whole seconds, at least one. 5 s.
    pub keep_alive: Duration,
    /// What the broker publishes when the connection is lost.
    pub will: Option<Will>,
    /// User properties of the CONNECT (MQTT 5).
    pub properties: Vec<(String, String)>,
    /// Whether the caller acknowledges each delivery with [`crate::Link::ack`]; false.
    pub manual_acks: bool,
    /// How many unacknowledged deliveries the broker may have on its way to us (MQTT 5), 1 to
    /// 65535; 256.
    pub receive_maximum: u16,
    /// How many publishes of QoS 1 and 2 may wait for their acknowledgement; the broker may allow
    /// fewer. 1000, because our own broker withholds acknowledgements until a commit, and
    /// publishes behind the limit wait.
    pub in_flight: u16,
    /// How many messages may wait for the connection before [`crate::Link::publish`] waits too;
    /// 1024: four batches of the usual 256, a few hundred KiB with the usual payloads.
    pub queue: usize,
    /// How long the TCP connection and the broker's CONNACK may take together; 5 s.
    pub connect_timeout: Duration,
}

impl Options {
    /// A clean MQTT 5 connection with automatic acknowledgements and no will.
    #[must_use]
    pub fn new(address: Address, client_id: impl Into<String>) -> Self {
        Self {
            address,
            client_id: client_id.into(),
            version: Version::V5,
            clean: true,
            session_expiry: Duration::from_secs(24 * 60 * 60),
            keep_alive: Duration::from_secs(5),
            will: None,
            properties: Vec::new(),
            manual_acks: false,
            receive_maximum: 256,
            in_flight: 1000,
            queue: 1024,
            connect_timeout: Duration::from_secs(5),
        }
    }

    /// The keep-alive that is really used, in seconds: what CONNECT can carry.
    pub(crate) fn keep_alive_seconds(&self) -> u16 {
        // 0 would switch it off, and a dead broker would never be noticed.
        u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1)
    }

    /// The session expiry that is really used, in seconds.
    pub(crate) fn session_expiry_seconds(&self) -> u32 {
        if self.clean {
            0
        } else {
            u32::try_from(self.session_expiry.as_secs()).unwrap_or(u32::MAX)
        }
    }
}
