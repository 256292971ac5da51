//! Why the store cannot be used: what, in which file, and what to do.

use std::io;
use std::path::PathBuf;

use hearth_storage::Fault;
use wire::{GatewayId, Site};

/// Why the store cannot be used. After any of these a replica must not go on: its memory may be
/// ahead of its disk.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] hearth_storage::Error),
    /// It is the file of another replica.
    #[error(
        "{} belongs to gateway {} of site {:?}, not to gateway {} of site {:?}; check the site, the \
         gateway's number and the data folder in the settings",
        path.display(), found.1, found.0, wanted.1, wanted.0.as_str()
    )]
    OtherReplica {
        /// The file.
        path: PathBuf,
        /// The site and the gateway that the file is of.
        found: (String, u8),
        /// The site and the gateway that asked for it.
        wanted: (Site, GatewayId),
    },
    /// The store failed before and is not used again.
    #[error(
        "{} is not written any more, because an earlier write failed; start the gateway again",
        path.display()
    )]
    Stopped {
        /// The replica's file.
        path: PathBuf,
    },
    /// The store's thread could not be started.
    #[error("cannot start the thread of the store: {0}; check process limits")]
    Thread(#[source] io::Error),
}

impl StoreError {
    /// What is wrong with the file, if that is what is wrong.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::File(error) => Some(error.fault()),
            Self::OtherReplica { .. } | Self::Stopped { .. } | Self::Thread(_) => None,
        }
    }
}

/// What to do about a fault of a replica's file.
pub(super) fn advice(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Locked { .. } => {
            Some("stop it, or give this gateway its own data folder and number")
        }
        Fault::Full => Some("nothing agreed is lost; free some space and start the gateway again"),
        Fault::Damaged(_) => Some(
            "keep it for a report, move it away with its -wal, and start the gateway again: it fetches \
             everything from the others, and has its vote again once a majority of them has agreed",
        ),
        Fault::Contradiction(_) => Some(
            "the gateway stops before it harms anything; please report this with a copy of the file",
        ),
        Fault::Failed(_) => {
            Some("check the disk and the system's log, then start the gateway again")
        }
        Fault::Unusable(_) | Fault::Unwritable(_) | Fault::Foreign | Fault::Newer { .. } => None,
    }
}
