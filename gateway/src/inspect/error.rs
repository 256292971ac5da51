//! Why a replica's file cannot be read.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::Cause;
use crate::store::FORMAT;

/// Why a replica's file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error(
        "there is no file {}; a gateway makes it when it starts, in its data folder",
        .0.display()
    )]
    Missing(PathBuf),
    /// It is some other file.
    #[error("{} is no file of a gateway", .0.display())]
    Foreign(PathBuf),
    /// Another version of Hearth wrote it.
    #[error(
        "{} has version {found}, and this program reads versions up to {}; use the program that \
         wrote it",
        path.display(), FORMAT.version()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// SQLite finds it damaged.
    #[error(
        "{} is damaged: {cause}; stop the gateway, move the file away and start it again, and it \
         fetches everything from the others",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: rusqlite::Error,
    },
    /// It cannot be read now.
    #[error("cannot read {}: {cause}", path.display())]
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
