//! One process per file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Fault};
use crate::format::Format;

/// Keeps other processes from a file. SQLite's own locks would let two processes take turns.
///
/// The system releases the lock also when the process is killed.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Format {
    /// Locks the file at `path`, which exists for this only. Makes it, and its folder, if they are missing.
    ///
    /// # Errors
    /// When another process holds the lock, or when the folder cannot be used.
    pub fn lock(&self, path: &Path) -> Result<Lock, Error> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|cause| self.refuse(folder, Fault::Unusable(cause)))?;
        }
        let unusable = |cause| self.refuse(path, Fault::Unusable(cause));
        // Not truncated: another process may hold the file, and its name is in it.
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = std::fs::read_to_string(path).ok();
                let holder = holder.map(|text| text.trim().to_owned()).filter(|h| !h.is_empty());
                return Err(self.refuse(path, Fault::Locked { owner: self.owner, holder }));
            }
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
        // Only for messages, so a full disk is reported by the SQLite file instead.
        let named = file.set_len(0).and_then(|()| writeln!(file, "process {}", std::process::id()));
        drop(named);
        Ok(Lock { _file: file })
    }
}
