//! What a device is.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a device is; known from its registration or from `kind` in its report.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Measures degrees.
    Temperature,
    /// 1 while something moves.
    Motion,
    /// 1 while open; closes itself.
    Door,
    /// 1 while lit; motion lights it.
    Bulb,
    /// 1 while powered.
    Outlet,
    /// Any other thing that reports: what an unknown device is until it says more.
    #[default]
    Sensor,
    /// Any other thing that also obeys.
    Device,
}

/// The two types of the registration table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// It reports.
    Sensor,
    /// It reports and is switched.
    Device,
}

impl Kind {
    /// Every kind with its name.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Temperature, "temperature"),
        (Self::Motion, "motion"),
        (Self::Door, "door"),
        (Self::Bulb, "bulb"),
        (Self::Outlet, "outlet"),
        (Self::Sensor, "sensor"),
        (Self::Device, "device"),
    ];

    /// The column "Node Type" of the registration table.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Temperature | Self::Motion | Self::Door | Self::Sensor => Class::Sensor,
            Self::Bulb | Self::Outlet | Self::Device => Class::Device,
        }
    }

    /// Its name in payloads and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("sensor", |(_, name)| name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("unknown kind {text:?}; a kind is one of {}", names.join(", "))
        })
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sensor => "Sensor",
            Self::Device => "Device",
        })
    }
}
