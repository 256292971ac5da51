//! Snapshots on a replica's disk, and the work on them that a process does beside its store.
//!
//! Bytes travel as they would: each is known by its place, so that a piece that is missing or comes
//! twice is found out. What they stand for is looked up by the snapshot's name.

use std::collections::BTreeMap;

use gateway_core::snapshots::{Chunk, Report, SnapshotAnswer, SnapshotId, Task};
use paxos::Slot;
use wire::GatewayId;

use super::disk::Disk;
use super::tables::Tables;

/// Every snapshot that was made.
pub(crate) type Library = BTreeMap<SnapshotId, Tables>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Shelf {
    out: Option<Out>,
    received: Option<(SnapshotId, Vec<u8>)>,
    /// What was received and found to be whole.
    pub(crate) sound: Option<(SnapshotId, Tables)>,
    /// The next one that is received is no good.
    pub(crate) spoilt: bool,
    /// How many were made here.
    pub(crate) made: u64,
}

#[derive(Clone, Debug)]
struct Out {
    id: SnapshotId,
    /// It is being made until then.
    ready: u64,
    asked: u64,
}

const BYTES: u64 = 2000;
const CHUNK: u64 = 100;
/// In microseconds.
const MAKING: u64 = 700_000;
const KEPT: u64 = 5_000_000;

impl Shelf {
    /// The log is not trimmed above this.
    pub(crate) fn pinned(&self) -> Slot {
        self.out.as_ref().map_or(Slot(u64::MAX), |out| out.id.slot)
    }

    pub(crate) fn received(&self) -> Option<(SnapshotId, u64)> {
        self.received.as_ref().map(|(id, bytes)| (*id, bytes.len() as u64))
    }

    pub(crate) fn tidy(&mut self, now: u64) {
        self.out.take_if(|out| now >= out.asked + KEPT);
    }

    fn take(&mut self, chunk: &Chunk) {
        let known = self.received.as_ref().is_some_and(|(id, _)| *id == chunk.id);
        if !known && chunk.offset == 0 {
            self.received = Some((chunk.id, Vec::new()));
        }
        if let Some((_, bytes)) = self.received.as_mut().filter(|(id, _)| *id == chunk.id)
            && bytes.len() as u64 == chunk.offset
            && check(&chunk.bytes) == chunk.check
        {
            bytes.extend(&chunk.bytes);
        }
    }
}

/// Does what a process does beside its store; what it reports, some time later. The content of every snapshot that was
/// ever made is in `library`. `flip` damages a piece on its way.
pub(crate) fn work(
    disk: &mut Disk,
    (id, now): (GatewayId, u64),
    library: &mut Library,
    task: Task,
    flip: bool,
) -> Option<Report> {
    Some(match task {
        Task::Give { to, part } => {
            let answer = give(disk, (id, now), library, part);
            Report::Given { to, answer }
        }
        Task::Resume => Report::Held(disk.shelf.received()),
        Task::Take(mut chunk) => {
            if flip {
                chunk.bytes[0] ^= 1;
            }
            disk.shelf.take(&chunk);
            Report::Held(disk.shelf.received())
        }
        Task::Check(id) => check_whole(&mut disk.shelf, library, id),
        Task::Discard => {
            (disk.shelf.received, disk.shelf.sound) = (None, None);
            return None;
        }
    })
}

fn give(
    disk: &mut Disk,
    (id, now): (GatewayId, u64),
    library: &mut Library,
    part: Option<(SnapshotId, u64)>,
) -> SnapshotAnswer {
    disk.shelf.tidy(now);
    let Some(out) = &mut disk.shelf.out else {
        if part.is_some() {
            return SnapshotAnswer::Gone;
        }
        let id = SnapshotId { slot: disk.applied, bytes: BYTES, hash: [id.0; 32] };
        disk.shelf.out = Some(Out { id, ready: now + MAKING, asked: now + MAKING });
        disk.shelf.made += 1;
        library.insert(id, disk.tables.clone());
        return SnapshotAnswer::NotReady;
    };
    if now < out.ready {
        return SnapshotAnswer::NotReady;
    }
    let (id, offset) = part.unwrap_or((out.id, 0));
    if id != out.id {
        return SnapshotAnswer::Gone;
    }
    out.asked = now;
    let bytes: Vec<u8> = (offset..id.bytes.min(offset + CHUNK)).map(byte).collect();
    let check = check(&bytes);
    SnapshotAnswer::Chunk(Chunk { id, offset, bytes, check })
}

fn check_whole(shelf: &mut Shelf, library: &Library, id: SnapshotId) -> Report {
    let tables = library[&id].clone();
    if core::mem::take(&mut shelf.spoilt) {
        shelf.received = None;
        return Report::Failed("on purpose".into());
    }
    let (held, bytes) = shelf.received.as_ref().expect("something was received");
    assert!(*held == id && bytes.len() as u64 == id.bytes, "{id:?} is not whole");
    assert!(bytes.iter().zip(0..).all(|(found, at)| *found == byte(at)), "{id:?} is damaged");
    let house = tables.restore();
    shelf.sound = Some((id, tables));
    Report::Sound(id, Box::new(house))
}

/// What stands at a place of every snapshot.
fn byte(at: u64) -> u8 {
    (at % 251) as u8
}

fn check(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}
