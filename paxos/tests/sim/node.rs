//! One replica with its driver: gathers steps while a write is under way, writes, then sends.

use paxos::{Chosen, Moment, Replica, ReplicaId, Slot, Step, Value};

use crate::disk::Disk;

pub(crate) struct Node {
    pub(crate) id: ReplicaId,
    pub(crate) disk: Disk,
    /// `None` while it is down.
    pub(crate) replica: Option<Replica>,
    /// Grows with each start, so that a dead process' timers and writes do nothing.
    pub(crate) life: u64,
    pub(crate) started: u64,
    pub(crate) paused_until: u64,
    /// This clock's error in parts per million.
    pub(crate) drift: i64,
    /// Under way to the disk.
    pub(crate) writing: Option<(Step, Vec<Chosen>)>,
    /// Another replica's state, until the record that installs it is written.
    pub(crate) snapshot: Vec<Value>,
    /// Waits for the write before.
    pub(crate) gathered: Step,
    /// The earliest wake-up in the world's queue.
    pub(crate) wake: u64,
    /// The last slot that was reported in this life.
    pub(crate) reported: Slot,
    /// Outstanding tickets, each with the highest slot that was chosen anywhere when it was asked.
    pub(crate) tickets: Vec<(u64, Slot)>,
    /// Requests proposed in this life and not refused.
    pub(crate) open: Vec<paxos::RequestId>,
}

impl Node {
    pub(crate) fn new(id: ReplicaId, drift: i64) -> Self {
        Self {
            id,
            disk: Disk::new(),
            replica: None,
            life: 0,
            started: 0,
            paused_until: 0,
            drift,
            writing: None,
            snapshot: Vec::new(),
            gathered: Step::default(),
            wake: u64::MAX,
            reported: Slot::ZERO,
            tickets: Vec::new(),
            open: Vec::new(),
        }
    }

    /// What its own clock shows.
    pub(crate) fn clock(&self, now: u64) -> Moment {
        let span = (now - self.started) as i64;
        Moment((span + span * self.drift / 1_000_000) as u64)
    }

    /// When its own clock will show `moment`.
    pub(crate) fn true_time(&self, moment: Moment) -> u64 {
        let span = i64::try_from(moment.0.min(1 << 50)).unwrap_or(1 << 50);
        let real = span * 1_000_000 / (1_000_000 + self.drift);
        self.started + real as u64 + 1
    }

    /// The process ends. What is under way to the disk arrives there, or not.
    pub(crate) fn crash(&mut self, write_survives: bool) {
        if let Some((step, chosen)) = self.writing.take()
            && write_survives
        {
            let written: Result<_, ()> = step.persist(|records| {
                self.disk.write(records, &self.snapshot);
                Ok(())
            });
            drop(written);
            self.disk.apply(chosen);
        }
        self.replica = None;
        self.gathered = Step::default();
        self.life += 1;
        self.paused_until = 0;
        self.tickets.clear();
        self.open.clear();
    }
}
