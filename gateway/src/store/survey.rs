//! Looks at the rows of a replica's file while it runs, slowly and on a connection of its own.
//!
//! The totals that every commit writes tell what the rows of each table must sum up to ([`totals`]); a row that an
//! older state of itself has taken the place of fits its own sum, and not the total. Every few minutes, and whenever
//! somebody asks, all rows are read and compared with the totals at one slot. The totals themselves are compared with
//! the other replicas' by heartbeats, so all tables of all replicas are compared all the time, for the price of one
//! slow read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway_core::event::Stored;
use gateway_core::id::Ticket;
use gateway_core::survey::{BUCKETS, Part, Survey, Surveyed};
use rusqlite::{Connection, OpenFlags, Row};
use tokio::sync::mpsc as outbox;

use super::{Outcome, Store, StoreError, recover, sums, totals};
use crate::inspect::{Fnv, LOCAL_TABLES};
use crate::store::FORMAT;

/// Between two looks at everything that nobody asks for.
const EVERY: Duration = Duration::from_secs(300);

/// Rows that are read without a pause, about a millisecond of work.
const ROWS_AT_ONCE: u64 = 1000;

/// The pause: a look takes a tenth of a core at most.
const PAUSE: Duration = Duration::from_millis(10);

/// Questions that wait; each takes as long as the file is large.
const WAITING: usize = 8;

/// The thread. Dropping it ends a look early.
#[derive(Debug)]
pub struct SurveyThread {
    /// None only while it is dropped.
    questions: Option<SyncSender<(Survey, Ticket)>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread for a store's file.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(store: &Store, results: outbox::Sender<Outcome>) -> Result<SurveyThread, StoreError> {
    let (questions, waiting) = mpsc::sync_channel(WAITING);
    let closing = Arc::new(AtomicBool::new(false));
    let looker = Looker { path: store.path.clone(), closing: Arc::clone(&closing) };
    let thread = std::thread::Builder::new().name("survey".into());
    let thread = thread.spawn(move || run(&looker, &waiting, &results));
    let thread = thread.map_err(StoreError::Thread)?;
    Ok(SurveyThread { questions: Some(questions), closing, thread: Some(thread) })
}

impl SurveyThread {
    /// Asks for a look; false when too many wait. It never waits.
    pub fn ask(&self, survey: Survey, ticket: Ticket) -> bool {
        self.questions.as_ref().is_some_and(|all| all.try_send((survey, ticket)).is_ok())
    }
}

impl Drop for SurveyThread {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        drop(self.questions.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been reported on its own thread already.
            drop(thread.join());
        }
    }
}

