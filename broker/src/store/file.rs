//! The file: opened by one process only, refused if it is not sound and a broker's.

use std::path::{Path, PathBuf};

use hearth_storage::{Durability, Fault, Format, Lock};
use rusqlite::Connection;

use super::{StoreError, error};

/// A broker's file.
pub(super) const FORMAT: Format = Format {
    owner: "broker",
    table: "broker",
    migrations: &[
        include_str!("schema.sql"),
        include_str!("wills.sql"),
        include_str!("owners.sql"),
    ],
    // The checkpoint comes within a second.
    durability: Durability::Checkpoint,
    // All there are.
    statements: 32,
    advice: error::advice,
};

/// Length to which the write-ahead log is cut after it was longer. 16 MiB: it is that long only after a flood.
const WAL_BYTES: i64 = 16 * 1024 * 1024;

/// A broker's open file.
#[derive(Debug)]
pub(crate) struct File {
    // Dropped in this order: the lock outlives the last write.
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) site: String,
    _lock: Lock,
}

impl File {
    /// Makes the folder and the file if there are none, and makes sure that nobody else uses them.
    pub(super) fn open(folder: &Path, broker: u16, site: &str) -> Result<Self, StoreError> {
        let lock = FORMAT.lock(&folder.join(format!("broker-{broker}.lock")))?;
        let path = folder.join(format!("broker-{broker}.db"));
        if std::fs::metadata(&path).is_ok_and(|file| file.len() == 0) {
            // To SQLite it would be a new one, and everything were forgotten without a word.
            return Err(FORMAT.refuse(&path, Fault::Damaged("it is empty".to_owned())).into());
        }
        let connection = FORMAT.open(&path)?.upgrade(|file| {
            let first = "INSERT INTO broker (id, incarnation, gateways) VALUES (1, 0, '')";
            file.execute(first, []).map(drop)
        })?;
        connection
            .pragma_update(None, "journal_size_limit", WAL_BYTES)
            .map_err(|cause| FORMAT.error(&path, cause))?;
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
        Ok(begin().map_err(|cause| FORMAT.error(&self.path, cause))?)
    }

    /// There are gateways, as far as is known. On disk when it returns.
    pub(super) fn note_gateways(&self) -> Result<(), StoreError> {
        let note = || {
            self.connection.execute("UPDATE broker SET gateways = ?1", [&self.site])?;
            self.checkpoint()
        };
        Ok(note().map_err(|cause| FORMAT.error(&self.path, cause))?)
    }

    /// Makes everything that was committed outlive a power failure.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }
}
