//! What gateways say to each other on the Paxos topics, as compact binary.
//!
//! ```text
//! byte  0     the version since which this kind of message exists
//! bytes 1–8   sender: its gateway number, then seven bytes that tell its disk from others
//! rest        the message (postcard)
//! ```
//!
//! In a site of a generation above 0, byte 0 and the four bytes of the generation (little endian) come before that.

use core::fmt;

use paxos::ReplicaId;
use serde::{Deserialize, Serialize};
use wire::{Epoch, PaxosLeg, SiteGeneration, Version, Zone};

use crate::id::Incarnation;
use crate::snapshots::{SnapshotAnswer, SnapshotId};
use crate::version::{NEWEST, WITNESSES};
use crate::witness::{Announcement, Known};

/// One message between gateways.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeerMessage {
    /// A message of the agreement itself.
    Paxos(paxos::Message),
    /// Are you there? Asked of a gateway that is suspected.
    Ping(u64),
    /// Yes; with the number of the question.
    Pong(u64),
    /// May I answer queries alone from `sent` (my clock, microseconds) for a lease time?
    LeaseRequest {
        /// When the sender sent it, by its own clock.
        sent: u64,
        /// Its incarnation: the clock begins anew in each life.
        life: Incarnation,
    },
    /// You may: a majority followed me after your request had arrived.
    LeaseGrant {
        /// Copied from the request.
        sent: u64,
        /// Copied from the request.
        life: Incarnation,
        /// The last epoch that I know: whoever does not know it may own what has moved since.
        epoch: Epoch,
    },
    /// My session of this zone broke, or is up again: do I still own it?
    EpochQuery {
        /// The zone.
        zone: Zone,
        /// The epoch that I own it under.
        epoch: Epoch,
        /// Number of the question among those about this zone and epoch.
        question: u64,
    },
    /// The leader's word on that, from a round begun after the question.
    EpochAnswer {
        /// The zone.
        zone: Zone,
        /// The epoch that was asked about.
        epoch: Epoch,
        /// Copied from the question.
        question: u64,
        /// Whether it is the current one.
        holds: bool,
    },
    /// No log reaches back to me: may I have your state?
    SnapshotRequest {
        /// What I have: only what is newer helps.
        above: paxos::Slot,
        /// The snapshot that I have a part of, and how much; none for whichever you have.
        part: Option<(SnapshotId, u64)>,
    },
    /// The answer to that.
    SnapshotAnswer(SnapshotAnswer),
    /// This is my life, and so old is my file.
    Announce(Announcement),
    /// This is what I remember of your file.
    Known(Known),
}

/// The byte before a generation. No version has it.
const SEAL: u8 = 0;

/// Puts the generation of the site before the bytes of a message, if it is not the first one.
#[must_use]
pub fn sealed(generation: SiteGeneration, message: Vec<u8>) -> Vec<u8> {
    if generation.is_first() {
        return message;
    }
    [&[SEAL], &generation.0.to_le_bytes()[..], &message].concat()
}

