//! The files in which snapshots travel. All work on them is done beside the store's own thread,
//! so that no commit ever waits for it; only the installation is a commit.
//!
//! ```text
//!  gateway-2.db ──make──▶ gateway-2.snapshot.<slot>.<bytes>.<hash> ──give──▶ chunks
//!                                                                               │
//!  gateway-3.db ◀─install─ gateway-3.incoming.<slot>.<bytes>.<hash> ◀─receive───┘
//! ```
//!
//! A snapshot is a replica's file as well, without the log and without a gateway. Its name tells
//! what it is, so that both ends go on after a restart where they were.

mod give;
mod install;
mod make;
mod receive;
mod thread;

pub use thread::{SnapshotThread, spawn};

pub(super) use install::{attach, detach, install};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gateway_core::snapshots::SnapshotId;
use paxos::Slot;
use rusqlite::Connection;
use wire::{GatewayId, Site};

use super::read::rows;
use crate::inspect;

/// Where a replica's snapshots are, and what their thread shares with the store.
#[derive(Clone, Debug)]
pub struct Snapshots {
    pub(super) folder: PathBuf,
    pub(super) gateway: GatewayId,
    pub(super) site: Site,
    /// Applied slots that the log keeps.
    pub(super) log_keep: u64,
    pub(super) shared: Arc<Shared>,
}

/// What the store and the snapshots know of each other.
#[derive(Debug)]
pub(super) struct Shared {
    applied: AtomicU64,
    /// The log is not trimmed above this: whoever installs that snapshot goes on from there.
    pinned: AtomicU64,
}

/// Which way a snapshot goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Out,
    In,
}

impl Shared {
    pub(super) fn new(applied: Slot) -> Self {
        Self { applied: AtomicU64::new(applied.0), pinned: AtomicU64::new(u64::MAX) }
    }

    pub(super) fn applied(&self) -> Slot {
        Slot(self.applied.load(Ordering::Acquire))
    }

    pub(super) fn set_applied(&self, slot: Slot) {
        self.applied.store(slot.0, Ordering::Release);
    }

    pub(super) fn pinned(&self) -> Slot {
        Slot(self.pinned.load(Ordering::Acquire))
    }

    fn pin(&self, slot: Slot) {
        self.pinned.store(slot.0, Ordering::Release);
    }

    fn unpin(&self) {
        self.pin(Slot(u64::MAX));
    }
}

impl Snapshots {
    /// The replica's own file.
    fn database(&self) -> PathBuf {
        inspect::file(&self.folder, self.gateway.0)
    }

    /// Where a snapshot grows before it has a name.
    fn part(&self) -> PathBuf {
        self.folder.join(format!("gateway-{}.snapshot-part", self.gateway))
    }

    fn path(&self, way: Way, id: &SnapshotId) -> PathBuf {
        let SnapshotId { slot, bytes, hash } = id;
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{}{}.{bytes}.{hash}", self.prefix(way), slot.0))
    }

    fn prefix(&self, way: Way) -> String {
        let way = match way {
            Way::Out => "snapshot",
            Way::In => "incoming",
        };
        format!("gateway-{}.{way}.", self.gateway)
    }

    /// The snapshots on disk; a file that is called like one and is none has no id.
    fn found(&self, way: Way) -> io::Result<Vec<(Option<SnapshotId>, PathBuf)>> {
        let prefix = self.prefix(way);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(&prefix)) {
                found.push((parse(rest), entry.path()));
            }
        }
        Ok(found)
    }

    /// Keeps the one that `fits`, deletes the others, and gives it.
    fn only(
        &self,
        way: Way,
        fits: impl Fn(&SnapshotId, u64) -> bool,
    ) -> io::Result<Option<(SnapshotId, PathBuf)>> {
        let mut kept = None;
        for (id, path) in self.found(way)? {
            let length = fs::metadata(&path)?.len();
            match id.filter(|id| kept.is_none() && fits(id, length)) {
                Some(id) => kept = Some((id, path)),
                None => fs::remove_file(path)?,
            }
        }
        Ok(kept)
    }
}

/// `<slot>.<bytes>.<hash>`
fn parse(text: &str) -> Option<SnapshotId> {
    let mut parts = text.split('.');
    let (slot, bytes, hex) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(SnapshotId { slot: Slot(slot.parse().ok()?), bytes: bytes.parse().ok()?, hash })
}

/// The replicated tables of one of a connection's files: all that are not the replica's own, so
/// that a table of a later version is not left out by oversight.
fn replicated(connection: &Connection, schema: &str) -> rusqlite::Result<Vec<String>> {
    let sql = format!(
        "SELECT name FROM {schema}.sqlite_schema
         WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    );
    let mut names = rows(connection, &sql, [], |row| row.get::<_, String>(0))?;
    names.retain(|name| !inspect::LOCAL_TABLES.contains(&name.as_str()));
    Ok(names)
}

/// What a chunk's bytes are checked by.
fn check_of(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    u64::from_le_bytes(*first)
}

/// Hash of a whole file, which need not fit into memory.
fn hash_of(path: &Path, mut go_on: impl FnMut() -> bool) -> io::Result<[u8; 32]> {
    let mut file = fs::File::open(path)?;
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 64 * 1024]);
    loop {
        let count = io::Read::read(&mut file, &mut buffer)?;
        if count == 0 {
            return Ok(*hasher.finalize().as_bytes());
        }
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        hasher.update(&buffer[..count]);
    }
}
