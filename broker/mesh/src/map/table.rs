//! All records, in 1,024 buckets with a hash each.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::planted;
use super::record::{Key, Kind, Record, Value, mix};
use crate::version::Version;

/// Buckets. 1,024: their hashes are 8 KiB, and one of 100,000 records has about a hundred.
pub const BUCKETS: u16 = 1024;

/// A record without its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which of the records of this name it is.
    pub version: Version,
    /// What it says; a tombstone says nothing.
    pub value: Option<Value>,
    sum: u64,
    weight: usize,
}

/// A record as the other side of a comparison sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// Its name.
    pub key: Key,
    /// Its version.
    pub version: Version,
    /// Tells values of one version apart.
    pub sum: u64,
}

/// What became of a record that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is the newest; what stood there before.
    New(Option<Entry>),
    /// It is here already.
    Known,
    /// There is a newer one.
    Older,
}

/// Every record by bucket and name.
#[derive(Debug)]
pub struct Table {
    records: BTreeMap<(u16, Key), Entry>,
    hashes: Vec<u64>,
    bytes: usize,
    tombstones: usize,
}

impl Default for Table {
    fn default() -> Self {
        let hashes = vec![0; usize::from(BUCKETS)];
        Self { records: BTreeMap::new(), hashes, bytes: 0, tombstones: 0 }
    }
}

impl Table {
    /// The record of this name, or its tombstone.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.records.get(&(bucket(key), key.clone()))
    }

    /// What the record of this name says, if there is one.
    #[must_use]
    pub fn value(&self, kind: Kind, name: &str) -> Option<(&Value, Version)> {
        let entry = self.get(&Key::new(kind, name))?;
        entry.value.as_ref().map(|value| (value, entry.version))
    }

    /// Records, tombstones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// What they weigh.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many of them are tombstones.
    #[must_use]
    pub fn tombstones(&self) -> usize {
        self.tombstones
    }

    /// Every record and tombstone, by bucket.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.records.iter().map(|((_, key), entry)| (key, entry))
    }

    /// Takes a record if it is newer than what is here.
    pub(super) fn apply(&mut self, record: Record) -> Applied {
        let sum = record.sum();
        let at = (bucket(&record.key), record.key.clone());
        if let Some(old) = self.records.get(&at) {
            let (is, was) = ((record.version, sum), (old.version, old.sum));
            if is == was {
                return Applied::Known;
            }
            if planted::is_older(is < was) {
                return Applied::Older;
            }
        }
        Applied::New(self.replace(at, record, sum))
    }

    fn replace(&mut self, at: (u16, Key), record: Record, sum: u64) -> Option<Entry> {
        let weight = record.weight();
        let old = self.take(&at);
        let entry = Entry { version: record.version, value: record.value, sum, weight };
        self.bytes += weight;
        self.tombstones += usize::from(entry.value.is_none());
        self.hashes[usize::from(at.0)] ^= entry.hash(&at.1);
        self.records.insert(at, entry);
        old
    }

    /// Takes a record out, without a trace.
    pub(super) fn forget(&mut self, key: &Key) -> Option<Entry> {
        self.take(&(bucket(key), key.clone()))
    }

    fn take(&mut self, at: &(u16, Key)) -> Option<Entry> {
        let entry = self.records.remove(at)?;
        self.bytes -= entry.weight;
        self.tombstones -= usize::from(entry.value.is_none());
        self.hashes[usize::from(at.0)] ^= entry.hash(&at.1);
        Some(entry)
    }

    /// The hash of every bucket.
    #[must_use]
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// What there is in a bucket.
    pub(super) fn bucket(&self, number: u16) -> impl Iterator<Item = (&Key, &Entry)> {
        let from = (number, Key::new(Kind::Retained, ""));
        let all = self.records.range(from..);
        all.take_while(move |((bucket, _), _)| *bucket == number)
            .map(|((_, key), entry)| (key, entry))
    }
}

impl Entry {
    /// The whole record.
    #[must_use]
    pub fn record(&self, key: &Key) -> Record {
        Record { key: key.clone(), version: self.version, value: self.value.clone() }
    }

    pub(super) fn brief(&self, key: &Key) -> Brief {
        Brief { key: key.clone(), version: self.version, sum: self.sum }
    }

    fn hash(&self, key: &Key) -> u64 {
        let Version { epoch, time, node } = self.version;
        [epoch, time.0, u64::from(node), self.sum]
            .into_iter()
            .fold(key.hash(), |hash, part| mix(hash ^ part).wrapping_add(hash.rotate_left(7)))
    }

    /// Whether it is newer than the other side's.
    pub(super) fn beats(&self, other: &Brief) -> bool {
        (self.version, self.sum) > (other.version, other.sum)
    }
}

/// The bucket that a record belongs to.
pub(super) fn bucket(key: &Key) -> u16 {
    (key.hash() % u64::from(BUCKETS)) as u16
}

crate::wire::coded::coded! {
    Brief { key, version, sum }
}
