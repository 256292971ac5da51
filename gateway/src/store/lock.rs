//! One process per replica's file.
//!
//! SQLite's own locks would let two processes take turns, and two replicas that vote with one
//! memory would break what the replicas promise each other.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use wire::GatewayId;

use super::StoreError;

/// Held while the store lives; the system lets go of it also when the process is killed.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the folder if there is none, and takes the lock of this gateway in it.
    pub(super) fn take(data_dir: &Path, gateway: GatewayId) -> Result<Self, StoreError> {
        std::fs::create_dir_all(data_dir)
            .map_err(|cause| StoreError::Folder { path: data_dir.to_owned(), cause })?;
        let path = data_dir.join(format!("gateway-{gateway}.lock"));
        let unusable = |cause| StoreError::Folder { path: path.clone(), cause };
        // Not truncated: the file may be held by someone whose name is in it.
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(&path).ok();
                let holder = holder.map(|text| text.trim().to_owned());
                return Err(StoreError::Locked { path, holder: holder.filter(|h| !h.is_empty()) });
            }
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
        // For whoever finds it locked. A full disk is for the replica's file to complain about.
        let named = file.set_len(0).and_then(|()| writeln!(file, "process {}", std::process::id()));
        drop(named);
        Ok(Self { _file: file })
    }
}
