//! The one thread that writes, so that the rest of the gateway never waits for a disk.
//!
//! While one commit is under way, steps collect; the next commit takes all of them. The busier the
//! replica, the more steps share an fsync.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway_core::Step;
use tokio::sync::mpsc as outbox;

use super::{Checkpoint, Outcome, Store, StoreError};

/// Steps that may wait. The core makes a step in some ten microseconds and a commit takes some
/// milliseconds, so a busy driver fills this in one commit, and then its own step grows instead,
/// which costs nothing. More room would only make the transactions, and every wait, longer.
const WAITING: usize = 64;

/// So long must nothing come before the store counts as idle: longer than the pauses between the
/// messages of one round of agreement, shorter than those between a home's reports.
const IDLE: Duration = Duration::from_millis(50);

/// How often a driver that is behind with its results is looked at again. It has several
/// milliseconds of work before it then, so this delays nothing.
const BEHIND: Duration = Duration::from_millis(1);

/// The store's thread. Dropping it waits until everything that was submitted is written.
#[derive(Debug)]
pub struct StoreThread {
    /// None only while it is dropped.
    steps: Option<SyncSender<Step>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Why a step was not taken.
#[derive(Debug)]
pub enum Refused {
    /// Too many wait. Keep the step, absorb later ones into it, take in no more input than that,
    /// and submit it again at the next result: one is sure to come.
    Full(Box<Step>),
    /// The thread has ended, and has sent the reason as its last result.
    Stopped,
}

/// Starts the thread. Each commit sends one result, for one or more steps in the order in which
/// they were submitted; after an error it sends nothing more and ends.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(store: Store, results: outbox::Sender<Outcome>) -> Result<StoreThread, StoreError> {
    let (steps, waiting) = mpsc::sync_channel(WAITING);
    let closing = Arc::new(AtomicBool::new(false));
    let mut worker = Worker { store, waiting, results, closing: Arc::clone(&closing) };
    let thread = std::thread::Builder::new().name("store".into());
    let thread = thread.spawn(move || worker.run()).map_err(StoreError::Thread)?;
    Ok(StoreThread { steps: Some(steps), closing, thread: Some(thread) })
}

impl StoreThread {
    /// Hands a step over to be written; it never waits.
    ///
    /// # Errors
    /// When too many steps wait, or the thread has ended.
    pub fn submit(&self, step: Step) -> Result<(), Refused> {
        let Some(steps) = &self.steps else { return Err(Refused::Stopped) };
        steps.try_send(step).map_err(|refused| match refused {
            TrySendError::Full(step) => Refused::Full(Box::new(step)),
            TrySendError::Disconnected(_) => Refused::Stopped,
        })
    }
}

impl Drop for StoreThread {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        drop(self.steps.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been reported on its own thread already.
            drop(thread.join());
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => write!(f, "the store is behind; submit again at its next result"),
            Self::Stopped => write!(f, "the store has stopped; its last result says why"),
        }
    }
}

impl std::error::Error for Refused {}

/// What runs on the thread.
struct Worker {
    store: Store,
    waiting: Receiver<Step>,
    results: outbox::Sender<Outcome>,
    closing: Arc<AtomicBool>,
}

impl Worker {
    fn run(&mut self) {
        loop {
            let outcome = match self.next() {
                Ok(Some(step)) => self.persist(step),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let failed = outcome.is_err();
            self.send(outcome);
            if failed {
                return;
            }
        }
    }

    fn persist(&mut self, step: Step) -> Outcome {
        let mut stored = step.persist(|write| self.store.commit(write))?;
        stored.extend(self.store.news());
        Ok(stored)
    }

    /// All steps that wait, as one; waits for the first. None when no more can come.
    fn next(&mut self) -> Result<Option<Step>, StoreError> {
        // The result of the last commit has left, so this delays only what comes now.
        if self.store.wants(Checkpoint::Busy) {
            self.store.checkpoint()?;
        }
        let Some(mut step) = self.first()? else { return Ok(None) };
        // Bounded, because the driver may add to the queue as fast as it is emptied here.
        for later in self.waiting.try_iter().take(WAITING) {
            step.absorb(later);
        }
        Ok(Some(step))
    }

    fn first(&mut self) -> Result<Option<Step>, StoreError> {
        while self.store.wants(Checkpoint::Idle) {
            match self.waiting.recv_timeout(IDLE) {
                Ok(step) => return Ok(Some(step)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.store.checkpoint()?,
            }
        }
        Ok(self.waiting.recv().ok())
    }

    /// Waits for room, but not for a driver that is itself waiting for this thread to end.
    fn send(&self, outcome: Outcome) {
        let mut outcome = outcome;
        while let Err(outbox::error::TrySendError::Full(back)) = self.results.try_send(outcome) {
            if self.closing.load(Ordering::Acquire) {
                return;
            }
            outcome = back;
            std::thread::sleep(BEHIND);
        }
    }
}

impl Drop for Worker {
    /// A bug must not end the thread in silence either: the driver would wait for ever.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.send(Err(self.store.stopped()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{GatewayId, Site, UnixMillis};

    #[test]
    fn a_panic_is_a_result_too() {
        let folder = tempfile::TempDir::new().unwrap();
        let site = Site::new("home").unwrap();
        let store = Store::open(folder.path(), &site, GatewayId(1), UnixMillis(1), 1).unwrap().0;
        let (results, mut stored) = outbox::channel(1);
        let closing = Arc::new(AtomicBool::new(false));
        let worker = Worker { store, waiting: mpsc::channel().1, results, closing };
        let thread = std::thread::spawn(move || {
            let _worker = worker;
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(matches!(stored.blocking_recv(), Some(Err(StoreError::Stopped { .. }))));
    }
}
