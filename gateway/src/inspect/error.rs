//! Why a replica's file cannot be read.

use std::fmt;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::{Cause, VERSION};

/// Why a replica's file cannot be read.
#[derive(Debug)]
pub enum Error {
    /// There is no such file.
    Missing(PathBuf),
    /// It is some other file.
    Foreign(PathBuf),
    /// Another version of Hearth wrote it.
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// SQLite finds it damaged.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// It cannot be read now.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
}

impl Error {
    pub(super) fn of(path: &Path, cause: Cause) -> Self {
        let path = path.to_owned();
        let cause = match cause {
            // An SQLite file of someone else says 0.
            Cause::Version(0) => return Self::Foreign(path),
            Cause::Version(found) => return Self::Version { path, found },
            Cause::Sqlite(cause) => cause,
        };
        match cause.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign(path),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::DatabaseBusy) => {
                Self::Unreadable { path, cause }
            }
            _ => Self::Damaged { path, cause },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(
                f,
                "there is no file {}; a gateway makes it when it starts, in its data folder",
                path.display()
            ),
            Self::Foreign(path) => write!(f, "{} is no file of a gateway", path.display()),
            Self::Version { path, found } => write!(
                f,
                "{} has version {found}, and this program reads version {VERSION}; \
                 use the program that wrote it",
                path.display()
            ),
            Self::Damaged { path, cause } => write!(
                f,
                "{} is damaged: {cause}; stop the gateway, move the file away and start it again, \
                 and it fetches everything from the others",
                path.display()
            ),
            Self::Unreadable { path, cause } => {
                write!(f, "cannot read {}: {cause}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {}
