//! Why the broker's file cannot be used: what, where, and what to do.

use std::io;

use hearth_storage::Fault;

/// Why the broker's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] hearth_storage::Error),
    /// The thread that writes could not be started.
    #[error("cannot start the thread of the broker's store: {0}; check process limits")]
    Thread(#[source] io::Error),
}

/// What to do about a fault of a broker's file.
pub(super) fn advice(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Unusable(_) => Some(
            "the broker's data folder must be one that this process may create files in; change \
             broker.data_dir, or leave it empty to keep nothing",
        ),
        Fault::Locked { .. } => {
            Some("stop it, or give this broker a broker.data_dir or a number (--id) of its own")
        }
        // It is put aside, so this is seen only if that fails too.
        Fault::Damaged(_) => Some("move it, its -wal and its -shm away and start again"),
        Fault::Foreign => Some("move it away, or choose another broker.data_dir"),
        Fault::Full
        | Fault::Unwritable(_)
        | Fault::Newer { .. }
        | Fault::Contradiction(_)
        | Fault::Failed(_) => None,
    }
}
