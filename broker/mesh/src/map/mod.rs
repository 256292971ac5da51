//! One replicated map of small records, in which the last writer wins: retained messages, clients, kept sessions, wills,
//! claims of zones.
//!
//! ```text
//!  put, remove --> version from the site's clock --> table --> streamed to the linked peers, written to our disk
//!  a peer's record --> newer? --> table --> passed on only to peers that it does not reach
//!  a link comes up --> hashes of buckets --> versions of what differs --> records
//! ```
//!
//! Nothing waits for a disk. Removing leaves a tombstone, see `tombs.rs`; records that a node alone owns leave none.

mod clock;
mod compare;
mod planted;
mod record;
mod table;
mod tombs;

use alloc::vec::Vec;

pub use clock::Clock;
pub use compare::{Answer, Bucket};
pub use record::{Home, Key, Kind, Record, Testament, Value};
pub use table::{Applied, BUCKETS, Brief, Entry, Table};
pub use tombs::{Buried, LONGEST as TOMBSTONE_TIME, MOST as TOMBSTONES};

use crate::id::{DiskId, Life, NodeId, Nodes};
use crate::moment::Moment;
use crate::version::{SiteTime, Version};
use tombs::{Rounds, Tombs, Who};

/// Records that one node's own clients may bring the map to. 400,000: a full broker's retained messages and sessions
/// with their clients and wills (120,000 + 20,000 · 3), and as many again.
pub(crate) const RECORDS: usize = 400_000;
/// The same in bytes. 512 MiB: twice what one broker may retain.
pub(crate) const BYTES: usize = 512 * 1024 * 1024;

/// One node's copy of the map.
#[derive(Debug)]
pub struct Map {
    me: Life,
    disk: DiskId,
    clock: Clock,
    table: Table,
    tombs: Tombs,
    /// Number of the last change.
    changes: u64,
    /// Changes up to this one are on our disk.
    stored: u64,
}

/// A change of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number among the changes of this life.
    pub number: u64,
    /// The new record.
    pub record: Record,
    /// What stood there before.
    pub old: Option<Entry>,
}

/// Why a record is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The zone has a later owner.
    Epoch,
    /// The map is as large as it may be.
    Full,
}

/// What is due about tombstones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// To be asked whether they have these on disk.
    pub ask: Vec<(NodeId, Vec<Buried>)>,
    /// Everybody has these and is to forget them.
    pub forget: Vec<Buried>,
    /// Members that are written off now.
    pub written_off: Vec<Change>,
}

impl Map {
    /// An empty map of this node, whose clock shows at least `floor`.
    #[must_use]
    pub fn new(me: Life, disk: DiskId, floor: SiteTime) -> Self {
        let (table, tombs) = (Table::default(), Tombs::default());
        Self { me, disk, clock: Clock::new(floor), table, tombs, changes: 0, stored: 0 }
    }

    /// All records.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The disk that this node says it has.
    #[must_use]
    pub fn disk(&self) -> DiskId {
        self.disk
    }

    /// A time later than all that this node knows of.
    pub fn now(&mut self, now: Moment) -> SiteTime {
        self.clock.next(now)
    }

    /// What the site's clock shows.
    #[must_use]
    pub fn shown(&self, now: Moment) -> SiteTime {
        self.clock.shown(now)
    }

    /// Takes up a record from our disk.
    pub fn restore(&mut self, now: Moment, record: Record) {
        // Whoever was connected to an earlier life is not any more.
        if !record.key.kind.is_owned()
            && let Some(change) = self.apply(now, record)
        {
            self.stored = change.number;
        }
    }

    /// Writes a record. `epoch` is that of a zone's owner; anybody else's record takes the place of an owner's too.
    ///
    /// # Errors
    /// The zone has a later owner, or there is no room.
    pub fn put(
        &mut self,
        now: Moment,
        name: &str,
        value: Value,
        epoch: Option<u64>,
    ) -> Result<Change, Refusal> {
        let key = Key::new(value.kind(), name);
        let known = self.table.get(&key);
        if known.is_none() && (self.table.len() >= RECORDS || self.table.bytes() >= BYTES) {
            return Err(Refusal::Full);
        }
        let version = self.version(now, &key, epoch)?;
        let record = Record { key, version, value: Some(stamped(value, version)) };
        Ok(self.write(now, record))
    }

