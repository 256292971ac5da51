//! Opens a replica's file, and refuses every file that is not this replica's own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hearth_storage::{Durability, Format, Version};
use rusqlite::{Connection, TransactionBehavior};
use wire::{GatewayId, Site, UnixMillis};

use super::disk::{self, Disk, Found, Identified, Inode};
use super::life::{Keeper, Life, LifeFile, Place};
use super::read::unsigned;
use super::totals::{self, Running, Totals};
use super::{StoreError, error, sums, write};

/// A replica's file.
pub(crate) const FORMAT: Format = Format {
    owner: "gateway",
    table: "replica",
    migrations: &[
        include_str!("../schema.sql"),
        // Empty until a gateway that knows its voters opens the file.
        "ALTER TABLE replica ADD COLUMN voters TEXT NOT NULL DEFAULT ''",
        // Who votes is in the log from here on; the voters of before are its founders, and theirs
        // are the disks 0. A change of voters is replicated, which founders are not.
        "ALTER TABLE replica ADD COLUMN disk INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE replica ADD COLUMN inode INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE replica ADD COLUMN born INTEGER NOT NULL DEFAULT 0;
         ALTER TABLE acceptor ADD COLUMN founders TEXT NOT NULL DEFAULT '';
         UPDATE acceptor SET founders = (SELECT voters FROM replica);
         ALTER TABLE replica DROP COLUMN voters;
         CREATE TABLE voters (gateway INTEGER PRIMARY KEY, replica INTEGER NOT NULL) STRICT;",
        include_str!("../sums.sql"),
        include_str!("../life.sql"),
        include_str!("../witnesses.sql"),
        include_str!("../recoveries.sql"),
    ],
    durability: Durability::Commit,
    // Those of the log, of every table, and of the reads.
    statements: 48,
    advice: error::advice,
};

/// The version in which the replicated tables changed last: that of snapshots, which hold nothing else.
pub(super) const REPLICATED: Version = Version(4);

/// The first version with sums in its rows.
const WITH_SUMS: Version = Version(4);

/// The first version with totals of its tables.
const WITH_TOTALS: Version = Version(5);

/// An open connection to a file that is this replica's.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) incarnation: u64,
    pub(super) disk: Disk,
    /// What keeps the life file up to date.
    pub(super) keeper: Keeper,
    /// The mark of this life, which is random.
    pub(super) life: u64,
    /// How many commits there were. The beginning of a life is none: a gateway that is started again and again must
    /// not seem to have a newer file.
    pub(super) age: u64,
    pub(super) totals: Running,
    /// Pages in the write-ahead log after the last commit.
    pub(super) wal_pages: Arc<AtomicUsize>,
}

/// Opens the file, or makes it, and begins a new life of the replica in it.
pub(super) fn open(
    path: &Path,
    site: &Site,
    gateway: GatewayId,
    now: UnixMillis,
) -> Result<Opened, StoreError> {
    let failed = |cause| FORMAT.error(path, cause);
    let checked = FORMAT.open(path)?;
    let new = checked.is_new();
    let upgraded = checked.version() < FORMAT.version();
    let totals = look(checked.connection(), checked.version()).map_err(failed)?;
    let mut connection = checked.upgrade(|file| first_rows(file, site, gateway))?;
    let wal_pages = count_pages(&mut connection).map_err(failed)?;
    own(&connection, path, (site, gateway))?;
    // An upgrade may have brought tables, which have totals from here on.
    let totals = totals.filter(|_| !upgraded);
    let totals = totals.map_or_else(|| totals::of(&connection), Ok).map_err(failed)?;
    let totals = Running::follow(&connection, totals).map_err(failed)?;
    let life_file = LifeFile::of(path);
    let last = life_file.read()?;
    let Identified { disk, inode, mark, age } =
        disk::identify(&connection, path, gateway, new, last.as_ref())?;
    let next = disk::random();
    let place = Place::of(disk::folder(path));
    // Whichever of the two marks the database has when this process is killed now, it is the present one.
    life_file.write(&Life { mark, next: Some(next), age, place: place.clone() })?;
    let life = Life { mark: next, next: None, age, place };
    let incarnation = begin_life(&mut connection, now, (disk, inode), &life, &totals);
    let incarnation = incarnation.map_err(failed)?;
    life_file.write(&life)?;
    let keeper = Keeper::start(life_file, life)?;
    Ok(Opened { connection, incarnation, disk, keeper, life: next, age, totals, wal_pages })
}

