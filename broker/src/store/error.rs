//! Why the broker's file cannot be used: what, where, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::types::Type;

/// Why the broker's file cannot be used.
#[derive(Debug)]
pub enum StoreError {
    /// The data folder cannot be made or used.
    Folder {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Another broker uses the file.
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, as it says itself; may be empty.
        holder: String,
    },
    /// The disk is full.
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// The file is damaged.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// It is an SQLite file of some other program.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of Hearth wrote the file.
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// SQLite failed otherwise.
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// The thread that writes could not be started.
    Thread(io::Error),
}

impl StoreError {
    /// What an error of SQLite means for the file at `path`.
    pub(super) fn of(path: &Path, cause: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let Some(code) = cause.sqlite_error_code() else {
            // Not SQLite's own: a row is not what we would have written.
            return Self::Corrupt { path, detail: cause.to_string() };
        };
        match code {
            ErrorCode::DiskFull => Self::Full { path },
            ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
                Self::Corrupt { path, detail: cause.to_string() }
            }
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                Self::Unwritable { path, cause }
            }
            _ => Self::Failed { path, cause },
        }
    }
}

/// A row that is not what we would have written.
pub(super) fn malformed(column: usize, detail: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, detail.into().into())
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, cause } => write!(
                f,
                "the broker cannot use {}: {cause}; its data folder must be one that this process may \
                 create files in; change broker.data_dir, or leave it empty to keep nothing",
                path.display()
            ),
            Self::Locked { path, holder } => write!(
                f,
                "another broker ({}) uses the same data folder and holds {}; stop it, or give this \
                 broker a broker.data_dir or a number (--id) of its own",
                if holder.is_empty() { "unknown" } else { holder },
                path.display()
            ),
            Self::Full { path } => write!(
                f,
                "the disk is full: {} could not be written; free some space",
                path.display()
            ),
            Self::Unwritable { path, cause } => write!(
                f,
                "cannot write {}: {cause}; make the file and its folder writable for this process",
                path.display()
            ),
            Self::Corrupt { path, detail } => write!(
                f,
                "the broker's file {path} is damaged: {detail}; put a copy from before in its place, or move \
                 {path}, {path}-wal and {path}-shm away and start again: retained messages and sleeping \
                 sessions are forgotten then, what the gateways have agreed on is not",
                path = path.display()
            ),
            Self::Foreign { path } => write!(
                f,
                "{} is an SQLite file of some other program; move it away, or choose another \
                 broker.data_dir",
                path.display()
            ),
            Self::Newer { path, found, known } => write!(
                f,
                "{} has version {found}, and this program knows versions up to {known}; use the \
                 program that wrote it, or a later one",
                path.display()
            ),
            Self::Failed { path, cause } => write!(
                f,
                "SQLite failed on {}: {cause}; check the disk and the system's log",
                path.display()
            ),
            Self::Thread(cause) => {
                write!(
                    f,
                    "cannot start the thread of the broker's store: {cause}; check process limits"
                )
            }
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Folder { cause, .. } | Self::Thread(cause) => Some(cause),
            Self::Unwritable { cause, .. } | Self::Failed { cause, .. } => Some(cause),
            Self::Locked { .. }
            | Self::Full { .. }
            | Self::Corrupt { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. } => None,
        }
    }
}