fn run(looker: &Looker, waiting: &Receiver<(Survey, Ticket)>, results: &outbox::Sender<Outcome>) {
    loop {
        let (survey, ticket) = match waiting.recv_timeout(EVERY) {
            Ok((survey, ticket)) => (survey, Some(ticket)),
            Err(RecvTimeoutError::Timeout) => (Survey::All, None),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let outcome = match looker.look(&survey) {
            Ok(None) => return,
            Ok(Some(found)) => Ok(vec![Stored::Surveyed(found, ticket)]),
            Err(cause) => Err(FORMAT.error(&looker.path, cause).into()),
        };
        if results.blocking_send(outcome).is_err() {
            return;
        }
    }
}

struct Looker {
    path: PathBuf,
    closing: Arc<AtomicBool>,
}

impl Looker {
    /// None when the thread is to end.
    fn look(&self, survey: &Survey) -> rusqlite::Result<Option<Surveyed>> {
        let mut connection = connect(&self.path)?;
        // One state of the file, while commits go on.
        let file = connection.transaction()?;
        let slot = recover::applied(&file)?;
        let tables = sums::tables(&file)?;
        let tables = tables.into_iter().filter(|table| !LOCAL_TABLES.contains(&table.as_str()));
        let mut found = Surveyed { slot, parts: Vec::new(), damage: None };
        for table in tables {
            let mut parts = Parts::new(survey, &table);
            if parts.is_asked() && !self.read(&file, &table, &mut parts, &mut found)? {
                return Ok(None);
            }
            found.parts.extend(parts.into_parts());
        }
        if *survey == Survey::All && found.damage.is_none() {
            found.damage = compare(&file, &found.parts)?;
        }
        Ok(Some(found))
    }

    /// Reads a table, some rows at a time; false when the thread is to end.
    fn read(
        &self,
        file: &Connection,
        table: &str,
        parts: &mut Parts,
        found: &mut Surveyed,
    ) -> rusqlite::Result<bool> {
        let keys = sums::keys(file, table)?;
        let columns = sums::columns(file, table)?.join(", ");
        let key = keys.join(" || '/' || ");
        let sql = format!("SELECT sum, sum IS hearth_sum({columns}), {key} FROM \"{table}\"");
        let mut statement = file.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut read = 0_u64;
        while let Some(row) = rows.next()? {
            read += 1;
            if read.is_multiple_of(ROWS_AT_ONCE) {
                std::thread::sleep(PAUSE);
                if self.closing.load(Ordering::Acquire) {
                    return Ok(false);
                }
            }
            let key = key_of(row)?;
            if !row.get::<_, bool>(1)? {
                found.damage = Some(format!("row {key} of table {table} is not as written"));
            }
            parts.add(key, row.get::<_, i64>(0)?.cast_unsigned());
        }
        Ok(true)
    }
}

/// The key of a row as text; a number alone is not one.
fn key_of(row: &Row<'_>) -> rusqlite::Result<String> {
    Ok(match row.get_ref(2)? {
        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
        other => other.as_str()?.to_owned(),
    })
}

/// What of a table was asked for, added up.
enum Parts {
    None,
    Whole(Part),
    Buckets(Vec<Part>),
    Rows(u8, Vec<Part>),
}

impl Parts {
    fn new(survey: &Survey, table: &str) -> Self {
        let empty = |name: String| Part { name, rows: 0, sum: 0 };
        match survey {
            Survey::All => Self::Whole(empty(table.to_owned())),
            Survey::Table(of) if of == table => {
                Self::Buckets((0..BUCKETS).map(|bucket| empty(bucket.to_string())).collect())
            }
            Survey::Bucket(of, bucket) if of == table => Self::Rows(*bucket, Vec::new()),
            Survey::Table(_) | Survey::Bucket(..) => Self::None,
        }
    }

    fn is_asked(&self) -> bool {
        !matches!(self, Self::None)
    }

    fn add(&mut self, key: String, sum: u64) {
        let grow = |part: &mut Part| {
            part.rows += 1;
            part.sum = part.sum.wrapping_add(sum);
        };
        match self {
            Self::None => {}
            Self::Whole(part) => grow(part),
            Self::Buckets(parts) => grow(&mut parts[usize::from(bucket_of(&key))]),
            // An answer has to fit into a packet: a bucket of a million rows has four thousand.
            Self::Rows(bucket, parts) if bucket_of(&key) == *bucket && parts.len() < 8192 => {
                parts.push(Part { name: key, rows: 1, sum });
            }
            Self::Rows(..) => {}
        }
    }

    fn into_parts(self) -> Vec<Part> {
        match self {
            Self::None => Vec::new(),
            Self::Whole(part) => vec![part],
            Self::Buckets(parts) | Self::Rows(_, parts) => parts,
        }
    }
}

fn bucket_of(key: &str) -> u8 {
    let mut hash = Fnv::new();
    hash.add(key.as_bytes());
    hash.0.to_le_bytes()[7]
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    sums::teach(&connection)?;
    Ok(connection)
}

/// Compares rows with what was written, and says which rows seem to be older ones.
fn compare(file: &Connection, parts: &[Part]) -> rusqlite::Result<Option<String>> {
    let Some(written) = totals::read(file)? else { return Ok(None) };
    let differs = |part: &&Part| written.get(&part.name).is_some_and(|total| *total != part.sum);
    let Some(part) = parts.iter().find(differs) else { return Ok(None) };
    totals::differ(file, &part.name).map(Some)
}
