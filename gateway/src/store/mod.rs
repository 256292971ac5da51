//! The store: a replica's memory on disk, in one SQLite file with one writer.
//!
//! ```text
//!   driver ──Step──▶ StoreThread ──absorbs what waits──▶ Store::commit ──▶ gateway-<id>.db
//!      ▲                                                   one transaction, fsync
//!      └──────────────── Stored: messages, rows, reads ◀───────┘
//! ```
//!
//! Records and changes are written as they come; what they mean is decided in `gateway-core`. The
//! store never goes on after a failed write: what SQLite or the kernel hold in memory is then not
//! what is on disk, and only a new start reads what is.

mod disk;
mod error;
mod life;
mod log;
mod open;
mod read;
mod recover;
mod recovery;
mod snapshot;
mod sums;
mod survey;
mod text;
mod thread;
mod totals;
mod write;

pub use disk::{Disk, Doubt, Found};
pub use error::StoreError;
pub use recovery::Recovery;
pub use snapshot::{SnapshotThread, Snapshots, spawn as spawn_snapshots};
pub use survey::{SurveyThread, spawn as spawn_survey};
pub use thread::{Refused, StoreThread, spawn};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gateway_core::Write;
use gateway_core::event::Stored;
use gateway_core::house::{House, StatusRow};
use gateway_core::settings::File;
use gateway_core::snapshots::SnapshotId;
use gateway_core::witness::Witness;
use hearth_storage::{Fault, Lock};
use paxos::{Record, ReplicaId, Slot};
use rusqlite::{Connection, TransactionBehavior};
use wire::{Digest, GatewayId, Site, SiteGeneration, UnixMillis, Written};

use crate::inspect;
use life::Keeper;
pub(crate) use open::FORMAT;
use snapshot::Shared;
use text::HouseValues;
use totals::Running;

/// What one commit, or one task of the snapshots, gives the driver.
pub type Outcome = Result<Vec<Stored>, StoreError>;

/// Slots that one commit trims at most. It writes fewer as a rule, so the log never grows past its
/// bound, and an old file that was never trimmed comes there without a long commit.
const TRIM: u64 = 256;

/// A replica's file, open for writing.
#[derive(Debug)]
pub struct Store {
    // Dropped in this order: the lock outlives the last write.
    connection: Connection,
    keeper: Keeper,
    /// How many commits there were in this file.
    age: u64,
    /// The age that the gateway knows.
    told: u64,
    /// The slot up to which the tables are applied, if the gateway does not know their sums at it.
    applied: Option<Slot>,
    totals: Running,
    path: PathBuf,
    /// How far everything is chosen; what is in the file may lag behind.
    chosen: Slot,
    chosen_on_disk: Slot,
    /// What table `house` holds; empty while that is not known.
    house: HouseValues,
    wal_pages: Arc<AtomicUsize>,
    /// Length of the write-ahead log below which a checkpoint is not worth trying again.
    retry_at: usize,
    /// The lowest slot that the log may hold.
    log_from: Slot,
    snapshots: Snapshots,
    failed: bool,
    _lock: Lock,
}

/// What a replica finds in its file when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The house, as its last applied entry left it.
    pub house: House,
    /// That entry's slot.
    pub applied: Slot,
    /// Number of this life of the gateway, greater than that of every earlier one.
    pub incarnation: u64,
    /// What tells this file from every other, also from a copy of it.
    pub disk: Disk,
    /// Which life this is of the file, and how old it found it.
    pub file: File,
    /// Of which generation of the site it is.
    pub generation: SiteGeneration,
    /// What is remembered of the other gateways' files.
    pub witnesses: BTreeMap<ReplicaId, Witness>,
    /// What Paxos starts again from.
    pub paxos: paxos::Recovered,
}

/// When a checkpoint moves the write-ahead log into the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checkpoint {
    /// Nobody waits: from 1 MiB of log (256 pages) on, about 30 commits.
    Idle,
    /// However busy it is: from 16 MiB on, so that the log neither fills the disk nor takes long
    /// to read at the next start.
    Busy,
}

impl Store {
    /// Opens a replica's file in `data_dir`, or makes both, and reads what it holds: of the log,
    /// all that is not applied and at least the last `log_window` chosen slots.
    ///
    /// # Errors
    /// When the folder or the file cannot be used; the text says which, why, and what to do.
    pub fn open(
        data_dir: &Path,
        site: &Site,
        gateway: GatewayId,
        now: UnixMillis,
        log_window: u64,
    ) -> Result<(Self, Recovered), StoreError> {
        let lock = FORMAT.lock(&data_dir.join(format!("gateway-{gateway}.lock")))?;
        let path = inspect::file(data_dir, gateway.0);
        let opened = open::open(&path, site, gateway, now)?;
        let recovered = recover(&opened, log_window).map_err(|cause| FORMAT.error(&path, cause))?;
        let open::Opened { connection, keeper, age, totals, wal_pages, .. } = opened;
        let (chosen, applied) = (recovered.paxos.chosen, recovered.applied);
        let first = log::first(&connection).map_err(|cause| FORMAT.error(&path, cause))?;
        let store = Self {
            connection,
            keeper,
            age,
            told: age,
            applied: None,
            totals,
            path,
            chosen,
            chosen_on_disk: chosen,
            house: HouseValues::new(),
            wal_pages,
            retry_at: 0,
            log_from: first.unwrap_or(applied.next()),
            snapshots: Snapshots {
                folder: data_dir.to_owned(),
                gateway,
                site: site.clone(),
                log_keep: u64::MAX,
                shared: Arc::new(Shared::new(applied)),
            },
            failed: false,
            _lock: lock,
        };
        Ok((store, recovered))
    }