/// Looks at all rows of a file; gives the totals of one that has them.
fn look(connection: &Connection, version: Version) -> rusqlite::Result<Option<Totals>> {
    connection.pragma_update(None, "foreign_keys", true)?;
    sums::teach(connection)?;
    if version < WITH_SUMS {
        return Ok(None);
    }
    let found = totals::of(connection)?;
    if version < WITH_TOTALS {
        return Ok(None);
    }
    if let Some(written) = totals::read(connection)? {
        totals::compare(connection, &written, &found)?;
    }
    Ok(Some(found))
}

fn first_rows(file: &Connection, site: &Site, gateway: GatewayId) -> rusqlite::Result<()> {
    let replica = "INSERT INTO replica (id, site, gateway, incarnation, applied)
        VALUES (1, ?1, ?2, 0, 0)";
    // Their sums come with version 4.
    file.execute(replica, (site.as_str(), gateway.0))?;
    let acceptor = "INSERT INTO acceptor (id, promised_round, promised_gateway, chosen)
        VALUES (1, 0, 0, 0)";
    file.execute(acceptor, []).map(drop)
}

/// Follows how long the write-ahead log is.
fn count_pages(connection: &mut Connection) -> rusqlite::Result<Arc<AtomicUsize>> {
    let pages = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&pages);
    connection.wal_hook(Some(move |_: &mut _, pages| {
        seen.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(pages)
}

fn own(
    connection: &Connection,
    path: &Path,
    (site, gateway): (&Site, GatewayId),
) -> Result<(), StoreError> {
    let found: (String, u8) = connection
        .query_row("SELECT site, gateway FROM replica", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|cause| FORMAT.error(path, cause))?;
    if (found.0.as_str(), found.1) == (site.as_str(), gateway.0) {
        return Ok(());
    }
    let wanted = (site.clone(), gateway);
    Err(StoreError::OtherReplica { path: path.to_owned(), found, wanted })
}

/// Every life has a higher number than the one before, also when the clock was set back, and than any that has
/// joined, as far as the tables know.
///
/// A file that was put back does not know of the lives that came after it, and one that took the place of another not
/// of those before. Where the clock does not tell them apart either, a part of the file's number does: it leaves some
/// minutes of room for them.
fn begin_life(
    connection: &mut Connection,
    now: UnixMillis,
    (disk, inode): (Disk, Inode),
    life: &Life,
    totals: &Running,
) -> rusqlite::Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let lives = "SELECT replica.incarnation, ifnull(gateways.incarnation, 0)
        FROM replica LEFT JOIN gateways USING (gateway)";
    let lives = transaction.query_row(lives, [], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)));
    let (last, joined) = lives?;
    let doubted = matches!(disk.found, Found::Doubted { .. });
    let unknown = if doubted || joined > last { 0x1000 | disk.number & 0xf_ffff } else { 0 };
    let incarnation = now.0.max(last.max(joined).saturating_add(1 + unknown));
    let sql = "UPDATE replica SET incarnation = ?1,
        sum = hearth_sum(id, site, gateway, ?1, applied, disk, inode, born)";
    transaction.execute(sql, [incarnation.cast_signed()])?;
    disk::write(&transaction, disk, inode)?;
    let sql = "UPDATE life SET mark = ?1, sum = hearth_sum(id, ?1, age, before, fault, totals)";
    transaction.execute(sql, [life.mark.cast_signed()])?;
    write::life(&transaction, life.age, &totals.text())?;
    transaction.commit()?;
    Ok(incarnation)
}