    /// Removes a record; nothing if there is none.
    ///
    /// # Errors
    /// The zone has a later owner.
    pub fn remove(
        &mut self,
        now: Moment,
        key: Key,
        epoch: Option<u64>,
    ) -> Result<Option<Change>, Refusal> {
        if self.table.get(&key).is_none_or(|entry| entry.value.is_none()) {
            return Ok(None);
        }
        let version = self.version(now, &key, epoch)?;
        Ok(Some(self.write(now, Record { key, version, value: None })))
    }

    fn version(&mut self, now: Moment, key: &Key, epoch: Option<u64>) -> Result<Version, Refusal> {
        let there = self.table.get(key).map_or(0, |entry| entry.version.epoch);
        if epoch.is_some_and(|epoch| epoch < there) {
            return Err(Refusal::Epoch);
        }
        let node = self.me.node.number();
        Ok(Version { epoch: epoch.unwrap_or(there), time: self.clock.next(now), node })
    }

    /// Takes a record that is newer than what is here.
    pub fn apply(&mut self, now: Moment, record: Record) -> Option<Change> {
        if !self.clock.observe(now, record.version.time) {
            return None;
        }
        match self.table.apply(record.clone()) {
            Applied::New(old) => Some(self.changed(now, record, old)),
            Applied::Known | Applied::Older => None,
        }
    }

    fn write(&mut self, now: Moment, record: Record) -> Change {
        let old = match self.table.apply(record.clone()) {
            Applied::New(old) => old,
            Applied::Known | Applied::Older => None,
        };
        self.changed(now, record, old)
    }

    fn changed(&mut self, now: Moment, record: Record, old: Option<Entry>) -> Change {
        self.changes += 1;
        let number = self.changes;
        match record.value {
            Some(_) => self.tombs.clear(&record.key),
            None => self.tombs.bury(now, record.key.clone(), record.version, number),
        }
        Change { number, record, old }
    }

    /// A record that its node owned is over; the name of what was here.
    pub fn gone(&mut self, gone: &Buried) -> Option<Key> {
        let entry = self.table.get(&gone.key)?;
        let over = gone.key.kind.is_owned() && entry.version <= gone.version;
        over.then(|| self.table.forget(&gone.key)).flatten().map(|_| gone.key.clone())
    }

    /// Forgets all clients of the lives of a node for which `over` holds.
    pub fn forget_clients(&mut self, over: impl Fn(Life) -> bool) -> Vec<Key> {
        let clients = self.table.iter().filter_map(|(key, entry)| match entry.value {
            Some(Value::Client(life)) if over(life) => Some(key.clone()),
            _ => None,
        });
        let clients: Vec<Key> = clients.collect();
        clients.iter().for_each(|key| drop(self.table.forget(key)));
        clients
    }

    /// Everything up to this change is on our disk.
    pub fn stored(&mut self, change: u64) {
        self.stored = self.stored.max(change);
    }

    /// Our buckets that differ from the peer's, in parts for one frame each.
    #[must_use]
    pub fn differing(&self, theirs: &[u64]) -> Vec<Vec<Bucket>> {
        compare::differing(&self.table, theirs)
    }

    /// What follows from buckets of a peer. What was the peer's own and is over goes.
    pub fn answer(&mut self, peer: NodeId, buckets: &[Bucket]) -> Answer {
        let mut answer = Answer::default();
        for bucket in buckets {
            compare::answer(&self.table, self.me.node, peer, bucket, &mut answer);
        }
        answer.drop.iter().for_each(|key| drop(self.table.forget(key)));
        answer
    }

