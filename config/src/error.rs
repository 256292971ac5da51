//! What can be wrong with settings.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where a setting was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the defaults.
    Default,
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
    /// In a flag of the command line.
    Flag(String),
}

/// Why there are no settings.
#[derive(Debug)]
pub enum Error {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is no TOML.
    Syntax {
        /// The file.
        origin: Origin,
        /// Line, column and reason.
        cause: String,
    },
    /// Nothing has this name.
    UnknownKey {
        /// Where it was written.
        origin: Origin,
        /// The key as found.
        key: String,
        /// The keys that may stand there.
        allowed: Vec<String>,
    },
    /// A value that cannot be meant.
    Value {
        /// Where it was written.
        origin: Origin,
        /// The key.
        key: String,
        /// The value as found.
        found: String,
        /// What it may be.
        allowed: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, cause } => {
                write!(f, "cannot read the settings in {}: {cause}", path.display())
            }
            Self::Syntax { origin, cause } => write!(f, "{origin} is no valid TOML: {cause}"),
            Self::UnknownKey { origin, key, allowed } => {
                write!(f, "{origin}: there is no setting {key}; there are ")?;
                f.write_str(&allowed.join(", "))
            }
            Self::Value { origin, key, found, allowed } => {
                write!(f, "{origin}: {key} is {found}; it must be {allowed}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { cause, .. } => Some(cause),
            Self::Syntax { .. } | Self::UnknownKey { .. } | Self::Value { .. } => None,
        }
    }
}
