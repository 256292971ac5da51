//! Which file this is: what a replica promised is worth nothing when its file is gone, copied, or
//! put back to an older state, and the others must be able to tell.
//!
//! A new file gets a random number. The file also remembers where it lies: a file that lies
//! elsewhere is a copy or a backup, so it gets another number, and with it loses its vote until the
//! log gives it back. Nobody can notice a disk whose every block went back in time, as with a
//! snapshot of a virtual machine: such a file must be deleted before the gateway starts.

use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use hearth_storage::Fault;
use rusqlite::Connection;
use wire::GatewayId;

use super::open::FORMAT;
use super::read::unsigned;
use super::{StoreError, recover};

/// A file's number, and how it came by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The number: 56 random bits. 0 is the number of all files from before there were any.
    pub number: u64,
    /// What was found out when the file was opened.
    pub found: Found,
}

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was made just now.
    New,
    /// It lies where it lay.
    Known,
    /// It lies elsewhere, so it is a copy or a backup, and has a new number.
    Copied {
        /// The number that it had.
        before: u64,
    },
    /// It lies elsewhere and keeps its number: no other gateway has a vote, or an operator vouches.
    Moved,
}

/// Looks at the file, and gives it a number if it needs one.
pub(super) fn identify(
    connection: &Connection,
    path: &Path,
    gateway: GatewayId,
    new: bool,
) -> Result<Disk, StoreError> {
    let place = Place::of(path)?;
    let failed = |cause| FORMAT.error(path, cause);
    let (before, number) = connection
        .query_row("SELECT inode, born, disk FROM replica", [], |row| {
            Ok((Place { inode: unsigned(row, 0)?, born: unsigned(row, 1)? }, unsigned(row, 2)?))
        })
        .map_err(failed)?;
    let voters = recover::paxos_voters(connection).map_err(failed)?;
    let alone = voters.len() == 1 && voters.numbered(gateway.0).is_some();
    let found = match before {
        _ if new => Found::New,
        before if before.may_be(place) => Found::Known,
        _ if alone => Found::Moved,
        _ => Found::Copied { before: number },
    };
    let number = match found {
        Found::New | Found::Copied { .. } => random(),
        Found::Known | Found::Moved => number,
    };
    let sql = "UPDATE replica SET inode = ?1, born = ?2, disk = ?3,
        sum = hearth_sum(id, site, gateway, incarnation, applied, ?3, ?1, ?2)";
    let values = [place.inode, place.born, number].map(u64::cast_signed);
    connection.execute(sql, values).map_err(failed)?;
    Ok(Disk { number, found })
}

/// Lets a file that was taken for a copy keep the number that it came with.
pub(super) fn trust(connection: &Connection, disk: Disk) -> rusqlite::Result<Disk> {
    let Found::Copied { before: number } = disk.found else { return Ok(disk) };
    let sql = "UPDATE replica SET disk = ?1,
        sum = hearth_sum(id, site, gateway, incarnation, applied, ?1, inode, born)";
    connection.execute(sql, [number.cast_signed()])?;
    Ok(Disk { number, found: Found::Moved })
}

/// Where a file lies. The number of its device is left out: it may change when a machine restarts.
#[derive(Clone, Copy)]
struct Place {
    inode: u64,
    /// Nanoseconds since the Unix epoch; 0 where the file system does not tell.
    born: u64,
}

impl Place {
    fn of(path: &Path) -> Result<Self, StoreError> {
        let found = std::fs::metadata(path);
        let found = found.map_err(|cause| FORMAT.refuse(path, Fault::Unusable(cause)))?;
        let born = found.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|since| i64::try_from(since.as_nanos()).ok());
        Ok(Self { inode: found.ino(), born: born.map_or(0, i64::cast_unsigned) })
    }

    /// What is 0 was not known then, or is not known now.
    fn may_be(self, now: Self) -> bool {
        let same = |a: u64, b: u64| a == b || a == 0 || b == 0;
        same(self.inode, now.inode) && same(self.born, now.born)
    }
}

/// 56 random bits, not 0.
fn random() -> u64 {
    (RandomState::new().hash_one(std::process::id()) >> 8).max(1)
}
