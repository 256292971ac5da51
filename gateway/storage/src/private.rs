//! Files that only their owner may read, and folders that are on disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Makes a file that only its owner may read and write (mode 0600), to append to. SQLite gives the
/// same mode to the files that it makes beside it.
///
/// # Errors
/// When the file exists, or cannot be made.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
}

/// Makes the file if it is missing.
pub(crate) fn ensure_private(path: &Path) -> io::Result<()> {
    match create_private(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Puts the names of a new file and of its folder on disk: without them a power failure loses the file.
///
/// The error comes with the folder.
pub(crate) fn sync_folders(file: &Path) -> Result<(), (PathBuf, io::Error)> {
    for folder in file.ancestors().skip(1).take(2) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|cause| (folder.to_owned(), cause))?;
    }
    Ok(())
}
