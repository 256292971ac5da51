//! Which file this is: what a replica promised is worth nothing when its file is gone, copied, or put back to an
//! older state, and the others must be able to tell.
//!
//! A new file gets a random number. A file that is not in the state in which its last life left it, or that lies
//! elsewhere, gets another number, and with it loses its vote until the log gives it back. The life file beside the
//! database tells the state ([`life`](super::life)), and where the two lay; inode and time of birth of the database
//! are a hint besides. The file keeps the number that it had, as long as nothing else has the vote, so that an
//! operator's word gives it back at any start. A folder or a disk that went back as a whole takes its life file along.

use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use hearth_storage::{Fault, malformed};
use rusqlite::{Connection, Row, params};
use wire::GatewayId;

use super::life::{Life, Place};
use super::open::FORMAT;
use super::read::{optional_unsigned, unsigned};
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
    /// It was made just now, and there was another one here before.
    Lost,
    /// It is as its last life left it, where that left it.
    Known,
    /// It keeps its number although it lies elsewhere: no other gateway has a vote, or an operator vouches.
    Moved,
    /// It has a new number, and no vote yet, and had another number before.
    Doubted {
        /// The number that it had.
        before: u64,
        /// Why it has lost it, perhaps at an earlier start.
        doubt: Doubt,
    },
}

/// Why a file has lost its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It lies elsewhere, so it may be a copy or a backup.
    Copied,
    /// It is in an older state than its last life left it in.
    Older,
}

impl Doubt {
    const fn name(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Older => "older",
        }
    }
}

/// What a file turned out to be, before anything is written to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identified {
    pub(super) disk: Disk,
    pub(super) inode: Inode,
    /// The mark of the life before.
    pub(super) mark: u64,
    /// How many commits there were.
    pub(super) age: u64,
}

/// What a file tells of itself.
#[derive(Clone, Copy, Debug)]
struct Identity {
    number: u64,
    inode: Inode,
    mark: u64,
    age: u64,
    lost: Option<(u64, Doubt)>,
}

/// Where a file lies on its disk. The number of its device is left out: it may change when a machine restarts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inode {
    number: u64,
    /// Nanoseconds since the Unix epoch; 0 where the file system does not tell.
    born: u64,
}

impl Identity {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let sql = "SELECT disk, inode, born, mark, age, before, fault FROM replica, life";
        connection.query_row(sql, [], |row| {
            Ok(Self {
                number: unsigned(row, 0)?,
                inode: Inode { number: unsigned(row, 1)?, born: unsigned(row, 2)? },
                mark: unsigned(row, 3)?,
                age: unsigned(row, 4)?,
                lost: optional_unsigned(row, 5)?.zip(doubt(row, 6)?),
            })
        })
    }
}

/// Looks at the file, and finds a number for it if it needs one. `life` is what the last life left.
pub(super) fn identify(
    connection: &Connection,
    path: &Path,
    gateway: GatewayId,
    new: bool,
    life: Option<&Life>,
) -> Result<Identified, StoreError> {
    let failed = |cause| FORMAT.error(path, cause);
    let inode = Inode::of(path)?;
    let file = Identity::read(connection).map_err(failed)?;
    let voters = recover::paxos_voters(connection).map_err(failed)?;
    let votes = voters.numbered(gateway.0).is_some_and(|id| id.disk() == file.number);
    let alone = votes && voters.len() == 1;
    let doubt = judge(&file, inode, &Place::of(folder(path)), life);
    let found = match (doubt, file.lost) {
        _ if new && life.is_some() => Found::Lost,
        _ if new => Found::New,
        // Of two numbers that it had, an operator's word is about the one that had the vote.
        (Some(doubt), Some((before, _))) if !votes => Found::Doubted { before, doubt },
        (Some(Doubt::Copied), _) if alone => Found::Moved,
        (Some(doubt), _) => Found::Doubted { before: file.number, doubt },
        (None, Some((before, doubt))) if !votes => Found::Doubted { before, doubt },
        (None, _) => Found::Known,
    };
    let number = match found {
        Found::New | Found::Lost => random(),
        Found::Doubted { .. } if doubt.is_some() => random(),
        Found::Doubted { .. } | Found::Known | Found::Moved => file.number,
    };
    Ok(Identified { disk: Disk { number, found }, inode, mark: file.mark, age: file.age })
}

