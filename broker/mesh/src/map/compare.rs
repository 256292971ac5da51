//! Two nodes compare their maps: hashes of buckets, then versions of what is in those that differ, then records.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::record::{Key, Record, Value};
use super::table::{BUCKETS, Brief, Table};
use super::tombs::Buried;
use crate::id::NodeId;

/// Briefs in one frame, beside those of one bucket more. 2,000: about 120 KiB.
const BRIEFS: usize = 2_000;

/// A bucket, as one side has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its number.
    pub number: u16,
    /// All that is in it.
    pub briefs: Vec<Brief>,
}

/// What follows from the other side's bucket.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The other side lacks these, or has older ones.
    pub records: Vec<Record>,
    /// The other side has these records of ours, which are over.
    pub gone: Vec<Buried>,
    /// These were the other side's own, and are over.
    pub drop: Vec<Key>,
}

/// The buckets that differ, as this side has them, in parts of a size for a frame.
pub(super) fn differing(table: &Table, theirs: &[u64]) -> Vec<Vec<Bucket>> {
    let mut parts: Vec<Vec<Bucket>> = Vec::new();
    let mut room = 0;
    for number in 0..BUCKETS {
        if table.hashes().get(usize::from(number)) == theirs.get(usize::from(number)) {
            continue;
        }
        let briefs: Vec<_> = table.bucket(number).map(|(key, entry)| entry.brief(key)).collect();
        if room == 0 {
            parts.push(Vec::new());
            room = BRIEFS;
        }
        room = room.saturating_sub(briefs.len() + 1);
        if let Some(part) = parts.last_mut() {
            part.push(Bucket { number, briefs });
        }
    }
    parts
}

/// Looks at a bucket of the other side.
pub(super) fn answer(table: &Table, me: NodeId, peer: NodeId, bucket: &Bucket, into: &mut Answer) {
    if bucket.number >= BUCKETS {
        return;
    }
    let theirs: BTreeMap<&Key, &Brief> =
        bucket.briefs.iter().map(|brief| (&brief.key, brief)).collect();
    for (key, entry) in table.bucket(bucket.number) {
        match theirs.get(key) {
            None if matches!(&entry.value, Some(Value::Client(life)) if life.node == peer) => {
                into.drop.push(key.clone());
            }
            Some(brief) if !entry.beats(brief) => {}
            _ => into.records.push(entry.record(key)),
        }
    }
    for brief in &bucket.briefs {
        let ours = brief.key.kind.is_owned() && brief.version.node == me.number();
        if ours && table.get(&brief.key).is_none() {
            into.gone.push(Buried { key: brief.key.clone(), version: brief.version });
        }
    }
}

crate::wire::coded::coded! {
    Bucket { number, briefs }
}
