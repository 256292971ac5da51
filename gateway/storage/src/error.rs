//! Why a file cannot be used: which file, what is wrong with it, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::types::Type;

use crate::format::{Format, Version};

/// Why a file cannot be used; the text says which file, what, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{} {fault}; {advice}", path.display())]
pub struct Error {
    path: PathBuf,
    #[source]
    fault: Fault,
    advice: &'static str,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system refuses the file, or its folder.
    #[error("cannot be used: {0}")]
    Unusable(#[source] io::Error),
    /// Another process has locked it.
    #[error("is held by another {owner} ({})", holder.as_deref().unwrap_or("unknown"))]
    Locked {
        /// What runs on such a file.
        owner: &'static str,
        /// The process, as it says itself.
        holder: Option<String>,
    },
    /// There is no room left.
    #[error("could not be written, because the disk is full")]
    Full,
    /// It cannot be written.
    #[error("cannot be written: {0}")]
    Unwritable(#[source] rusqlite::Error),
    /// It is damaged.
    #[error("is damaged: {0}")]
    Damaged(String),
    /// It is an SQLite file of something else.
    #[error("is an SQLite file of some other program")]
    Foreign,
    /// A newer program wrote it.
    #[error("has version {found}, and this program knows versions up to {known}")]
    Newer {
        /// The file's version.
        found: i64,
        /// The newest version that this program knows.
        known: Version,
    },
    /// What was to be written contradicts what is in the file: a bug, not a fault of the disk.
    #[error("contradicts what is to be written: {0}")]
    Contradiction(String),
    /// SQLite failed otherwise.
    #[error("could not be used by SQLite: {0}")]
    Failed(#[source] rusqlite::Error),
}

impl Error {
    /// The file, or its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is wrong with it.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// What is wrong with it, alone.
    #[must_use]
    pub fn into_fault(self) -> Fault {
        self.fault
    }
}

impl Format {
    /// What an error of SQLite means for the file at `path`.
    #[must_use]
    pub fn error(&self, path: &Path, cause: rusqlite::Error) -> Error {
        self.refuse(path, Fault::from(cause))
    }

    /// The error for a file with this fault.
    #[must_use]
    pub fn refuse(&self, path: &Path, fault: Fault) -> Error {
        let advice = (self.advice)(&fault).unwrap_or(fault.advice());
        Error { path: path.to_owned(), fault, advice }
    }
}

impl Fault {
    /// What to do, whatever the file is for.
    fn advice(&self) -> &'static str {
        match self {
            Self::Unusable(_) => {
                "the data folder must be one that this process may create files in"
            }
            Self::Locked { .. } => "stop it, or choose another data folder",
            Self::Full => "free some space",
            Self::Unwritable(_) => "make the file and its folder writable for this process",
            Self::Damaged(_) => "put a copy from before in its place, or move it away",
            Self::Foreign => "move it away, or choose another data folder",
            Self::Newer { .. } => "use the program that wrote it, or a later one",
            Self::Contradiction(_) => "please report this with a copy of the file",
            Self::Failed(_) => "check the disk and the system's log",
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(cause: rusqlite::Error) -> Self {
        let Some(code) = cause.sqlite_error_code() else {
            // Not SQLite's own: a row is not what we would have written.
            return Self::Damaged(cause.to_string());
        };
        match code {
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
                Self::Damaged(cause.to_string())
            }
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                Self::Unwritable(cause)
            }
            ErrorCode::ConstraintViolation => Self::Contradiction(cause.to_string()),
            _ => Self::Failed(cause),
        }
    }
}

/// The error of a row that is not what we would have written.
#[must_use]
pub fn malformed(column: usize, detail: impl Into<String>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, detail.into().into())
}