/// Gives a file back the number that it had, if nothing else has its vote by now.
pub(super) fn trust(
    connection: &Connection,
    gateway: GatewayId,
    disk: Disk,
) -> rusqlite::Result<Disk> {
    let Found::Doubted { before, .. } = disk.found else { return Ok(disk) };
    let voters = recover::paxos_voters(connection)?;
    let voter = voters.numbered(gateway.0).map(|id| id.disk());
    if !voters.is_empty() && voter != Some(before) {
        return Ok(disk);
    }
    let trusted = Disk { number: before, found: Found::Moved };
    let inode = Identity::read(connection)?.inode;
    write(connection, trusted, inode)?;
    Ok(trusted)
}

/// Takes a file's number away, and gives it another one.
pub(super) fn renounce(connection: &Connection, disk: Disk) -> rusqlite::Result<Disk> {
    let found = Found::Doubted { before: disk.number, doubt: Doubt::Older };
    let renounced = Disk { number: random(), found };
    renumber(connection, renounced)?;
    Ok(renounced)
}

/// Gives a file that stays where it is this number.
pub(super) fn renumber(connection: &Connection, disk: Disk) -> rusqlite::Result<()> {
    let inode = Identity::read(connection)?.inode;
    write(connection, disk, inode)
}

/// Why a file is not the one that the last life left.
fn judge(file: &Identity, inode: Inode, place: &Place, life: Option<&Life>) -> Option<Doubt> {
    let elsewhere = (!file.inode.may_be(inode)).then_some(Doubt::Copied);
    match life {
        // From before there were life files.
        None if file.mark == 0 => elsewhere,
        None => Some(Doubt::Copied),
        Some(life) if !life.has(file.mark) || file.age < life.age => Some(Doubt::Older),
        Some(life) if !life.place.may_be(place) => Some(Doubt::Copied),
        Some(_) => elsewhere,
    }
}

/// Writes which file this is.
pub(super) fn write(connection: &Connection, disk: Disk, inode: Inode) -> rusqlite::Result<()> {
    let sql = "UPDATE replica SET inode = ?1, born = ?2, disk = ?3,
        sum = hearth_sum(id, site, gateway, incarnation, applied, ?3, ?1, ?2)";
    connection.execute(sql, [inode.number, inode.born, disk.number].map(u64::cast_signed))?;
    let lost = match disk.found {
        Found::Doubted { before, doubt } => Some((before.cast_signed(), doubt.name())),
        Found::New | Found::Lost | Found::Known | Found::Moved => None,
    };
    let sql = "UPDATE life SET before = ?1, fault = ?2,
        sum = hearth_sum(id, mark, age, ?1, ?2, totals)";
    connection.execute(sql, params![lost.map(|lost| lost.0), lost.map(|lost| lost.1)]).map(drop)
}

fn doubt(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Doubt>> {
    let name: Option<String> = row.get(column)?;
    let doubt = |name: String| match [Doubt::Copied, Doubt::Older].iter().find(|d| d.name() == name)
    {
        Some(doubt) => Ok(*doubt),
        None => Err(malformed(column, format!("life.fault is {name:?}"))),
    };
    name.map(doubt).transpose()
}

impl Inode {
    fn of(path: &Path) -> Result<Self, StoreError> {
        let found = std::fs::metadata(path);
        let found = found.map_err(|cause| FORMAT.refuse(path, Fault::Unusable(cause)))?;
        let born = found.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let born = born.and_then(|since| i64::try_from(since.as_nanos()).ok());
        Ok(Self { number: found.ino(), born: born.map_or(0, i64::cast_unsigned) })
    }

    /// What is 0 was not known then, or is not known now.
    fn may_be(self, now: Self) -> bool {
        let same = |a: u64, b: u64| a == b || a == 0 || b == 0;
        same(self.number, now.number) && same(self.born, now.born)
    }
}

/// The folder of a file.
pub(super) fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// 56 random bits, not 0.
pub(super) fn random() -> u64 {
    (RandomState::new().hash_one(std::process::id()) >> 8).max(1)
}
