//! What outlives the broker, in one SQLite file with one writer, off the path of every message.
//!
//! ```text
//!   core ──Keep──▶ Desk ──every 20 ms, what has come──▶ Writer ──one transaction──▶ broker-<id>.db
//!                   bounded                              a thread      fsync every second
//! ```
//!
//! **Durability.** Nobody waits for this file. A broker that is stopped loses nothing. One that is killed loses what
//! came in the last 20 ms and while the writer was busy with what came before. A machine that loses power loses the
//! last second besides. What there is afterwards was true at one moment; the order of changes is kept.
//!
//! **Bounds.** What waits for the writer is bounded by [`desk`]. If the writer falls behind, updates of the same
//! retained message become one. If that is not enough, or if the file cannot be written, single changes are given up:
//! as soon as it goes again, everything is written anew in one transaction. The broker serves on all the while.

mod apply;
mod aside;
mod desk;
mod error;
mod file;
mod load;
mod writer;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use broker_core::{Keep, Memory};
pub(crate) use desk::Desk;
pub use error::StoreError;
use hearth_storage::Fault;
use writer::Writer;

/// An open file, not written yet.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: file::File,
    /// What earlier lives left.
    pub(crate) memory: Memory,
    /// Number of this life: that of every earlier one is lower.
    pub(crate) incarnation: u64,
}

/// Opens `broker-<id>.db` in the folder, or makes both, and reads what it holds.
///
/// `started` is a number for this life; a higher one is taken if an earlier life had that. A file that is damaged is
/// put aside, and the broker begins anew.
///
/// # Errors
///
/// When the file cannot be used; the text says which, why, and what to do.
pub(crate) fn open(
    folder: &Path,
    broker: u16,
    site: &str,
    started: u64,
) -> Result<Opened, StoreError> {
    match open_sound(folder, broker, site, started) {
        Err(StoreError::File(why)) if matches!(why.fault(), Fault::Damaged(_)) => {
            aside::begin_anew(&why, folder, broker, site, started)
        }
        opened => opened,
    }
}

fn open_sound(folder: &Path, broker: u16, site: &str, started: u64) -> Result<Opened, StoreError> {
    let file = file::File::open(folder, broker, site)?;
    let incarnation = file.begin_life(started)?;
    let memory = load::memory(&file, apply::unix_millis())?;
    Ok(Opened { file, memory, incarnation })
}

/// Gives all that is to be kept, having told the desk in the same moment that nothing before it counts.
pub(crate) type Everything = Box<dyn Fn() -> Vec<Keep> + Send>;

/// A file that is being written. Dropping it writes what waits, and closes it.
#[derive(Debug)]
pub(crate) struct Store {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Starts the thread that writes what comes onto the desk.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub(crate) fn start(
        file: file::File,
        desk: Arc<Desk>,
        everything: Everything,
    ) -> Result<Self, StoreError> {
        let writer = Writer::new(file, desk.clone(), everything);
        let thread = std::thread::Builder::new().name("kept".to_owned());
        let thread = thread.spawn(move || writer.run()).map_err(StoreError::Thread)?;
        Ok(Self { desk, thread: Some(thread) })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.desk.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the broker's store ended in a panic; the last changes may be lost");
        }
    }
}
