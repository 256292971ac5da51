//! Opens a replica's file, and refuses every file that is not sound and this replica's own.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use wire::{GatewayId, Site, UnixMillis};

use super::StoreError;
use super::disk::{self, Disk, Found};
use super::read::unsigned;
use super::sums;

/// From each version of the file (`PRAGMA user_version`) to the next.
const MIGRATIONS: [&str; 4] = [
    include_str!("../schema.sql"),
    // Empty until a gateway that knows its voters opens the file.
    "ALTER TABLE replica ADD COLUMN voters TEXT NOT NULL DEFAULT ''",
    // Who votes is in the log from here on; the voters of before are its founders, and theirs are
    // the disks 0. A change of voters is replicated, which founders are not.
    "ALTER TABLE replica ADD COLUMN disk INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE replica ADD COLUMN inode INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE replica ADD COLUMN born INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE acceptor ADD COLUMN founders TEXT NOT NULL DEFAULT '';
     UPDATE acceptor SET founders = (SELECT voters FROM replica);
     ALTER TABLE replica DROP COLUMN voters;
     CREATE TABLE voters (gateway INTEGER PRIMARY KEY, replica INTEGER NOT NULL) STRICT;",
    include_str!("../sums.sql"),
];

/// The first version with sums in its rows.
const WITH_SUMS: i64 = 4;

/// The version of every file that this program writes.
pub(super) const VERSION: u64 = MIGRATIONS.len() as u64;

/// Only a person's tool can hold a lock on the file; five seconds outlast a copy or a query.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Statements that a busy replica prepares: those of the log, of every table, and of the reads.
const STATEMENTS: usize = 48;

/// An open connection to a file that is this replica's.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) incarnation: u64,
    pub(super) disk: Disk,
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
    let failed = |cause| StoreError::of(path, cause);
    let mut connection = connect(path).map_err(failed)?;
    let version = version(&connection, path)?;
    let new = version == 0;
    if !new {
        check(&connection, path)?;
    }
    if version >= WITH_SUMS {
        sums::check(&connection).map_err(failed)?;
    }
    let wal_pages = prepare(&mut connection).map_err(failed)?;
    migrate(&mut connection, version, (site, gateway)).map_err(failed)?;
    own(&connection, path, (site, gateway))?;
    let disk = disk::identify(&connection, path, gateway, version == 0)?;
    let incarnation = begin_life(&mut connection, now, disk).map_err(failed)?;
    if new {
        make_lasting(path)?;
    }
    Ok(Opened { connection, incarnation, disk, wal_pages })
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    sums::teach(&connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// The version of the file; 0 for a new one. Nothing has been written so far, so that a file which
/// is refused stays as it was.
fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let known = MIGRATIONS.len() as i64;
    let query = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let found = query("PRAGMA user_version").map_err(|cause| StoreError::of(path, cause))?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    let tables = query("SELECT count(*) FROM sqlite_schema");
    let tables = tables.map_err(|cause| StoreError::of(path, cause))?;
    if found < 0 || (found == 0) != (tables == 0) {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    Ok(found)
}

fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match found.map_err(|cause| StoreError::of(path, cause))? {
        sound if sound == "ok" => Ok(()),
        detail => Err(StoreError::Corrupt { path: path.to_owned(), detail }),
    }
}

/// Sets what SQLite forgets from one connection to the next.
fn prepare(connection: &mut Connection) -> rusqlite::Result<Arc<AtomicUsize>> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let pages = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&pages);
    // It takes the place of SQLite's own checkpoints, which would come inside a commit.
    connection.wal_hook(Some(move |_: &mut _, pages| {
        seen.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(pages)
}

/// Makes the tables of a new file, all of them empty.
pub(super) fn lay_out(connection: &mut Connection) -> rusqlite::Result<()> {
    upgrade(connection, 0, |_| Ok(()))
}

fn migrate(
    connection: &mut Connection,
    version: i64,
    (site, gateway): (&Site, GatewayId),
) -> rusqlite::Result<()> {
    upgrade(connection, version, |transaction| {
        let replica = "INSERT INTO replica (id, site, gateway, incarnation, applied)
            VALUES (1, ?1, ?2, 0, 0)";
        // Their sums come with version 4.
        transaction.execute(replica, (site.as_str(), gateway.0))?;
        let acceptor = "INSERT INTO acceptor (id, promised_round, promised_gateway, chosen)
            VALUES (1, 0, 0, 0)";
        transaction.execute(acceptor, []).map(drop)
    })
}

/// Brings a file to the newest version; `begin` writes the first rows of a new one.
fn upgrade(
    connection: &mut Connection,
    version: i64,
    begin: impl Fn(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    for (to, sql) in (1..).zip(MIGRATIONS).skip_while(|(to, _)| *to <= version) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        if version == 0 && to == 1 {
            begin(&transaction)?;
        }
        transaction.pragma_update(None, "user_version", to)?;
        transaction.commit()?;
    }
    Ok(())
}

fn own(
    connection: &Connection,
    path: &Path,
    (site, gateway): (&Site, GatewayId),
) -> Result<(), StoreError> {
    let found: (String, u8) = connection
        .query_row("SELECT site, gateway FROM replica", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|cause| StoreError::of(path, cause))?;
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
fn begin_life(connection: &mut Connection, now: UnixMillis, disk: Disk) -> rusqlite::Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let lives = "SELECT replica.incarnation, ifnull(gateways.incarnation, 0)
        FROM replica LEFT JOIN gateways USING (gateway)";
    let lives = transaction.query_row(lives, [], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)));
    let (last, joined) = lives?;
    let copied = matches!(disk.found, Found::Copied { .. });
    let unknown = if copied || joined > last { 0x1000 | disk.number & 0xf_ffff } else { 0 };
    let incarnation = now.0.max(last.max(joined).saturating_add(1 + unknown));
    let sql = "UPDATE replica SET incarnation = ?1,
        sum = hearth_sum(id, site, gateway, ?1, applied, disk, inode, born)";
    transaction.execute(sql, [incarnation.cast_signed()])?;
    transaction.commit()?;
    Ok(incarnation)
}

/// A file outlives a power failure only when its folder is on disk, and a new folder only when the
/// one that it is in is.
fn make_lasting(path: &Path) -> Result<(), StoreError> {
    for folder in path.ancestors().skip(1).take(2) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|cause| StoreError::Folder { path: folder.to_owned(), cause })?;
    }
    Ok(())
}
