//! Claims about what is agreed: one value in a slot, equal tables, one history, and everything in it once.

use gateway_core::event::HistoryRow;
use gateway_core::peer::PeerMessage;
use paxos::{Ballot, Message, Slot};
use wire::GatewayId;

use super::times;
use crate::home::disk::News;
use crate::system::world::World;
use crate::verdict::claim;

pub(crate) fn after_a_write(world: &mut World, id: GatewayId, news: News) {
    let process = &world.processes[&id];
    let (disk, replica, watch) = (&process.disk, process.replica(), &mut world.watch);
    for said in &news.said {
        watch.wrote.entry(*said).or_default().insert(replica);
    }
    watch.agreement.after_a_write(id, disk, &news);
    if news.installed {
        world.summary.snapshots += 1;
    }
    world.reach.stamps |= news.forgot_stamps;
    world.reach.ids |= news.forgot_ids;
    for row in news.history {
        if world.watch.agreement.replicas_have_the_same_history(id, &row) {
            a_new_row(world, id, row);
        }
    }
}

fn a_new_row(world: &mut World, id: GatewayId, row: HistoryRow) {
    let now = world.now;
    let value: f64 = row.state.as_str().parse().expect("values here are numbers");
    let place = world.place_of(id, row.node);
    world.watch.registered.entry(place.clone()).or_insert(now);
    let order = row.register == "desired";
    let key = (order, value as u64);
    let last = world.watch.last.get(&(row.node, order)).copied();
    times::a_row_is_agreed(world, &place, &row, value);
    if order {
        let next = last.map_or(0, |(_, order)| order) + 1;
        claim!(
            row.ordered == Some(next),
            "orders of a device are numbered without holes",
            "{row:?}, not {next}"
        );
    } else if row.ordered.is_none() && value >= 10.0 && !world.letters.is_unordered(key.1) {
        // A sensor's values only grow.
        claim!(
            last.is_none_or(|(before, _)| before < value),
            "reports of a device keep their order",
            "{last:?} {row:?}"
        );
    }
    // A door's state and a rule's orders are 0 and 1.
    if value >= 10.0 {
        let before = world.watch.seqs.get(&key).copied();
        let again = world.letters.is_repeatable(key);
        claim!(
            before.is_none() || again,
            "a request is applied once",
            "{row:?} of {place}, and as change {before:?}"
        );
        world.watch.seqs.entry(key).or_insert((row.seq.0, now));
    }
    world.watch.last.insert((row.node, order), (value, row.ordered.unwrap_or(0)));
    world.watch.agreement.history.push(row);
}

/// What leaves rests on what is on the disk.
pub(crate) fn before_a_message(world: &World, id: GatewayId, message: &PeerMessage) {
    let PeerMessage::Paxos(paxos) = message else { return };
    let disk = &world.processes[&id].disk;
    let holds = match paxos {
        Message::Promise { ballot, .. }
        | Message::Prepare { ballot, .. }
        | Message::Accept { ballot, .. } => disk.promised.unwrap_or(Ballot::ZERO) >= *ballot,
        Message::Accepted { ballot, from, to, .. } => (from.0..=to.0).map(Slot).all(|slot| {
            let held = disk.accepted.get(&slot).is_some_and(|entry| entry.ballot >= *ballot);
            held || slot <= disk.applied
        }),
        _ => true,
    };
    claim!(holds, "nothing rests on unsynced state", "gateway {id}: {message:?}");
}

/// Whether it says what must survive its sender.
pub(crate) const fn rests_on_a_write(message: &PeerMessage) -> bool {
    matches!(message, PeerMessage::Paxos(Message::Promise { .. } | Message::Accepted { .. }))
}