    /// Takes an operator's word that a file which has lost its number is the newest one, and
    /// not running anywhere else. Gives the file its number back, unless another one has its vote.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn trust(&mut self, disk: Disk) -> Result<Disk, StoreError> {
        let gateway = self.snapshots.gateway;
        let trusted = self.in_transaction(|file| disk::trust(file, gateway, disk));
        trusted.map_err(|cause| self.fail(cause))
    }

    /// Gives the file's number up for a new one, because another gateway remembers a later state of the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn renounce(&mut self, disk: Disk) -> Result<Disk, StoreError> {
        let renounced = self.in_transaction(|file| disk::renounce(file, disk));
        renounced.map_err(|cause| self.fail(cause))
    }

    /// Makes this replica the only voter of a new generation of its site: the others are lost for ever.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn stand_alone(&mut self, now: UnixMillis) -> Result<Recovery, StoreError> {
        let gateway = self.snapshots.gateway;
        let done = self.in_transaction(|file| recovery::stand_alone(file, gateway, now));
        done.map_err(|cause| self.fail(cause))
    }

    /// Writes of which generation of the site this file is, which was blank.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn adopt(&mut self, generation: SiteGeneration, now: UnixMillis) -> Result<(), StoreError> {
        let done = self.in_transaction(|file| recovery::write(file, generation, now, ""));
        done.map_err(|cause| self.fail(cause))
    }

    /// Writes something of this replica's own, outside of any commit.
    fn in_transaction<T>(
        &mut self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.in_transaction_of_age(self.age + 1, write)
    }

    fn in_transaction_of_age<T>(
        &mut self,
        age: u64,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = write(&transaction)?;
        write::life(&transaction, age, &self.totals.text())?;
        transaction.commit()?;
        self.age = age;
        self.keeper.aged(age);
        Ok(written)
    }

    /// From now on trims the log: so many applied slots stay. Without it, all stay.
    pub fn keep_log(&mut self, slots: u64) {
        self.snapshots.log_keep = slots;
    }

    /// Where its snapshots are, and the lowest slot that its log may hold.
    fn snapshots(&self) -> (Snapshots, Slot) {
        (self.snapshots.clone(), self.log_from)
    }

    /// Writes everything in one transaction, returns once that is on disk, and gives the rows of
    /// the changes (if there are any), then what was to be read.
    ///
    /// How far everything is chosen forces no transaction by itself; it is written with the next.
    ///
    /// # Errors
    /// When anything could not be written or read, or contradicts itself. Nothing of it is written then, or all of it,
    /// and this store refuses every further call.
    pub fn commit(&mut self, write: Write<'_>) -> Result<Vec<Stored>, StoreError> {
        if self.failed {
            return Err(self.stopped());
        }
        if let Some(detail) = self.contradiction(&write) {
            self.failed = true;
            return Err(FORMAT.refuse(&self.path, Fault::Contradiction(detail)).into());
        }
        let stored = self.write_and_read(&write);
        stored.map_err(|cause| self.fail(cause))
    }

    fn write_and_read(&mut self, write: &Write<'_>) -> rusqlite::Result<Vec<Stored>> {
        self.chosen = write.records.iter().filter_map(chosen).fold(self.chosen, Slot::max);
        let rows = match &write.install {
            Some(id) => self.install(id, write)?,
            None if needs_transaction(write) => self.transact(write)?,
            None if !write.witnesses.is_empty() => {
                self.in_transaction_of_age(self.age, |file| {
                    write::witnesses(file, write.witnesses)
                })?;
                Vec::new()
            }
            None => Vec::new(),
        };
        let rows = (!rows.is_empty()).then_some(Stored::Rows(rows)).map(Ok);
        let reads = write.reads.iter();
        let reads = reads.map(|read| read::answer(&self.connection, read, self.chosen));
        self.applied = write.applied.or(self.applied);
        rows.into_iter().chain(reads).collect()
    }

    /// What the gateway must know of the file itself since it was told last.
    fn news(&mut self) -> Vec<Stored> {
        let aged = std::mem::replace(&mut self.told, self.age) != self.age;
        let tables = self.applied.take().map(|slot| {
            let (slot, digest) = (slot.0, Digest(self.totals.digest()));
            Stored::Tables(Written { slot, digest, layout: open::REPLICATED.0 })
        });
        aged.then_some(Stored::Aged(self.age)).into_iter().chain(tables).collect()
    }

    /// What the caller asks for and must not.
    fn contradiction(&self, write: &Write<'_>) -> Option<String> {
        let installed = write.records.iter().filter_map(installed).max();
        let chosen = write.records.iter().filter_map(chosen).max().max(Some(self.chosen));
        if write.applied > chosen {
            return Some(format!("slot {:?} is applied before it is chosen", write.applied));
        }
        if installed.is_some() && write.applied < installed {
            return Some(format!("a snapshot is installed and not applied, {installed:?}"));
        }
        let handed = write.install.map(|id| id.slot);
        (installed != handed)
            .then(|| format!("Paxos installs {installed:?}, and the snapshot is of {handed:?}"))
    }

    /// A transaction with a snapshot in it. Afterwards its pages are moved into the file at once:
    /// the write-ahead log has grown by all of it, and would stay that long.
    fn install(&mut self, id: &SnapshotId, write: &Write<'_>) -> rusqlite::Result<Vec<StatusRow>> {
        snapshot::attach(&self.connection, &self.snapshots, id)?;
        let rows = self.transact(write)?;
        snapshot::detach(&self.connection)?;
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        moved.map(|()| rows)
    }

    fn transact(&mut self, write: &Write<'_>) -> rusqlite::Result<Vec<StatusRow>> {
        // Immediate would lock a snapshot that is attached, too.
        let behavior = match write.install {
            Some(_) => TransactionBehavior::Deferred,
            None => TransactionBehavior::Immediate,
        };
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        write::records(&transaction, write.records)?;
        write::witnesses(&transaction, write.witnesses)?;
        if let Some(id) = &write.install {
            snapshot::install(&transaction)?;
            self.house.clear();
            self.log_from = self.log_from.max(id.slot.next());
        }
        if self.chosen > self.chosen_on_disk {
            log::choose(&transaction, self.chosen)?;
        }
        let rows = write::changes(&transaction, write.changes, &mut self.house)?;
        if let Some(slot) = write.applied {
            write::applied(&transaction, slot)?;
            let old = Slot(slot.0.saturating_sub(self.snapshots.log_keep));
            let to = old.min(self.snapshots.shared.pinned());
            if to >= self.log_from {
                let to = to.min(Slot(self.log_from.0 + TRIM - 1));
                log::trim(&transaction, to)?;
                self.log_from = to.next();
            }
        }
        let age = self.age + 1;
        write::life(&transaction, age, &self.totals.text())?;
        transaction.commit()?;
        self.age = age;
        self.keeper.aged(age);
        if let Some(slot) = write.applied {
            self.snapshots.shared.set_applied(slot);
        }
        self.chosen_on_disk = self.chosen;
        Ok(rows)
    }

    /// Whether the write-ahead log is long enough for this kind of checkpoint.
    fn wants(&self, when: Checkpoint) -> bool {
        let least = match when {
            Checkpoint::Idle => 256,
            Checkpoint::Busy => 4096,
        };
        self.wal_pages.load(Ordering::Relaxed) >= self.retry_at.max(least)
    }

    /// Moves the write-ahead log into the file, as far as no reader stands in the way.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        let moved = self
            .connection
            .query_row(sql, [], |row| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)));
        let (log, moved) = moved.map_err(|cause| self.fail(cause))?;
        let pages = self.wal_pages.load(Ordering::Relaxed);
        if log == moved {
            // The next commit begins the log anew, and says how long it is.
            self.wal_pages.store(0, Ordering::Relaxed);
            self.retry_at = 0;
        } else {
            // Someone reads an old state. Trying again at every commit would only cost time.
            self.retry_at = pages + 256;
        }
        Ok(())
    }

    fn stopped(&self) -> StoreError {
        StoreError::Stopped { path: self.path.clone() }
    }

    fn fail(&mut self, cause: rusqlite::Error) -> StoreError {
        self.failed = true;
        FORMAT.error(&self.path, cause).into()
    }
}

