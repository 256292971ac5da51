//! What a gateway says of itself, retained on `hearth/<site>/gateway/<n>/status`.

use serde::{Deserialize, Serialize};

use crate::{Clock, Epoch, GatewayId, PayloadError, Seq, UnixMillis, Versions};

/// Alive, or its last will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Liveness {
    /// It spoke; worth nothing when it comes retained.
    Alive,
    /// Its connection ended without a word: a suspicion, not a death.
    Dead,
    /// It said goodbye.
    Stopped,
}

/// How often the cache helped, since the gateway started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheCounts {
    /// Queries answered from the cache.
    pub hits: u64,
    /// Queries of a device that some gateway had cached before, but not this one now.
    pub misses: u64,
    /// Queries of a device that no gateway had ever cached.
    pub cold_misses: u64,
}

/// A digest of replicated state, as 16 hexadecimal digits: JSON numbers are not exact enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub u64);

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        format!("{:016x}", digest.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = core::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u64::from_str_radix(&text, 16).map(Self)
    }
}

/// How often a site went on with one voter after all others were lost for ever. Gateways of another one are not
/// listened to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SiteGeneration(pub u32);

impl SiteGeneration {
    /// Whether nothing was lost yet.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        self.0 == 0
    }
}

impl core::fmt::Display for SiteGeneration {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// What the rows of a gateway's file sum up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The slot up to which they are applied.
    pub slot: u64,
    /// Digest of them all.
    pub digest: Digest,
    /// The version of the tables' layout: other layouts have other sums.
    pub layout: u32,
}

/// The clocks of a gateway, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The elapsed time in which durations are counted, as far as the gateway knows.
    pub elapsed: UnixMillis,
    /// Whether it knows: one that has started does not, before it is told.
    pub known: bool,
    /// Its wall clock.
    pub wall: UnixMillis,
}

/// A heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Alive, or its last will.
    pub status: Liveness,
    /// Who speaks.
    pub gateway: GatewayId,
    /// Which life of it: greater after every start.
    pub incarnation: u64,
    /// Of which generation of the site it is.
    #[serde(default, skip_serializing_if = "SiteGeneration::is_first")]
    pub generation: SiteGeneration,
    /// The versions of entries and messages that it understands.
    #[serde(default)]
    pub versions: Versions,
    /// The highest owner epoch that it has applied.
    #[serde(default)]
    pub epoch: Epoch,
    /// The last Paxos slot that it has applied.
    #[serde(default)]
    pub applied: u64,
    /// Digest of all that it has applied; none where there is nothing to compare.
    #[serde(default)]
    pub digest: Option<Digest>,
    /// Digest of all rows in its file, and of which slot; none before it has written anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<Written>,
    /// The last agreed device change that it has applied.
    #[serde(default)]
    pub seq: Seq,
    /// Its Lamport clock.
    #[serde(default)]
    pub clock: Clock,
    /// Load: devices in the zones that it owns.
    #[serde(default)]
    pub devices: u32,
    /// Load: zones that it owns.
    #[serde(default)]
    pub zones: u32,
    /// Whom it takes for the leader; none during an election.
    #[serde(default)]
    pub leader: Option<GatewayId>,
    /// Whether it owns zones; false for a standby.
    #[serde(default)]
    pub serves: bool,
    /// Its cache so far.
    #[serde(default)]
    pub cache: CacheCounts,
    /// Its clocks; none from a program that does not tell them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
}

impl Heartbeat {
    /// The heartbeat of a gateway that has nothing to tell but its liveness: its last will.
    #[must_use]
    pub fn bare(status: Liveness, gateway: GatewayId, incarnation: u64) -> Self {
        Self {
            status,
            gateway,
            incarnation,
            generation: SiteGeneration::default(),
            versions: Versions::default(),
            epoch: Epoch(0),
            applied: 0,
            digest: None,
            tables: None,
            seq: Seq(0),
            clock: Clock(0),
            devices: 0,
            zones: 0,
            leader: None,
            serves: false,
            cache: CacheCounts::default(),
            times: None,
        }
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is no heartbeat.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        serde_json::from_slice(payload).map_err(|error| PayloadError::BadJson(error.to_string()))
    }

    /// The payload.
    ///
    /// # Panics
    /// Never: every member has a JSON form.
    #[must_use]
    pub fn to_payload(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a heartbeat has a JSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_will_is_a_heartbeat_too() {
        let will = Heartbeat::bare(Liveness::Dead, GatewayId(3), 17);
        assert_eq!(Heartbeat::parse(&will.to_payload()), Ok(will));
        let short = br#"{"status":"dead","gateway":3,"incarnation":17}"#;
        let short = Heartbeat::parse(short).map(|beat| (beat.status, beat.gateway));
        assert_eq!(short, Ok((Liveness::Dead, GatewayId(3))));
        assert!(Heartbeat::parse(b"alive").is_err());
    }
}
