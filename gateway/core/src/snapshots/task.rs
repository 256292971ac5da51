//! What a gateway asks of the files in which snapshots travel, and what it hears back.

use paxos::Slot;
use serde::{Deserialize, Serialize};
use wire::GatewayId;

use crate::house::House;

/// Names one snapshot. Two files with this name hold the same bytes, whoever made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SnapshotId {
    /// The slot up to which it is applied.
    pub slot: Slot,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of all of it.
    pub hash: [u8; 32],
}

/// A piece of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Of which one.
    pub id: SnapshotId,
    /// Where it begins.
    pub offset: u64,
    /// What is there; never nothing.
    pub bytes: Vec<u8>,
    /// The first eight bytes of their BLAKE3: a damaged chunk is asked for again at once, and not
    /// found when all has come.
    pub check: u64,
}

/// What a gateway answers that was asked for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotAnswer {
    /// The next piece, or the first one of the present snapshot when none was named.
    Chunk(Chunk),
    /// It is being made: ask again.
    NotReady,
    /// The one that was named is not here, or not any more.
    Gone,
    /// Here is nothing newer than what you have: ask someone else.
    Nothing,
}

/// Work on the files of snapshots. The core has at most one of its own under way and one for each
/// other gateway, so whoever does it needs no bound of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Read a piece for another gateway: of this snapshot at this place, or the beginning of the
    /// present one, which is made if there is none. [`Report::Given`] follows.
    Give {
        /// For whom.
        to: GatewayId,
        /// What it has asked for.
        part: Option<(SnapshotId, u64)>,
    },
    /// See what an earlier life has received. [`Report::Held`] follows.
    Resume,
    /// Append what was received. [`Report::Held`] follows.
    Take(Chunk),
    /// All has come: see whether it is what it should be. [`Report::Sound`] or
    /// [`Report::Failed`] follows.
    Check(SnapshotId),
    /// Delete what was received. Nothing follows.
    Discard,
}

/// What became of a [`Task`].
#[derive(Clone, Debug)]
pub enum Report {
    /// For [`Task::Give`].
    Given {
        /// Who asked.
        to: GatewayId,
        /// What to answer.
        answer: SnapshotAnswer,
    },
    /// Of this snapshot, so many bytes are here; or of none.
    Held(Option<(SnapshotId, u64)>),
    /// The snapshot is on disk, whole and fit to be installed, and this is the house in it.
    Sound(SnapshotId, Box<House>),
    /// It is not, and why; what was received is deleted.
    Failed(String),
}