/// The generation of the site that a message is from, and its bytes.
///
/// # Errors
/// When the bytes are too few.
pub fn unsealed(bytes: &[u8]) -> Result<(SiteGeneration, &[u8]), PeerError> {
    let Some((&SEAL, rest)) = bytes.split_first() else {
        return Ok((SiteGeneration::default(), bytes));
    };
    let (generation, rest) = rest.split_first_chunk().ok_or(PeerError::Short)?;
    Ok((SiteGeneration(u32::from_le_bytes(*generation)), rest))
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerError {
    /// Fewer bytes than a head has.
    Short,
    /// It is of a version that this program does not know.
    Version(Version),
    /// The rest is damaged.
    Damaged,
}

impl PeerMessage {
    /// The version since which this kind of message exists.
    #[must_use]
    pub const fn since(&self) -> Version {
        match self {
            Self::Paxos(_)
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::LeaseRequest { .. }
            | Self::LeaseGrant { .. }
            | Self::EpochQuery { .. }
            | Self::EpochAnswer { .. }
            | Self::SnapshotRequest { .. }
            | Self::SnapshotAnswer(_) => Version::FIRST,
            Self::Announce(_) | Self::Known(_) => WITNESSES,
        }
    }

    /// The direction in which the message travels: questions to the request topic of who shall
    /// answer, answers to the response topic of who asked.
    #[must_use]
    pub fn leg(&self) -> PaxosLeg {
        use paxos::Message as M;
        match self {
            Self::Paxos(
                M::PreVoteAnswer { .. }
                | M::Promise { .. }
                | M::Accepted { .. }
                | M::Nack { .. }
                | M::TooFarBehind { .. }
                | M::HeartbeatAck { .. }
                | M::Refuse { .. }
                | M::Blank { .. }
                | M::Founded { .. }
                | M::Suffix { .. },
            )
            | Self::Pong(_)
            | Self::LeaseGrant { .. }
            | Self::EpochAnswer { .. }
            | Self::SnapshotAnswer(_)
            | Self::Known(_) => PaxosLeg::Response,
            Self::Paxos(_)
            | Self::Ping(_)
            | Self::LeaseRequest { .. }
            | Self::EpochQuery { .. }
            | Self::SnapshotRequest { .. }
            | Self::Announce(_) => PaxosLeg::Request,
        }
    }

    /// The bytes that `from` sends.
    ///
    /// # Panics
    /// Never: every message has an encoding.
    #[must_use]
    pub fn encode(&self, from: ReplicaId) -> Vec<u8> {
        let mut head = vec![self.since().0];
        head.extend(from.0.to_le_bytes());
        postcard::to_extend(self, head).expect("a message has an encoding")
    }

    /// Reads a message and its sender.
    ///
    /// # Errors
    /// When the bytes are too few, of another version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<(ReplicaId, Self), PeerError> {
        let (version, rest) = bytes.split_first().ok_or(PeerError::Short)?;
        let version = Version(*version);
        if !(Version::FIRST..=NEWEST).contains(&version) {
            return Err(PeerError::Version(version));
        }
        let (from, rest) = rest.split_first_chunk().ok_or(PeerError::Short)?;
        match postcard::take_from_bytes::<Self>(rest) {
            Ok((message, [])) if message.since() == version => {
                Ok((ReplicaId(u64::from_le_bytes(*from)), message))
            }
            _ => Err(PeerError::Damaged),
        }
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "the message is too short"),
            Self::Version(version) => {
                let first = Version::FIRST;
                write!(
                    f,
                    "the message has version {version}, and this program speaks {first} to {NEWEST}"
                )
            }
            Self::Damaged => write!(f, "the message is damaged"),
        }
    }
}

impl std::error::Error for PeerError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_generation_adds_nothing_and_others_come_back() {
        let message = PeerMessage::Ping(7).encode(ReplicaId::new(3, 1));
        assert_eq!(sealed(SiteGeneration(0), message.clone()), message);
        assert_eq!(unsealed(&message), Ok((SiteGeneration(0), &message[..])));
        let later = sealed(SiteGeneration(300), message.clone());
        assert_eq!(unsealed(&later), Ok((SiteGeneration(300), &message[..])));
        assert!(PeerMessage::decode(&later).is_err(), "an older program does not take it");
        assert_eq!(unsealed(&later[..4]), Err(PeerError::Short));
    }

    #[test]
    fn a_message_comes_back_from_its_bytes() {
        let zone = Zone::new("hallway").unwrap();
        let message = PeerMessage::EpochQuery { zone, epoch: Epoch(300), question: 7 };
        let from = ReplicaId::new(3, 1 << 40);
        let bytes = message.encode(from);
        assert_eq!(PeerMessage::decode(&bytes), Ok((from, message)));
        for length in 0..9 {
            assert_eq!(PeerMessage::decode(&bytes[..length]), Err(PeerError::Short));
        }
        assert_eq!(PeerMessage::decode(&bytes[..12]), Err(PeerError::Damaged));
        assert_eq!(PeerMessage::decode(&[99, 1, 0]), Err(PeerError::Version(Version(99))));
    }
}
