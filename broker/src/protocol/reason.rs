use std::fmt;

/// Why a connection ends or a request is refused; the numbers are MQTT 5's reason codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    Normal = 0x00,
    Malformed = 0x81,
    Protocol = 0x82,
    Undeliverable = 0x83,
    Version = 0x84,
    ClientId = 0x85,
    BadCredentials = 0x86,
    NotAuthorized = 0x87,
    Busy = 0x89,
    ShuttingDown = 0x8B,
    AuthenticationMethod = 0x8C,
    KeepAlive = 0x8D,
    TakenOver = 0x8E,
    Filter = 0x8F,
    Topic = 0x90,
    PidUnknown = 0x92,
    ReceiveMaximum = 0x93,
    Alias = 0x94,
    TooLarge = 0x95,
    Quota = 0x97,
}

impl Reason {
    /// The MQTT 3.1.1 CONNACK return code that comes nearest.
    pub(crate) fn connack_v311(self) -> u8 {
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

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
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
        })
    }
}
