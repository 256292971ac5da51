//! Why the store cannot be used: what, in which file, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::types::Type;
use wire::{GatewayId, Site};

/// Why the store cannot be used. After any of these a replica must not go on: its memory may be
/// ahead of its disk.
#[derive(Debug)]
pub enum StoreError {
    /// The data folder cannot be made or used.
    Folder {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Another process uses the file.
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, as it says itself.
        holder: Option<String>,
    },
    /// The disk is full.
    Full {
        /// The replica's file.
        path: PathBuf,
    },
    /// The file cannot be written.
    Unwritable {
        /// The replica's file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// The file is damaged.
    Corrupt {
        /// The replica's file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// It is an SQLite file of some other program.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is the file of another replica.
    OtherReplica {
        /// The file.
        path: PathBuf,
        /// The site and the gateway that the file is of.
        found: (String, u8),
        /// The site and the gateway that asked for it.
        wanted: (Site, GatewayId),
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
    /// What was to be written contradicts what is in the file: a bug, not a fault of the disk.
    Inconsistent {
        /// The replica's file.
        path: PathBuf,
        /// The contradiction.
        detail: String,
    },
    /// SQLite failed otherwise.
    Failed {
        /// The replica's file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// The store failed before and is not used again.
    Stopped {
        /// The replica's file.
        path: PathBuf,
    },
    /// The store's thread could not be started.
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
            ErrorCode::ConstraintViolation => {
                Self::Inconsistent { path, detail: cause.to_string() }
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
                "cannot use {}: {cause}; the data folder must be one that this process may \
                 create files in",
                path.display()
            ),
            Self::Locked { path, holder } => write!(
                f,
                "another process ({}) is running this gateway on the same data folder and holds \
                 {}; stop it, or give this gateway its own data folder and number",
                holder.as_deref().unwrap_or("unknown"),
                path.display()
            ),
            Self::Full { path } => write!(
                f,
                "the disk is full: {} could not be written; nothing agreed is lost; free some \
                 space and start the gateway again",
                path.display()
            ),
            Self::Unwritable { path, cause } => write!(
                f,
                "cannot write {}: {cause}; make the file and its folder writable for this process",
                path.display()
            ),
            Self::Corrupt { path, detail } => write!(
                f,
                "{} is damaged: {detail}; replace this gateway by one with a new number, which \
                 fetches everything from the others: add it to the voters of all, then remove this \
                 one (under the old number, an empty or older file would have forgotten what this \
                 gateway voted for)",
                path.display()
            ),
            Self::Foreign { path } => write!(
                f,
                "{} is an SQLite file of some other program; move it away, or choose another \
                 data folder",
                path.display()
            ),
            Self::OtherReplica { path, found, wanted } => write!(
                f,
                "{} belongs to gateway {} of site {:?}, not to gateway {} of site {:?}; check the \
                 site, the gateway's number and the data folder in the settings",
                path.display(),
                found.1,
                found.0,
                wanted.1,
                wanted.0.as_str()
            ),
            Self::Newer { path, found, known } => write!(
                f,
                "{} has version {found}, and this program knows versions up to {known}; use the \
                 program that wrote it, or a later one",
                path.display()
            ),
            Self::Inconsistent { path, detail } => write!(
                f,
                "what was agreed contradicts {}: {detail}; the gateway stops before it harms \
                 anything; please report this with a copy of the file",
                path.display()
            ),
            Self::Failed { path, cause } => write!(
                f,
                "SQLite failed on {}: {cause}; check the disk and the system's log, then start \
                 the gateway again",
                path.display()
            ),
            Self::Stopped { path } => write!(
                f,
                "{} is not written any more, because an earlier write failed; start the gateway \
                 again",
                path.display()
            ),
            Self::Thread(cause) => {
                write!(f, "cannot start the thread of the store: {cause}; check process limits")
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
            | Self::OtherReplica { .. }
            | Self::Newer { .. }
            | Self::Inconsistent { .. }
            | Self::Stopped { .. } => None,
        }
    }
}
