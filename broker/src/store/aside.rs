//! What becomes of a damaged file: it is put aside, whole, and the broker begins anew.
//!
//! A home must not stay down because of what was worth keeping only for comfort. What the gateways have agreed on is
//! in their files, and they publish every state again. Two things must not be forgotten with the file: that there are
//! gateways, or this broker would acknowledge reports by itself until the first of them comes; and which stamps were
//! given, so the new life's number is one that no clock which was set back can give again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use hearth_storage::{Error, Fault};

use super::file::{FORMAT, File};
use super::{Opened, StoreError, load};

/// Damaged files that are kept. 9: past them a disk that spoils each file would fill with them; the last is replaced.
const KEPT: u32 = 9;

/// Numbers of lives that chance chooses among; so many milliseconds are seven weeks, in which nobody minds.
const CHANCE: u64 = 1 << 32;

/// Puts the damaged file aside and opens another.
pub(super) fn begin_anew(
    why: &Error,
    folder: &Path,
    broker: u16,
    site: &str,
    started: u64,
) -> Result<Opened, StoreError> {
    let file = why.path();
    let unusable = |error| FORMAT.refuse(file, Fault::Unusable(error));
    let aside = set_aside(file).map_err(unusable)?;
    tracing::error!(
        "{} {}; it is put aside as {}, and the broker begins anew: retained messages and sleeping sessions that \
         are only in it are forgotten, what the gateways have agreed on is not, and they publish every state again",
        file.display(),
        why.fault(),
        aside.display()
    );
    let file = File::open(folder, broker, site)?;
    let chance = RandomState::new().build_hasher().finish() % CHANCE;
    let incarnation = file.begin_life(started.saturating_add(chance))?;
    file.note_gateways()?;
    let memory = load::memory(&file, 0)?;
    Ok(Opened { file, memory, incarnation })
}

/// Renames a file and what SQLite keeps beside it; gives its new name.
fn set_aside(file: &Path) -> io::Result<PathBuf> {
    let beside = |ends: &str| PathBuf::from(format!("{}{ends}", file.display()));
    let named = |number| beside(&format!(".damaged-{number}"));
    let number = (1..KEPT).find(|number| !named(*number).exists()).unwrap_or(KEPT);
    let aside = named(number);
    std::fs::rename(file, &aside)?;
    for end in ["-wal", "-shm"] {
        match std::fs::rename(beside(end), format!("{}{end}", aside.display())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}
