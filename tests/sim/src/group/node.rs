//! One replica with its driver's state.

use std::collections::BTreeSet;

use paxos::{Replica, ReplicaId, RequestId, Slot, Step};

use super::disk::Disk;
use super::driver::Write;
use super::machine::Machine;
use crate::clock::Clock;

pub(crate) struct Node {
    pub(crate) id: ReplicaId,
    pub(crate) disk: Disk,
    /// `None` while it is down.
    pub(crate) replica: Option<Replica>,
    /// Grows with each start, so that a dead process' timers and writes do nothing.
    pub(crate) life: u64,
    pub(crate) clock: Clock,
    pub(crate) paused_until: u64,
    /// Its disk takes nothing before this.
    pub(crate) full_until: u64,
    /// It has no connection before this.
    pub(crate) offline_until: u64,
    /// Under way to the disk.
    pub(crate) writing: Option<Write>,
    /// How many writes began, to tell them apart.
    pub(crate) writes: u64,
    /// Wait for the write before.
    pub(crate) waiting: Vec<Step>,
    /// Other replicas' states, until the records that install them are written.
    pub(crate) snapshots: Vec<Machine>,
    /// The earliest wake-up in the world's queue.
    pub(crate) wake: u64,
    /// The last slot that was reported in this life.
    pub(crate) reported: Slot,
    /// Questions without an answer yet.
    pub(crate) tickets: Vec<Ticket>,
    /// Requests proposed in this life, and neither refused nor chosen.
    pub(crate) open: BTreeSet<RequestId>,
}

/// A question whether this replica leads, and what was known when it was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) number: u64,
    /// The highest slot that anyone had reported as chosen.
    pub(crate) top: Slot,
    /// The highest ballot that had got anything chosen.
    pub(crate) deciding: paxos::Ballot,
}

impl Node {
    pub(crate) fn new(id: ReplicaId, drift: i64) -> Self {
        Self {
            id,
            disk: Disk::new(),
            replica: None,
            life: 0,
            clock: Clock::new(drift),
            paused_until: 0,
            full_until: 0,
            offline_until: 0,
            writing: None,
            writes: 0,
            waiting: Vec::new(),
            snapshots: Vec::new(),
            wake: u64::MAX,
            reported: Slot::ZERO,
            tickets: Vec::new(),
            open: BTreeSet::new(),
        }
    }

    pub(crate) fn leads(&self) -> bool {
        self.replica.as_ref().is_some_and(Replica::is_leading)
    }

    /// Whom it follows; itself if it leads.
    pub(crate) fn follows(&self) -> Option<ReplicaId> {
        self.replica.as_ref().and_then(Replica::leader)
    }

    /// The process ends, and all that was in its memory.
    pub(crate) fn end(&mut self) {
        self.replica = None;
        self.life += 1;
        self.writing = None;
        self.waiting.clear();
        self.snapshots.clear();
        self.paused_until = 0;
        self.tickets.clear();
        self.open.clear();
    }
}
