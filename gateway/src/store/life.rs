//! The life file: `gateway-<id>.life`, beside the database, of which it tells what its last life left.
//!
//! A copy of the database that is put back brings its own rows along, and the same inode if it was written over the
//! file. It does not bring this file. The two belong together if both have the same mark, which is random and new in
//! every life, and if the database is not younger than it was when this file was written last: at each start and stop,
//! and every second while the database changes.
//!
//! ```text
//!  start   life file: mark 1, next 2 ──▶ database: mark 2 ──▶ life file: mark 2
//!  later   life file: mark 2, age 70 ──▶ … age 91 ──▶ … age 140
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use hearth_storage::{Facts, SideFile};

use super::StoreError;
use super::open::FORMAT;

/// What the last life left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Life {
    /// The mark that its database has.
    pub(super) mark: u64,
    /// The mark that its database may have instead: that of a life which had just begun.
    pub(super) next: Option<u64>,
    /// The age that its database has at least.
    pub(super) age: u64,
    /// Where it was.
    pub(super) place: Place,
}

/// A folder on a machine. What could not be found out is as good as equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    machine: Option<String>,
    folder: Option<PathBuf>,
}

/// The life file of a database.
#[derive(Clone, Debug)]
pub(super) struct LifeFile(SideFile);

/// How often the file follows the age of the database. A copy of the database that was made less than so long before
/// the process was killed, and is put back, is not recognised by this file.
const EVERY: Duration = Duration::from_secs(1);

/// Keeps the life file up to date. Dropping it writes the last age.
#[derive(Debug)]
pub(super) struct Keeper {
    age: Arc<AtomicU64>,
    /// None only while it is dropped.
    open: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Life {
    fn facts(&self) -> Facts {
        let number = |number: u64| format!("{number:014x}");
        let mut facts = Facts::from([
            ("mark".to_owned(), number(self.mark)),
            ("age".to_owned(), self.age.to_string()),
        ]);
        facts.extend(self.next.map(|next| ("next".to_owned(), number(next))));
        facts.extend(self.place.machine.clone().map(|id| ("machine".to_owned(), id)));
        let folder = self.place.folder.as_ref().and_then(|folder| folder.to_str());
        facts.extend(folder.map(|folder| ("folder".to_owned(), folder.to_owned())));
        facts
    }

    /// None when something is missing or no number: then it was not written by us.
    fn of(facts: &Facts) -> Option<Self> {
        let number = |name: &str| u64::from_str_radix(facts.get(name)?, 16).ok();
        Some(Self {
            mark: number("mark")?,
            next: number("next"),
            age: facts.get("age")?.parse().ok()?,
            place: Place {
                machine: facts.get("machine").cloned(),
                folder: facts.get("folder").map(PathBuf::from),
            },
        })
    }

    /// Whether a database has the mark of this life, or of the one that it had begun.
    pub(super) fn has(&self, mark: u64) -> bool {
        self.mark == mark || self.next == Some(mark)
    }
}

impl Place {
    pub(super) fn of(folder: &Path) -> Self {
        let id = std::fs::read_to_string("/etc/machine-id").ok();
        let machine = id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        // A name with a line break would be another fact.
        let folder = folder.canonicalize().ok();
        let folder = folder
            .filter(|folder| folder.to_str().is_some_and(|name| !name.contains(char::is_control)));
        Self { machine, folder }
    }

    pub(super) fn may_be(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            a.zip(b).is_none_or(|(a, b)| a == b)
        }
        same(self.machine.as_ref(), other.machine.as_ref())
            && same(self.folder.as_ref(), other.folder.as_ref())
    }
}

impl LifeFile {
    /// That of the database at this path.
    pub(super) fn of(database: &Path) -> Self {
        Self(FORMAT.side_file(database.with_extension("life")))
    }

    /// None when there is none, or when it was not written by us.
    pub(super) fn read(&self) -> Result<Option<Life>, StoreError> {
        Ok(self.0.read()?.as_ref().and_then(Life::of))
    }

    pub(super) fn write(&self, life: &Life) -> Result<(), StoreError> {
        Ok(self.0.write(&life.facts())?)
    }
}

impl Keeper {
    /// Starts the thread that keeps the file of a life that has begun.
    pub(super) fn start(file: LifeFile, life: Life) -> Result<Self, StoreError> {
        let age = Arc::new(AtomicU64::new(life.age));
        let (open, closed) = mpsc::sync_channel(0);
        let seen = Arc::clone(&age);
        let keep = move || {
            let mut life = life;
            loop {
                let ended =
                    matches!(closed.recv_timeout(EVERY), Err(RecvTimeoutError::Disconnected));
                let age = seen.load(Ordering::Acquire);
                if age > life.age {
                    life.age = age;
                    // What the database itself cannot do for the same reason stops the gateway.
                    if let Err(error) = file.write(&life) {
                        tracing::warn!(
                            "an older state of the database may not be recognised: {error}"
                        );
                    }
                }
                if ended {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("life".into()).spawn(keep);
        let thread = thread.map_err(StoreError::Thread)?;
        Ok(Self { age, open: Some(open), thread: Some(thread) })
    }

    /// The database has this age.
    pub(super) fn aged(&self, age: u64) {
        self.age.store(age, Ordering::Release);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.open.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been reported on its own thread already.
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life() -> Life {
        let place = Place::of(&std::env::temp_dir());
        Life { mark: 1 << 55, next: Some(7), age: 1 << 60, place }
    }

    #[test]
    fn a_life_comes_back_from_its_file() {
        for life in [life(), Life { next: None, ..life() }] {
            assert_eq!(Life::of(&life.facts()), Some(life));
        }
        assert_eq!(Life::of(&Facts::new()), None);
    }

    #[test]
    fn what_is_not_known_of_a_place_tells_it_from_no_other() {
        let here = life().place;
        let elsewhere = Place { folder: Some("/elsewhere".into()), ..here.clone() };
        let unknown = Place { machine: None, folder: None };
        assert!(!here.may_be(&elsewhere));
        assert!(here.may_be(&here.clone()) && here.may_be(&unknown) && unknown.may_be(&elsewhere));
    }
}
