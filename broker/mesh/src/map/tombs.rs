//! Tombstones, and when they may be forgotten: once every member has them on its disk, so that no disk brings back what
//! was removed.
//!
//! One node sees to each tombstone, its **collector**: the node that removed the record, or the lowest member if that
//! one is none. It asks members that have not confirmed, and when all have, and no link can still carry an
//! older record, it tells everybody to forget. Were each node to forget by itself, the others would tell it of the
//! tombstone again, and so on without end.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use super::planted;
use super::record::Key;
use crate::id::{NodeId, Nodes};
use crate::moment::Moment;
use crate::version::Version;

/// Tombstones that there may be. 100,000: as many as retained messages that one person can clear; 20 MB.
pub const MOST: usize = 100_000;
/// How long a tombstone waits for a member. 7 days: a box that is away for a holiday week keeps what it knows.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often a member that has not confirmed is asked. 5 s: disks are written every second.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How long after the last confirmation a tombstone is forgotten. 30 s: a link on which nothing moves is cut after 2 s, so
/// nothing that was sent before is still under way.
const LINGER: Duration = Duration::from_secs(30);
/// How long a node that does not collect waits to be told, before it reminds the collector. 60 s.
const REMIND_AFTER: Duration = Duration::from_secs(60);
/// Tombstones in one question. 512: about 40 KiB.
const BATCH: usize = 512;

/// All tombstones.
#[derive(Debug, Default)]
pub(super) struct Tombs(BTreeMap<Key, Grave>);

#[derive(Debug)]
struct Grave {
    version: Version,
    /// When it came here.
    since: Moment,
    /// Members that have it on disk, as far as this node knows.
    on_disk: Nodes,
    /// Number of the change that writes it to our own disk.
    change: u64,
    asked: Option<Moment>,
    /// When the last member confirmed.
    complete: Option<Moment>,
}

/// A tombstone by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buried {
    /// The removed record.
    pub key: Key,
    /// The version that removed it.
    pub version: Version,
}

/// What is due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rounds {
    /// To be asked whether they have these on disk.
    pub(super) ask: Vec<(NodeId, Vec<Buried>)>,
    /// Everybody has these: all may forget them.
    pub(super) forget: Vec<Buried>,
    /// Members that are not waited for any longer.
    pub(super) write_off: Nodes,
}

/// Who is who, for whoever looks after tombstones.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who {
    pub(super) me: NodeId,
    pub(super) members: Nodes,
    pub(super) linked: Nodes,
    /// Those that are written off already.
    pub(super) written_off: Nodes,
}

impl Tombs {
    /// A record was removed.
    pub(super) fn bury(&mut self, now: Moment, key: Key, version: Version, change: u64) {
        let grave = Grave {
            version,
            since: now,
            on_disk: Nodes::NONE,
            change,
            asked: None,
            complete: None,
        };
        self.0.insert(key, grave);
    }

    /// There is a record of this name again, or nothing at all.
    pub(super) fn clear(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// Whether this node has it on disk.
    pub(super) fn is_stored(&self, buried: &Buried, stored: u64) -> bool {
        let grave = self.0.get(&buried.key);
        grave.is_some_and(|grave| grave.version >= buried.version && grave.change <= stored)
    }

    /// A member has these on its disk.
    pub(super) fn confirm(&mut self, from: NodeId, buried: &[Buried]) {
        for Buried { key, version } in buried {
            if let Some(grave) = self.0.get_mut(key)
                && grave.version == *version
            {
                grave.on_disk.insert(from);
            }
        }
    }

    /// Looks after all of them; `stored` is how far our own disk has come.
    pub(super) fn rounds(&mut self, now: Moment, stored: u64, who: Who) -> Rounds {
        let mut rounds = Rounds::default();
        let mut asks: BTreeMap<NodeId, Vec<Buried>> = BTreeMap::new();
        let over = self.0.len().saturating_sub(MOST);
        for (at, (key, grave)) in self.0.iter_mut().enumerate() {
            let buried = || Buried { key: key.clone(), version: grave.version };
            let collector = collector(grave.version, who.members);
            if collector != Some(who.me) {
                let late = now.since(grave.asked.unwrap_or(grave.since)) >= REMIND_AFTER;
                if let Some(collector) = collector.filter(|node| late && who.linked.contains(*node))
                    && add(&mut asks, collector, buried())
                {
                    grave.asked = Some(now);
                }
                continue;
            }
            if grave.change <= stored {
                grave.on_disk.insert(who.me);
            }
            let missing = who.members.without(grave.on_disk).without(who.written_off);
            if planted::nobody_missing(missing.is_empty()) {
                let complete = *grave.complete.get_or_insert(now);
                if now.since(complete) >= LINGER && rounds.forget.len() < BATCH {
                    rounds.forget.push(buried());
                }
            } else if now.since(grave.since) >= LONGEST || at < over {
                rounds.write_off = Nodes::from_bits(rounds.write_off.bits() | missing.bits());
            } else if grave.asked.is_none_or(|asked| now.since(asked) >= ASK_EVERY) {
                grave.complete = None;
                grave.asked = Some(now);
                for node in missing.and(who.linked).iter() {
                    add(&mut asks, node, buried());
                }
            }
        }
        rounds.write_off.remove(who.me);
        rounds.ask = asks.into_iter().collect();
        rounds
    }
}

/// Adds to a question; whether there was room.
fn add(asks: &mut BTreeMap<NodeId, Vec<Buried>>, node: NodeId, buried: Buried) -> bool {
    let list = asks.entry(node).or_default();
    let room = list.len() < BATCH;
    if room {
        list.push(buried);
    }
    room
}

/// Who sees to a tombstone.
fn collector(version: Version, members: Nodes) -> Option<NodeId> {
    let origin = NodeId::new(version.node).filter(|node| members.contains(*node));
    origin.or_else(|| members.iter().next())
}

crate::wire::coded::coded! {
    Buried { key, version }
}
