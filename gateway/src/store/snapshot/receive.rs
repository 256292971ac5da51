//! Receives a snapshot, piece by piece, and looks at the whole before it is installed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gateway_core::house::House;
use gateway_core::snapshots::{Chunk, Report, SnapshotId};
use hearth_storage::create_private;
use rusqlite::{Connection, OpenFlags};

use super::{Snapshots, Way, check_of, hash_of};
use crate::store::open::REPLICATED;
use crate::store::read::unsigned;
use crate::store::{recover, sums};

/// What has come so far.
pub(super) struct Receiver {
    files: Snapshots,
    closing: Arc<AtomicBool>,
    held: Option<Held>,
}

struct Held {
    id: SnapshotId,
    path: PathBuf,
    file: File,
    length: u64,
}

impl Receiver {
    pub(super) fn new(files: Snapshots, closing: Arc<AtomicBool>) -> Self {
        Self { files, closing, held: None }
    }

    /// Finds what an earlier life has received.
    pub(super) fn resume(&mut self) -> Report {
        let found = self.files.only(Way::In, |id, length| length <= id.bytes);
        let held = found.and_then(|found| {
            let open = |(id, path): (SnapshotId, PathBuf)| -> io::Result<Held> {
                let file = OpenOptions::new().append(true).open(&path)?;
                Ok(Held { id, length: file.metadata()?.len(), path, file })
            };
            found.map(open).transpose()
        });
        match held {
            Ok(held) => self.held = held,
            Err(cause) => return self.failed(&cause.to_string()),
        }
        self.report()
    }

    /// Appends a chunk, if it is whole and the next one.
    pub(super) fn take(&mut self, chunk: &Chunk) -> Report {
        if check_of(&chunk.bytes) != chunk.check {
            tracing::warn!("a chunk of a snapshot was damaged on its way");
            return self.report();
        }
        match self.append(chunk) {
            Ok(()) => self.report(),
            Err(cause) => self.failed(&cause.to_string()),
        }
    }

    /// Whether all that has come is what it should be.
    pub(super) fn check(&mut self, id: SnapshotId) -> Report {
        let Some(held) = self.held.as_ref().filter(|held| held.id == id) else {
            return self.report();
        };
        let path = held.path.clone();
        let synced = held.file.sync_all().map_err(|cause| cause.to_string());
        match synced.and_then(|()| self.look_into(&path, &id)) {
            Ok(house) => Report::Sound(id, Box::new(house)),
            Err(why) => self.failed(&why),
        }
    }

    pub(super) fn discard(&mut self) {
        self.held = None;
        if let Err(cause) = self.files.only(Way::In, |_, _| false) {
            tracing::warn!("a snapshot that was received cannot be deleted: {cause}");
        }
    }

    fn append(&mut self, chunk: &Chunk) -> io::Result<()> {
        let known = self.held.as_ref().is_some_and(|held| held.id == chunk.id);
        if !known && chunk.offset == 0 {
            self.held = None;
            self.files.only(Way::In, |_, _| false)?;
            let path = self.files.path(Way::In, &chunk.id);
            let file = create_private(&path)?;
            self.held = Some(Held { id: chunk.id, path, file, length: 0 });
        }
        let next = |held: &&mut Held| held.id == chunk.id && held.length == chunk.offset;
        if let Some(held) = self.held.as_mut().filter(next) {
            held.file.write_all(&chunk.bytes)?;
            held.length += chunk.bytes.len() as u64;
        }
        Ok(())
    }

    fn look_into(&self, path: &Path, id: &SnapshotId) -> Result<House, String> {
        let go_on = || !self.closing.load(Ordering::Acquire);
        let hash = hash_of(path, go_on).map_err(|cause| cause.to_string())?;
        if hash != id.hash {
            return Err("it is not what was sent".into());
        }
        let connection = self.open(path).map_err(|cause| cause.to_string())?;
        let number = |sql| connection.query_row(sql, [], |row| unsigned(row, 0));
        let version = number("PRAGMA user_version").map_err(|cause| cause.to_string())?;
        if version != u64::from(REPLICATED.0) {
            return Err(format!("it has version {version}, and this program reads {REPLICATED}"));
        }
        self.inside(&connection, id)
    }

    fn open(&self, path: &Path) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        sums::teach(&connection)?;
        let closing = Arc::clone(&self.closing);
        connection.progress_handler(10_000, Some(move || closing.load(Ordering::Acquire)))?;
        Ok(connection)
    }

    fn inside(&self, connection: &Connection, id: &SnapshotId) -> Result<House, String> {
        let said = |cause: rusqlite::Error| cause.to_string();
        let text = |sql| connection.query_row(sql, [], |row| row.get::<_, String>(0));
        let found = text("PRAGMA integrity_check(1)").map_err(said)?;
        if found != "ok" {
            return Err(format!("it is damaged: {found}"));
        }
        sums::check(connection).map_err(said)?;
        // The installation does not look at references again.
        let mut dangling = connection.prepare("PRAGMA foreign_key_check").map_err(said)?;
        if dangling.exists([]).map_err(said)? {
            return Err("rows in it refer to rows that are not there".into());
        }
        let site = text("SELECT site FROM replica").map_err(said)?;
        if site != self.files.site.as_str() {
            return Err(format!("it is of site {site:?}"));
        }
        let applied = recover::applied(connection).map_err(said)?;
        if applied != id.slot {
            return Err(format!("it is of slot {applied} and was said to be of {}", id.slot));
        }
        recover::house(connection).map_err(said)
    }

    fn report(&self) -> Report {
        Report::Held(self.held.as_ref().map(|held| (held.id, held.length)))
    }

    fn failed(&mut self, why: &str) -> Report {
        self.discard();
        Report::Failed(why.to_owned())
    }
}
