//! The map between nodes: what differs, what changes, what may be forgotten.

mod planted;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::claims::Claims;
use crate::effect::Effect;
use crate::id::{LinkId, NodeId, Nodes};
use crate::map::{Bucket, Buried, Change, Kind, Record, Value};
use crate::moment::Moment;
use crate::rooms::Rooms;
use crate::wire::{Anew, Buckets, Bury, Forget, Frame, Gone, Hashes, Matched, Records, Stored};

/// Weight of the records in one frame. 256 KiB: beyond it nothing is won, and other frames wait behind it.
const PART: usize = 256 * 1024;
/// How often tombstones are looked after. 1 s: they are asked about every five.
pub(crate) const UPKEEP: Duration = Duration::from_secs(1);

/// A link is up: both tell the hashes of their maps.
pub(crate) fn compare(rooms: &mut Rooms, link: LinkId) {
    let hashes = rooms.map.table().hashes().to_vec();
    rooms.send(link, Hashes { hashes });
}

/// A peer's hashes: it is told what we have in the buckets that differ, and answers with what we lack.
pub(crate) fn hashes(rooms: &mut Rooms, link: LinkId, frame: &Hashes) {
    let mut parts = rooms.map.differing(&frame.hashes);
    let rest = parts.pop().unwrap_or_default();
    for buckets in parts {
        rooms.send(link, Buckets { buckets, last: false });
    }
    rooms.send(link, Buckets { buckets: rest, last: true });
}

/// A peer's buckets: it gets what it lacks.
pub(crate) fn buckets(rooms: &mut Rooms, now: Moment, from: (NodeId, LinkId), frame: Buckets) {
    let (node, link) = from;
    let Buckets { buckets, last } = frame;
    let buckets: Vec<Bucket> = buckets;
    let answer = rooms.map.answer(node, &buckets);
    answer.drop.into_iter().for_each(|key| rooms.effect(Effect::Forgotten(key)));
    if !answer.gone.is_empty() {
        rooms.send(link, Gone { records: answer.gone });
    }
    send_all(rooms, now, link, answer.records);
    if last {
        rooms.send(link, Matched {});
    }
}

fn send_all(rooms: &mut Rooms, now: Moment, link: LinkId, all: Vec<Record>) {
    let (mut records, mut weight) = (Vec::new(), 0);
    for record in all {
        weight += record.weight();
        let left = record.left(now);
        records.push((record, left));
        if weight >= PART {
            rooms.send(link, Records { records: core::mem::take(&mut records) });
            weight = 0;
        }
    }
    if !records.is_empty() {
        rooms.send(link, Records { records });
    }
}

/// Records of a peer.
pub(crate) fn records(rooms: &mut Rooms, now: Moment, node: NodeId, frame: Records) {
    for (mut record, left) in frame.records {
        if let (Some(Value::Retained(message)), Some(left)) = (&mut record.value, left) {
            Arc::make_mut(message).expires = Some(now.after(Duration::from_millis(left)));
        }
        apply(rooms, now, node, record);
    }
}

/// Takes a record of a peer; whether it was news.
pub(crate) fn apply(rooms: &mut Rooms, now: Moment, from: NodeId, record: Record) -> bool {
    if !may_be(rooms, from, &record) {
        return false;
    }
    let Some(change) = rooms.map.apply(now, record) else { return false };
    let pass_on = rooms.peers.not_reached_by(from);
    follow(rooms, &change);
    rooms.changed(now, change, pass_on);
    true
}

/// Whether a record may be taken from this peer. Records that a node owns are taken from nobody else while that node can
/// tell itself, for it may have taken them back; and there are no tombstones of them.
fn may_be(rooms: &Rooms, from: NodeId, record: &Record) -> bool {
    match &record.value {
        None => !record.key.kind.is_owned(),
        Some(Value::Client(life)) => {
            let tells = life.node == rooms.me().node || rooms.peers.living().contains(life.node);
            planted::is_owners_word(life.node == from || !tells)
        }
        Some(_) => true,
    }
}

