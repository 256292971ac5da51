//! The one thread that writes.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::desk::{Desk, Work, without_pointless};
use super::file::File;
use super::{Everything, StoreError};
use crate::core::{Keep, Lasting};
use crate::message::{Message, Moment};
use crate::protocol::Filter;

/// Flags of a subscription's options.
pub(super) const NO_LOCAL: u8 = 1;
pub(super) const RETAIN_AS_PUBLISHED: u8 = 2;

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
                self.failed(StoreError::of(&self.file.path, cause));
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
            "DELETE FROM retained; DELETE FROM sessions; DELETE FROM subscriptions",
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
    fn failed(&mut self, error: StoreError) {
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
            let error = StoreError::of(&self.file.path, cause);
            tracing::error!("{error}; what changed last is lost with this life of the broker");
        }
    }
}

/// Tells instants of the broker's own time in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
struct Clock {
    now: Moment,
    unix: i64,
}

impl Clock {
    /// The present is about `now`. The wall clock is read for every transaction, so one that was set right meanwhile
    /// does no lasting harm.
    fn at(now: Moment) -> Self {
        Self { now, unix: unix_millis() }
    }

    fn wall(self, at: Moment) -> i64 {
        let millis = |moment: Moment| i64::try_from(moment.0.as_millis()).unwrap_or(i64::MAX);
        self.unix.saturating_add(millis(at).saturating_sub(millis(self.now)))
    }
}

pub(super) fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn apply(connection: &Connection, site: &str, clock: Clock, change: &Keep) -> rusqlite::Result<()> {
    match change {
        Keep::Retained(message) => retain(connection, clock, message),
        Keep::Cleared(topic) => {
            execute(connection, "DELETE FROM retained WHERE topic = ?1", [topic])
        }
        Keep::Session(lasting) => session(connection, clock, lasting),
        Keep::SessionEnded(client) => {
            execute(connection, "DELETE FROM subscriptions WHERE client = ?1", [client])?;
            execute(connection, "DELETE FROM sessions WHERE client = ?1", [client])
        }
        Keep::Subscribed(client, filter, id) => subscribe(connection, client, filter, *id),
        Keep::Unsubscribed(client, filter) => {
            let sql = "DELETE FROM subscriptions WHERE client = ?1 AND filter = ?2";
            execute(connection, sql, params![client, filter])
        }
        Keep::Gateways => execute(connection, "UPDATE broker SET gateways = ?1", [site]),
    }
}

fn retain(connection: &Connection, clock: Clock, message: &Message) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO retained (topic, payload, qos, properties, expires)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    let Message { topic, payload, qos, properties, expires, .. } = message;
    let expires = expires.map(|at| clock.wall(at));
    execute(connection, sql, params![topic, &payload[..], *qos as u8, &properties[..], expires])
}

fn session(connection: &Connection, clock: Clock, lasting: &Lasting) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO sessions (client, expiry, ends) VALUES (?1, ?2, ?3)";
    let ends = lasting.ends_at.map(|at| clock.wall(at));
    execute(connection, sql, params![lasting.client, lasting.expiry, ends])
}

fn subscribe(
    connection: &Connection,
    client: &str,
    filter: &Filter,
    id: Option<u32>,
) -> rusqlite::Result<()> {
    // An update keeps the place among the others.
    let sql = "INSERT INTO subscriptions (client, filter, qos, options, identifier)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET qos = ?3, options = ?4, identifier = ?5";
    let no_local = if filter.no_local { NO_LOCAL } else { 0 };
    let as_published = if filter.retain_as_published { RETAIN_AS_PUBLISHED } else { 0 };
    let options = no_local | as_published;
    execute(connection, sql, params![client, filter.path, filter.qos as u8, options, id])
}

fn execute(
    connection: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(values).map(drop)
}
