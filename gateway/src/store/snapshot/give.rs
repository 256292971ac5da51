//! Gives a snapshot away, piece by piece; makes it when somebody asks.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gateway_core::snapshots::{Chunk, SnapshotAnswer, SnapshotId};
use paxos::Slot;

use super::make::make;
use super::{Snapshots, Way, check_of};
use crate::store::StoreError;

/// Bytes in a chunk. Heartbeats of Paxos share its connection: on 10 Mbit/s it keeps them waiting
/// for 50 ms, which is one of the six that an election takes.
const CHUNK: usize = 64 * 1024;

/// So long after the last request a snapshot is kept, and the log behind it: a late replica needs
/// some of that to check and to install, and then asks the log for the rest.
const KEPT: Duration = Duration::from_secs(120);

/// Whoever was given a chunk so lately is still at it.
const IN_USE: Duration = Duration::from_secs(3);

/// The snapshot that is given away.
pub(super) struct Giver {
    files: Snapshots,
    closing: Arc<AtomicBool>,
    making: Option<JoinHandle<Result<SnapshotId, StoreError>>>,
    present: Option<Present>,
}

struct Present {
    id: SnapshotId,
    path: PathBuf,
    file: File,
    asked: Instant,
}

impl Giver {
    /// Goes on with the snapshot of an earlier life, if the log still begins behind it.
    pub(super) fn open(
        files: Snapshots,
        log_from: Slot,
        closing: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        let fits = |id: &SnapshotId, length| id.bytes == length && id.slot.next() >= log_from;
        let found = files.only(Way::Out, fits)?;
        let mut giver = Self { files, closing, making: None, present: None };
        if let Some((id, _)) = found {
            giver.present = Some(giver.present(id)?);
            giver.files.shared.pin(id.slot);
        }
        Ok(giver)
    }

    /// The piece that was asked for.
    pub(super) fn give(&mut self, part: Option<(SnapshotId, u64)>) -> SnapshotAnswer {
        self.take_in();
        let answer = match part {
            Some((id, offset)) => self.chunk(&id, offset),
            None => self.begin(),
        };
        answer.unwrap_or_else(|cause| {
            tracing::warn!("the snapshot cannot be read and is given up: {cause}");
            self.drop_present();
            SnapshotAnswer::Gone
        })
    }

    /// Deletes what nobody has asked for lately.
    pub(super) fn tidy(&mut self) {
        self.take_in();
        if self.present.as_ref().is_some_and(|present| present.asked.elapsed() >= KEPT) {
            self.drop_present();
        }
    }

    fn begin(&mut self) -> io::Result<SnapshotAnswer> {
        if self.making.is_some() {
            return Ok(SnapshotAnswer::NotReady);
        }
        let applied = self.files.shared.applied();
        let keep = self.files.log_keep;
        let fresh = |present: &&Present| {
            applied.above(present.id.slot) <= keep || present.asked.elapsed() < IN_USE
        };
        if let Some(id) = self.present.as_ref().filter(fresh).map(|present| present.id) {
            return self.chunk(&id, 0);
        }
        self.drop_present();
        let (files, closing) = (self.files.clone(), Arc::clone(&self.closing));
        let maker = std::thread::Builder::new().name("snapshot".into());
        self.making = Some(maker.spawn(move || make(&files, &closing))?);
        Ok(SnapshotAnswer::NotReady)
    }

    fn chunk(&mut self, id: &SnapshotId, offset: u64) -> io::Result<SnapshotAnswer> {
        let Some(present) = self.present.as_mut().filter(|present| present.id == *id) else {
            return Ok(SnapshotAnswer::Gone);
        };
        present.asked = Instant::now();
        let length = id.bytes.saturating_sub(offset).min(CHUNK as u64) as usize;
        let mut bytes = vec![0; length];
        present.file.seek(SeekFrom::Start(offset))?;
        present.file.read_exact(&mut bytes)?;
        let check = check_of(&bytes);
        Ok(SnapshotAnswer::Chunk(Chunk { id: *id, offset, bytes, check }))
    }

    /// Takes over what was made meanwhile.
    fn take_in(&mut self) {
        let Some(making) = self.making.take_if(|making| making.is_finished()) else { return };
        let made = match making.join() {
            Ok(Ok(id)) => self.present(id).map_err(|cause| cause.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("its thread panicked".into()),
        };
        match made {
            Ok(present) => self.present = Some(present),
            Err(why) => {
                self.files.shared.unpin();
                tracing::warn!("no snapshot could be made: {why}");
            }
        }
    }

    fn present(&self, id: SnapshotId) -> io::Result<Present> {
        let path = self.files.path(Way::Out, &id);
        Ok(Present { id, file: File::open(&path)?, path, asked: Instant::now() })
    }

    fn drop_present(&mut self) {
        self.files.shared.unpin();
        if let Some(present) = self.present.take()
            && let Err(cause) = fs::remove_file(&present.path)
        {
            tracing::warn!("cannot delete {}: {cause}", present.path.display());
        }
    }
}

impl Drop for Giver {
    fn drop(&mut self) {
        // It ends soon, for `closing` is set.
        if let Some(making) = self.making.take() {
            drop(making.join());
        }
    }
}
