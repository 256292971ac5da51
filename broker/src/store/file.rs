//! The file: opened by one process only, refused if it is not sound and a broker's.

use std::fs::{File as Plain, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::StoreError;

/// From each version of the file (`PRAGMA user_version`) to the next.
const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("wills.sql")];
/// Only a person's tool can hold a lock on the file; five seconds outlast a copy or a query.
const BUSY: Duration = Duration::from_secs(5);
/// Length to which the write-ahead log is cut after it was longer. 16 MiB: it is that long only after a flood.
const WAL_BYTES: i64 = 16 * 1024 * 1024;
/// Statements that are prepared once: all there are.
const STATEMENTS: usize = 32;

/// A broker's file.
#[derive(Debug)]
pub(crate) struct File {
    // Dropped in this order: the lock outlives the last write.
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) site: String,
    _lock: Plain,
}

impl File {
    /// Makes the folder and the file if there are none, and makes sure that nobody else uses them.
    pub(super) fn open(folder: &Path, broker: u16, site: &str) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|cause| StoreError::Folder { path: folder.to_owned(), cause })?;
        let lock = lock(&folder.join(format!("broker-{broker}.lock")))?;
        let path = folder.join(format!("broker-{broker}.db"));
        let failed = |cause| StoreError::of(&path, cause);
        let mut connection = connect(&path).map_err(failed)?;
        let version = version(&connection, &path)?;
        if version > 0 {
            check(&connection, &path)?;
        }
        prepare(&connection).map_err(failed)?;
        upgrade(&mut connection, version).map_err(failed)?;
        Ok(Self { connection, path, site: site.to_owned(), _lock: lock })
    }

    /// Every life has a higher number than the one before, also when the clock was set back. On disk when it returns.
    pub(super) fn begin_life(&self, started: u64) -> Result<u64, StoreError> {
        let begin = || {
            let sql =
                "UPDATE broker SET incarnation = max(incarnation + 1, ?1) RETURNING incarnation";
            let started = i64::try_from(started).unwrap_or(i64::MAX - 1);
            let incarnation: i64 = self.connection.query_row(sql, [started], |row| row.get(0))?;
            self.checkpoint()?;
            Ok(incarnation.unsigned_abs())
        };
        begin().map_err(|cause| StoreError::of(&self.path, cause))
    }

    /// Makes everything that was committed outlive a power failure.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }
}

/// SQLite's own locks would let two brokers take turns. The system lets go of this one also when the process is killed.
fn lock(path: &Path) -> Result<Plain, StoreError> {
    let unusable = |cause| StoreError::Folder { path: path.to_owned(), cause };
    // Not truncated: the file may be held by someone whose name is in it.
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = std::fs::read_to_string(path).unwrap_or_default();
            let holder = holder.trim().to_owned();
            return Err(StoreError::Locked { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
    }
    // For whoever finds it locked. A full disk is for the broker's file to complain about.
    let named = file.set_len(0).and_then(|()| writeln!(file, "process {}", std::process::id()));
    drop(named);
    Ok(file)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// The version of the file; 0 for a new one. Nothing has been written so far, so that a file which is refused stays
/// as it was.
fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let known = MIGRATIONS.len() as i64;
    let query = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let found = query("PRAGMA user_version").map_err(|cause| StoreError::of(path, cause))?;
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    let tables = query("SELECT count(*) FROM sqlite_schema");
    let tables = tables.map_err(|cause| StoreError::of(path, cause))?;
    let ours = query("SELECT count(*) FROM sqlite_schema WHERE name = 'broker'");
    let ours = ours.map_err(|cause| StoreError::of(path, cause))?;
    if found < 0 || (found == 0) != (tables == 0) || (found > 0) != (ours == 1) {
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
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is safe from a kill, and the checkpoint that comes within a second is safe from a power failure.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)
}

fn upgrade(connection: &mut Connection, version: i64) -> rusqlite::Result<()> {
    for (to, sql) in (1..).zip(MIGRATIONS).skip_while(|(to, _)| *to <= version) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        if to == 1 {
            let first = "INSERT INTO broker (id, incarnation, gateways) VALUES (1, 0, '')";
            transaction.execute(first, [])?;
        }
        transaction.pragma_update(None, "user_version", to)?;
        transaction.commit()?;
    }
    Ok(())
}
