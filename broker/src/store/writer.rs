//! The one thread that writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Transaction, TransactionBehavior};

use super::Everything;
use super::apply::{Clock, apply, unix_millis};
use super::desk::{Desk, Work, without_pointless};
use super::file::{FORMAT, File};
use broker_core::Keep;

/// How long a commit may lie in the system's memory only. 1 s: what a power failure takes is little, and a small
/// box's flash is not worn out by it.
const SYNC: Duration = Duration::from_secs(1);
/// The pause before a file that could not be written is tried again; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often expired messages are cleared away. 60 s: they only take space.
const TIDY: Duration = Duration::from_secs(60);

/// What the thread works with.
pub(super) struct Writer {
    file: File,
    desk: Arc<Desk>,
    everything: Everything,
    /// When what was committed has to be on disk.
    sync_at: Option<Instant>,
    tidy_at: Instant,
    /// While the file cannot be written: when to try again, and the pause after that.
    again: Option<(Instant, Duration)>,
}

impl Writer {
    pub(super) fn new(file: File, desk: Arc<Desk>, everything: Everything) -> Self {
        let tidy_at = Instant::now() + TIDY;
        // What was cleared away while reading is not on disk yet.
        let sync_at = Some(Instant::now() + SYNC);
        Self { file, desk, everything, sync_at, tidy_at, again: None }
    }

    /// Writes until the desk is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            let until = self.again.map(|(at, _)| at).or(self.sync_at);
            let written = match self.desk.take(until, self.again.is_some()) {
                Work::Changes(changes, now) => self.write(changes, Clock::at(now)),
                Work::Everything => self.write_everything(),
                Work::Sync => self.sync(),
                Work::Closed { complete } => return self.farewell(complete),
            };
            if let Err(cause) = written {
                self.failed(FORMAT.error(&self.file.path, cause));
            }
        }
    }

    fn write(&mut self, mut changes: Vec<Keep>, clock: Clock) -> rusqlite::Result<()> {
        without_pointless(&mut changes);
        let transaction = self.begin()?;
        for change in &changes {
            apply(&transaction, &self.file.site, clock, change)?;
        }
        transaction.commit()?;
        if self.sync_at.is_none() {
            self.sync_at = Some(Instant::now() + SYNC);
        }
        // That there are gateways decides whom the next life believes, so it is on disk at once.
        if changes.iter().any(|change| matches!(change, Keep::Gateways)) {
            self.sync()?;
        }
        if self.sync_at.is_some_and(|at| at <= Instant::now()) {
            self.sync()?;
        }
        Ok(())
    }

    fn write_everything(&mut self) -> rusqlite::Result<()> {
        let changes = (self.everything)();
        let clock = Clock::at(self.desk.now());
        let transaction = self.begin()?;
        transaction.execute_batch(
            "DELETE FROM retained; DELETE FROM sessions; DELETE FROM subscriptions; DELETE FROM waiting; DELETE FROM wills",
        )?;
        for change in &changes {
            apply(&transaction, &self.file.site, clock, change)?;
        }
        transaction.commit()?;
        self.sync()?;
        if self.again.take().is_some() {
            tracing::warn!(file = %self.file.path.display(), "the broker's file can be written again; nothing is missing in it");
        }
        self.desk.recovered();
        Ok(())
    }

    fn begin(&self) -> rusqlite::Result<Transaction<'_>> {
        Transaction::new_unchecked(&self.file.connection, TransactionBehavior::Immediate)
    }

    fn sync(&mut self) -> rusqlite::Result<()> {
        self.sync_at = None;
        if self.tidy_at <= Instant::now() {
            self.tidy_at = Instant::now() + TIDY;
            let sql = "DELETE FROM retained WHERE expires <= ?1";
            self.file.connection.execute(sql, [unix_millis()])?;
        }
        self.file.checkpoint()
    }

    /// Says so once; the changes that could not be written are made good later by writing everything.
    fn failed(&mut self, error: hearth_storage::Error) {
        let pause = match self.again {
            Some((_, pause)) => LONGEST_PAUSE.min(pause * 2),
            None => {
                tracing::error!(
                    "{error}; the broker serves on, but what changes from now on would be lost with it; it tries again until \
                     the file can be written"
                );
                FIRST_PAUSE
            }
        };
        self.sync_at = None;
        self.again = Some((Instant::now() + pause, pause));
        self.desk.give_up(error.to_string());
    }

    /// A last try, if something is missing; and nothing is left in the write-ahead log.
    fn farewell(mut self, complete: bool) {
        let written = if complete { Ok(()) } else { self.write_everything() };
        let moved = written.and_then(|()| {
            self.file.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        });
        if let Err(cause) = moved {
            let error = FORMAT.error(&self.file.path, cause);
            tracing::error!("{error}; what changed last is lost with this life of the broker");
        }
    }
}
