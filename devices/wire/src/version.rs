//! Versions of what gateways say to each other and of what they write into their common log.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The number of a format: every kind of message and of log entry exists since one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u8);

impl Version {
    /// What gateways spoke before they announced what they speak.
    pub const FIRST: Self = Self(3);
}

impl Default for Version {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The versions that a gateway understands; `[lowest, highest]` in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[Version; 2]", into = "[Version; 2]")]
pub struct Versions {
    /// The lowest.
    pub oldest: Version,
    /// The highest.
    pub newest: Version,
}

impl From<[Version; 2]> for Versions {
    fn from([oldest, newest]: [Version; 2]) -> Self {
        Self { oldest, newest }
    }
}

impl From<Versions> for [Version; 2] {
    fn from(versions: Versions) -> Self {
        [versions.oldest, versions.newest]
    }
}

impl Versions {
    /// Whether this version is one of them.
    #[must_use]
    pub fn contains(self, version: Version) -> bool {
        (self.oldest..=self.newest).contains(&version)
    }
}