/// What follows from a change.
pub(crate) fn follow(rooms: &mut Rooms, change: &Change) {
    if change.record.key.kind != Kind::Claim {
        return;
    }
    let zone = &*change.record.key.name;
    let Some(claim) = Claims::find(rooms.map.table(), zone) else { return };
    rooms.held.direct(zone, claim);
    let over = rooms.claims.epoch(zone).filter(|epoch| *epoch < claim.epoch);
    if let Some(epoch) = over {
        rooms.claims.close(zone);
        // Whoever holds reports has the new claim too, or soon has.
        rooms.offered.close(zone);
        rooms.effect(Effect::EndZone(zone.into(), epoch));
    }
}

/// Records of a peer's own that are over.
pub(crate) fn gone(rooms: &mut Rooms, frame: &Gone) {
    for gone in &frame.records {
        if let Some(key) = rooms.map.gone(gone) {
            rooms.effect(Effect::Forgotten(key));
        }
    }
}

/// A peer asks whether tombstones are on our disk.
pub(crate) fn bury(rooms: &mut Rooms, now: Moment, from: (NodeId, LinkId), frame: &Bury) {
    for Buried { key, version } in &frame.tombstones {
        let record = Record { key: key.clone(), version: *version, value: None };
        apply(rooms, now, from.0, record);
    }
    let tombstones = rooms.map.on_disk(&frame.tombstones);
    if !tombstones.is_empty() {
        rooms.send(from.1, Stored { tombstones });
    }
}

/// A peer's disk has tombstones.
pub(crate) fn stored(rooms: &mut Rooms, node: NodeId, frame: &Stored) {
    rooms.map.confirm(node, &frame.tombstones);
}

/// Everybody has had tombstones.
pub(crate) fn forget(rooms: &mut Rooms, tombstones: &[Buried]) {
    for key in rooms.map.forget(tombstones) {
        rooms.effect(Effect::Forgotten(key));
    }
}

/// Tells which disk this node has.
pub(crate) fn tell_disk(rooms: &mut Rooms, now: Moment) {
    if let Ok(change) = rooms.map.tell_disk(now) {
        let living = rooms.peers.living();
        rooms.changed(now, change, living);
    }
}

/// Our own disk is written off.
pub(crate) fn begin_anew(rooms: &mut Rooms, now: Moment) {
    let disk = rooms.settings.spare_disk;
    rooms.map.begin_anew(disk);
    rooms.effect(Effect::BegunAnew(disk));
    let living = rooms.peers.living();
    rooms.tell(living, Anew { disk });
    tell_disk(rooms, now);
}

/// A peer tells which nodes it reaches. If it lost one that we reach, that one may lack what it was about to be told.
pub(crate) fn reach(rooms: &mut Rooms, node: NodeId, nodes: Nodes) {
    let lost = rooms.peers.reaches(node, nodes).and(rooms.peers.living());
    let hashes = rooms.map.table().hashes().to_vec();
    for node in lost.iter() {
        rooms.tell(Nodes::from_iter([node]), Hashes { hashes: hashes.clone() });
    }
}

/// Looks after tombstones.
pub(crate) fn upkeep(rooms: &mut Rooms, now: Moment) {
    if now < rooms.upkeep_at {
        return;
    }
    rooms.upkeep_at = now.after(UPKEEP);
    let (members, living) = (rooms.peers.members(), rooms.peers.living());
    let upkeep = rooms.map.upkeep(now, members, living);
    for change in upkeep.written_off {
        rooms.changed(now, change, living);
    }
    for (node, tombstones) in upkeep.ask {
        rooms.tell(Nodes::from_iter([node]), Bury { tombstones });
    }
    if !upkeep.forget.is_empty() {
        let tombstones = upkeep.forget.clone();
        rooms.tell(living, Frame::from(Forget { tombstones }));
        forget(rooms, &upkeep.forget);
    }
}
