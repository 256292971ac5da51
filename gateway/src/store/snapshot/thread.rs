//! The thread that reads and writes the files of snapshots. It shares nothing with the store but
//! two numbers, so the store never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver as Tasks, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway_core::event::Stored;
use gateway_core::snapshots::{Report, Task};
use hearth_storage::Fault;
use tokio::sync::mpsc as outbox;

use super::give::Giver;
use super::receive::Receiver;
use crate::store::open::FORMAT;
use crate::store::{Outcome, Store, StoreError};

/// How often it looks for a snapshot that nobody needs any more.
const TIDY: Duration = Duration::from_secs(10);

/// The thread. Dropping it waits for its present task, which then ends early.
#[derive(Debug)]
pub struct SnapshotThread {
    /// None only while it is dropped.
    tasks: Option<Sender<Task>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread for the snapshots of a store. Every task but [`Task::Discard`] sends one
/// report.
///
/// # Errors
/// When the folder cannot be used, or the system gives no thread.
pub fn spawn(
    store: &Store,
    results: outbox::Sender<Outcome>,
) -> Result<SnapshotThread, StoreError> {
    let (tasks, waiting) = mpsc::channel();
    let closing = Arc::new(AtomicBool::new(false));
    let (files, log_from) = store.snapshots();
    let folder = files.folder.clone();
    let giver = Giver::open(files.clone(), log_from, Arc::clone(&closing))
        .map_err(|cause| FORMAT.refuse(&folder, Fault::Unusable(cause)))?;
    let receiver = Receiver::new(files, Arc::clone(&closing));
    let mut worker = Worker { giver, receiver, waiting, results };
    let thread = std::thread::Builder::new().name("snapshots".into());
    let thread = thread.spawn(move || worker.run()).map_err(StoreError::Thread)?;
    Ok(SnapshotThread { tasks: Some(tasks), closing, thread: Some(thread) })
}

impl SnapshotThread {
    /// Hands a task over; it never waits.
    pub fn submit(&self, task: Task) {
        // It ends before it is dropped only by a panic, which has been reported.
        let sent = self.tasks.as_ref().map(|tasks| tasks.send(task));
        if !matches!(sent, Some(Ok(()))) {
            tracing::warn!("the thread for snapshots has ended");
        }
    }
}

impl Drop for SnapshotThread {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        drop(self.tasks.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been reported on its own thread already.
            drop(thread.join());
        }
    }
}

struct Worker {
    giver: Giver,
    receiver: Receiver,
    waiting: Tasks<Task>,
    results: outbox::Sender<Outcome>,
}

impl Worker {
    fn run(&mut self) {
        loop {
            match self.waiting.recv_timeout(TIDY) {
                Ok(task) => {
                    let report = self.carry_out(task);
                    let sent = report.is_none_or(|report| {
                        let report = Stored::Snapshot(report);
                        self.results.blocking_send(Ok(vec![report])).is_ok()
                    });
                    if !sent {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.giver.tidy(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn carry_out(&mut self, task: Task) -> Option<Report> {
        Some(match task {
            Task::Give { to, part } => Report::Given { to, answer: self.giver.give(part) },
            Task::Resume => self.receiver.resume(),
            Task::Take(chunk) => self.receiver.take(&chunk),
            Task::Check(id) => self.receiver.check(id),
            Task::Discard => {
                self.receiver.discard();
                return None;
            }
        })
    }
}