    /// Which of these tombstones are on our disk.
    #[must_use]
    pub fn on_disk(&self, asked: &[Buried]) -> Vec<Buried> {
        asked.iter().filter(|buried| self.tombs.is_stored(buried, self.stored)).cloned().collect()
    }

    /// A member has these tombstones on its disk.
    pub fn confirm(&mut self, from: NodeId, buried: &[Buried]) {
        self.tombs.confirm(from, buried);
    }

    /// Forgets tombstones that every member has had on its disk.
    pub fn forget(&mut self, buried: &[Buried]) -> Vec<Key> {
        let mut forgotten = Vec::new();
        for Buried { key, version } in buried {
            let same = |entry: &Entry| entry.value.is_none() && entry.version == *version;
            if self.table.get(key).is_some_and(same) {
                self.table.forget(key);
                self.tombs.clear(key);
                forgotten.push(key.clone());
            }
        }
        forgotten
    }

    /// Looks after tombstones. Goes through all of them, so once a second is enough.
    pub fn upkeep(&mut self, now: Moment, members: Nodes, linked: Nodes) -> Upkeep {
        let written_off = members.iter().filter(|node| self.is_written_off(*node)).collect();
        let who = Who { me: self.me.node, members, linked, written_off };
        let Rounds { ask, forget, write_off } = self.tombs.rounds(now, self.stored, who);
        let written_off = write_off.iter().filter_map(|node| self.write_off(now, node)).collect();
        Upkeep { ask, forget, written_off }
    }

    /// Whether a member's disk, as far as it is known, is written off.
    #[must_use]
    pub fn is_written_off(&self, node: NodeId) -> bool {
        self.disk_of(Kind::Disk, node)
            .is_some_and(|disk| self.disk_of(Kind::WrittenOff, node) == Some(disk))
    }

    /// Whether this disk of a member is written off.
    #[must_use]
    pub fn is_disk_written_off(&self, node: NodeId, disk: DiskId) -> bool {
        self.disk_of(Kind::WrittenOff, node) == Some(disk)
    }

    fn disk_of(&self, kind: Kind, node: NodeId) -> Option<DiskId> {
        match self.table.value(kind, name_of(node).as_str())?.0 {
            Value::Disk(disk) | Value::WrittenOff(disk) => Some(*disk),
            _ => None,
        }
    }

    /// A member whose disk nobody knows is written off by what it has when it comes: nothing, or another disk.
    fn write_off(&mut self, now: Moment, node: NodeId) -> Option<Change> {
        let disk = self.disk_of(Kind::Disk, node)?;
        self.put(now, name_of(node).as_str(), Value::WrittenOff(disk), None).ok()
    }

    /// The record that says which disk this node has.
    ///
    /// # Errors
    /// There is no room.
    pub fn tell_disk(&mut self, now: Moment) -> Result<Change, Refusal> {
        self.put(now, name_of(self.me.node).as_str(), Value::Disk(self.disk), None)
    }

    /// This node's disk was written off: everything but its own clients and claims goes, and the disk counts as
    /// another one.
    pub fn begin_anew(&mut self, disk: DiskId) {
        let own = |entry: &Entry| matches!(&entry.value, Some(Value::Client(life) | Value::Claim(life)) if *life == self.me);
        let kept: Vec<Record> = self
            .table
            .iter()
            .filter(|(_, entry)| own(entry))
            .map(|(key, entry)| entry.record(key))
            .collect();
        (self.table, self.tombs, self.disk) = (Table::default(), Tombs::default(), disk);
        kept.into_iter().for_each(|record| drop(self.table.apply(record)));
    }
}

fn name_of(node: NodeId) -> alloc::string::String {
    alloc::format!("{node}")
}

/// A retained message carries its own version, so that a peer that gets it as a message keeps it right.
fn stamped(value: Value, version: Version) -> Value {
    match value {
        Value::Retained(mut message) => {
            alloc::sync::Arc::make_mut(&mut message).version = Some(version);
            Value::Retained(message)
        }
        other => other,
    }
}
