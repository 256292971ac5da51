//! What there is to tell of an entry.

use wire::{Device, GatewayId, NodeId};

/// Something to tell of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A gateway joined; true when it had been here before.
    Joined(GatewayId, bool),
    /// A gateway was found dead, with these devices.
    Died(GatewayId, Vec<(Device, NodeId)>),
    /// An open door is closed.
    ClosingDoor,
    /// Motion lit the bulbs.
    TurningOnLights,
    /// Door with presence, then motion.
    UserEntered,
    /// Stillness, then door with presence.
    UserExit,
    /// Motion without a door before it.
    UnknownEntry,
}

impl Note {
    /// The words that history keeps.
    #[must_use]
    pub fn text(&self) -> Option<&'static str> {
        match self {
            Self::Joined(..) | Self::Died(..) => None,
            Self::ClosingDoor => Some("Closing Door Automatically."),
            Self::TurningOnLights => Some("Turning on Lights."),
            Self::UserEntered => Some("USER ENTERED"),
            Self::UserExit => Some("USER EXIT"),
            Self::UnknownEntry => Some("unknown entry"),
        }
    }
}