fn recover(opened: &open::Opened, log_window: u64) -> rusqlite::Result<Recovered> {
    let paxos = recover::paxos(&opened.connection, log_window)?;
    Ok(Recovered {
        house: recover::house(&opened.connection)?,
        applied: paxos.applied,
        incarnation: opened.incarnation,
        disk: opened.disk,
        file: File { life: opened.life, found: opened.age, trusted: false },
        generation: recovery::generation(&opened.connection)?,
        witnesses: recover::witnesses(&opened.connection)?,
        paxos,
    })
}

/// How far a record says that everything is chosen.
fn chosen(record: &Record) -> Option<Slot> {
    match record {
        Record::Chosen(slot) | Record::Installed(slot) => Some(*slot),
        Record::Promised(_) | Record::Founded(_) | Record::Accepted { .. } => None,
    }
}

/// Up to where a snapshot takes the place of everything before it.
fn installed(record: &Record) -> Option<Slot> {
    if let Record::Installed(slot) = record { Some(*slot) } else { None }
}

fn needs_transaction(write: &Write<'_>) -> bool {
    let fact = |record: &Record| !matches!(record, Record::Chosen(_));
    write.applied.is_some() || !write.changes.is_empty() || write.records.iter().any(fact)
}

#[cfg(test)]
mod tests;
