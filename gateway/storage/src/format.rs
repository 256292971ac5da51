//! What a file looks like, and how a file of that format is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::{Error, Fault};
use crate::private::{ensure_private, sync_folders};

/// Only a person's tool can hold SQLite's lock on the file; five seconds outlast a copy or a query.
const BUSY: Duration = Duration::from_secs(5);

/// What the files of one kind look like.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// What runs on such a file, in one word for messages.
    pub owner: &'static str,
    /// A table that every file of this kind has, and no other file.
    pub table: &'static str,
    /// SQL that makes each version from the one before; the first makes version 1 of an empty file.
    pub migrations: &'static [&'static str],
    /// What a commit outlives.
    pub durability: Durability,
    /// How many statements a connection keeps prepared.
    pub statements: usize,
    /// What to do about a fault, where it depends on what the file is for.
    pub advice: fn(&Fault) -> Option<&'static str>,
}

/// What a commit outlives besides a kill of the process, which it always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A power failure, from the commit on.
    Commit,
    /// A power failure, from the next checkpoint on. Commits cost no fsync.
    Checkpoint,
}

/// The version of a file, from 1; 0 is a file with nothing in it. SQLite keeps it as `user_version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sound file of the right format, which nothing has been written to.
#[derive(Debug)]
pub struct Checked {
    format: Format,
    path: PathBuf,
    connection: Connection,
    version: Version,
}

impl Format {
    /// The newest version, which [`Checked::upgrade`] brings every file to.
    #[must_use]
    pub const fn version(&self) -> Version {
        // A list of statements in the program is never that long.
        Version(self.migrations.len() as u32)
    }

    /// Opens the file, or makes an empty one that only its owner may read, and looks at all of it.
    ///
    /// # Errors
    /// When the file is damaged, of another format or of a newer version, or cannot be opened.
    /// It is not changed then.
    pub fn open(&self, path: &Path) -> Result<Checked, Error> {
        ensure_private(path).map_err(|cause| self.refuse(path, Fault::Unusable(cause)))?;
        let look = || {
            let connection = self.connect(path)?;
            let version = self.recognise(&connection)?;
            if version > Version(0) {
                check(&connection)?;
            }
            Ok((connection, version))
        };
        let (connection, version) = look().map_err(|fault| self.refuse(path, fault))?;
        Ok(Checked { format: *self, path: path.to_owned(), connection, version })
    }

    /// Makes the tables of the newest version in an empty file, with no row in them.
    ///
    /// # Errors
    /// SQLite's, for example when the file is not empty.
    pub fn lay_out(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        self.migrate(connection, Version(0), |_| Ok(()))
    }

    /// Opens a file that exists, without a look at it.
    ///
    /// # Errors
    /// SQLite's.
    pub fn connect(&self, path: &Path) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(self.statements);
        Ok(connection)
    }

    fn recognise(&self, connection: &Connection) -> Result<Version, Fault> {
        let found = number(connection, "PRAGMA user_version")?;
        let known = self.version();
        if found > i64::from(known.0) {
            return Err(Fault::Newer { found, known });
        }
        let tables = number(connection, "SELECT count(*) FROM sqlite_schema")?;
        let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        let ours: bool = connection.query_row(sql, [self.table], |row| row.get(0))?;
        match u32::try_from(found) {
            Ok(0) if tables == 0 => Ok(Version(0)),
            Ok(version @ 1..) if ours => Ok(Version(version)),
            _ => Err(Fault::Foreign),
        }
    }

    /// Brings a file to the newest version, a transaction for each; `begin` writes the first rows of a new one.
    fn migrate(
        &self,
        connection: &mut Connection,
        from: Version,
        begin: impl Fn(&Connection) -> rusqlite::Result<()>,
    ) -> rusqlite::Result<()> {
        let steps = (1..).zip(self.migrations).skip_while(|(to, _)| *to <= from.0);
        for (to, sql) in steps {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(sql)?;
            if to == 1 {
                begin(&transaction)?;
            }
            transaction.pragma_update(None, "user_version", to)?;
            transaction.commit()?;
        }
        Ok(())
    }
}

impl Checked {
    /// The file's version, before the upgrade.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Whether the file has nothing in it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.version == Version(0)
    }

    /// For checks of the store's own, and for functions that its migrations call.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Makes the file durable and of the newest version; `begin` writes the first rows of a new one.
    ///
    /// Checkpoints are the store's from here on: SQLite's own would come inside a commit.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn upgrade(
        mut self,
        begin: impl Fn(&Connection) -> rusqlite::Result<()>,
    ) -> Result<Connection, Error> {
        let Self { format, path, connection, version } = &mut self;
        if *version == Version(0) {
            // Before anything is in the file, so that a file with something in it never needs this.
            sync_folders(path)
                .map_err(|(folder, cause)| format.refuse(&folder, Fault::Unusable(cause)))?;
        }
        let upgraded = prepare(connection, format.durability)
            .and_then(|()| format.migrate(connection, *version, begin));
        upgraded.map_err(|cause| format.error(path, cause))?;
        Ok(self.connection)
    }
}

/// Sets what SQLite forgets from one connection to the next.
fn prepare(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Commit => "FULL",
        Durability::Checkpoint => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)
}

fn check(connection: &Connection) -> Result<(), Fault> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(Fault::Damaged(found)) }
}

fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.query_row(sql, [], |row| row.get(0))
}
