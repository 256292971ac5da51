use std::fmt;

/// Why a connection ends or a request is refused; the numbers are MQTT 5's reason codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// All is well.
    Normal = 0x00,
    /// The packet cannot be read.
    Malformed = 0x81,
    /// The packet must not come, or not so.
    Protocol = 0x82,
    /// The owner of the zone cannot take what was published.
    Undeliverable = 0x83,
    /// The protocol version is unknown.
    Version = 0x84,
    /// The client id is not valid.
    ClientId = 0x85,
    /// Name or password is wrong.
    BadCredentials = 0x86,
    /// The user may not do this.
    NotAuthorized = 0x87,
    /// The broker is full.
    Busy = 0x89,
    /// The broker stops.
    ShuttingDown = 0x8B,
    /// The authentication method is unknown.
    AuthenticationMethod = 0x8C,
    /// The client was silent for too long.
    KeepAlive = 0x8D,
    /// A newer connection has the client id.
    TakenOver = 0x8E,
    /// The topic filter is not valid.
    Filter = 0x8F,
    /// The topic is not valid.
    Topic = 0x90,
    /// The packet id is unknown.
    PidUnknown = 0x92,
    /// More publishes are unacknowledged than allowed.
    ReceiveMaximum = 0x93,
    /// The topic alias is not valid.
    Alias = 0x94,
    /// The packet is too large.
    TooLarge = 0x95,
    /// A bound is reached.
    Quota = 0x97,
    /// An administrator ended the session.
    Administrative = 0x98,
    /// The payload is not what its topic takes.
    PayloadFormat = 0x99,
}

impl Reason {
    /// Why a client refuses a message, from the code of its acknowledgement; none when it takes it.
    pub fn refusal(code: u8) -> Option<Self> {
        match code {
            0x00..0x80 => None,
            0x87 => Some(Self::NotAuthorized),
            0x90 => Some(Self::Topic),
            0x97 => Some(Self::Quota),
            0x99 => Some(Self::PayloadFormat),
            _ => Some(Self::Undeliverable),
        }
    }

    /// The MQTT 3.1.1 CONNACK return code that comes nearest.
    pub fn connack_v311(self) -> u8 {
        match self {
            Self::Normal => 0,
            Self::Version => 1,
            Self::ClientId => 2,
            Self::BadCredentials => 4,
            Self::NotAuthorized | Self::AuthenticationMethod => 5,
            _ => 3,
        }
    }
}

impl Reason {
    /// What the client did, in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Normal => "said goodbye",
            Self::Malformed => "sent a malformed packet",
            Self::Protocol => "broke the protocol",
            Self::Undeliverable => "published what the owner of its zone cannot take",
            Self::Version => "speaks an unknown protocol version",
            Self::ClientId => "has a client id that is not valid",
            Self::BadCredentials => "gave a wrong name or password",
            Self::NotAuthorized => "is not authorized",
            Self::Busy => "came while the broker was full",
            Self::ShuttingDown => "was dismissed as the broker stops",
            Self::AuthenticationMethod => "asked for an unknown authentication method",
            Self::KeepAlive => "was silent for too long",
            Self::TakenOver => "was replaced by a newer connection with its client id",
            Self::Filter => "sent a topic filter that is not valid",
            Self::Topic => "sent a topic that is not valid",
            Self::PidUnknown => "named an unknown packet id",
            Self::ReceiveMaximum => "sent more unacknowledged publishes than allowed",
            Self::Alias => "used a topic alias that is not valid",
            Self::TooLarge => "sent a packet that is too large",
            Self::Quota => "fell too far behind",
            Self::Administrative => "had its session ended by an administrator",
            Self::PayloadFormat => "published what its topic does not take",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
