//! Claims about owners: who opens a zone, who may answer for it, and which life counts.

use gateway_core::event::Session;
use paxos::Moment;
use wire::{Epoch, GatewayId, Zone};

use super::super::world::World;
use crate::verdict::claim;

pub(crate) fn nobody_opens_a_zone_that_its_house_does_not_give_it(
    world: &World,
    id: GatewayId,
    session: &Session,
) {
    let (Session::Zone(zone) | Session::Query(zone)) = session else { return };
    let node = &world.nodes[&id];
    let Some(core) = &node.core else { return };
    let member = core.house().gateways().get(&id);
    claim!(
        member.is_some_and(|m| m.alive && m.incarnation == node.life().1),
        "nobody opens a zone before it has joined",
        "gateway {id} opens {zone}"
    );
    let owner = core.house().zones().get(zone).map(|row| row.owner);
    claim!(
        owner == Some(id),
        "nobody opens a zone that its house does not give it",
        "gateway {id} opens {zone}, which belongs to {owner:?}"
    );
}

/// A session ended, by a takeover or otherwise.
pub(crate) fn note_thrown_out(world: &mut World, id: GatewayId, session: &Session) {
    let (Session::Zone(zone) | Session::Query(zone)) = session else { return };
    let Some(epoch) = epoch(world, id, zone) else { return };
    let key = (id, zone.clone());
    world.watch.thrown_out.insert(key, (epoch, world.now));
}

/// A gateway that was thrown out asks the leader afterwards; one whose zone had moved by then
/// cannot be told that it still owns it. A zone session follows its query session, unasked.
pub(crate) fn nobody_reopens_a_zone_that_was_gone_before_it_asked(
    world: &World,
    id: GatewayId,
    session: &Session,
) {
    let Session::Query(zone) = session else { return };
    let Some(current) = epoch(world, id, zone) else { return };
    let Some((held, since)) = world.watch.thrown_out.get(&(id, zone.clone())) else { return };
    let newer = (zone.clone(), current.next())..=(zone.clone(), Epoch(u64::MAX));
    let gone = world.watch.epochs.range(newer).any(|(_, (applied, _))| applied < since);
    claim!(
        *held != current || !gone,
        "nobody reopens a zone that was gone before it asked",
        "gateway {id} reopens {zone}"
    );
}

fn epoch(world: &World, id: GatewayId, zone: &Zone) -> Option<Epoch> {
    let core = world.nodes[&id].core.as_ref()?;
    core.house().zones().get(zone).filter(|row| row.owner == id).map(|row| row.epoch)
}

pub(super) fn note_epochs(world: &mut World, id: GatewayId) {
    let Some(core) = &world.nodes[&id].core else { return };
    for (zone, row) in core.house().zones() {
        let now = world.now;
        let key = (zone.clone(), row.epoch);
        if world.watch.epochs.contains_key(&key) {
            continue;
        }
        if world.plan.foreign {
            no_lease_on_a_zone_is_left_when_it_moves(world, zone, row.owner, row.epoch);
        }
        let before = world.watch.epochs.range((zone.clone(), Epoch(0))..key.clone()).next_back();
        world.watch.losers.extend(before.map(|(_, (_, owner))| *owner));
        world.watch.epochs.insert(key, (now, row.owner));
    }
}

pub(super) fn no_life_takes_the_place_of_one_after_it(world: &mut World, id: GatewayId) {
    let node = &world.nodes[&id];
    let Some(core) = &node.core else { return };
    for (other, member) in core.house().gateways() {
        let before = world.watch.joined.insert((node.life(), *other), member.incarnation);
        claim!(
            before.is_none_or(|before| before <= member.incarnation),
            "no life takes the place of one after it",
            "gateway {id} has applied that gateway {other} is {member:?}, and was {before:?}"
        );
    }
}

/// A grant has come in that was asked for at `sent`, by whichever life; `before` is the lease until then.
pub(crate) fn a_lease_is_one_that_this_life_asked_for(
    world: &World,
    id: GatewayId,
    sent: u64,
    before: Option<Moment>,
) {
    let node = &world.nodes[&id];
    let lease = node.core.as_ref().and_then(gateway_core::Gateway::lease);
    claim!(
        lease == before || world.watch.asked.contains(&(node.life(), sent)),
        "a lease is one that this life asked for",
        "gateway {id} did not ask for one at {sent}"
    );
}

/// Where no takeover fences an old owner off, it must not answer any more when another one begins.
fn no_lease_on_a_zone_is_left_when_it_moves(
    world: &World,
    zone: &Zone,
    owner: GatewayId,
    epoch: Epoch,
) {
    for (id, node) in world.nodes.iter().filter(|(id, _)| **id != owner) {
        let Some(core) = &node.core else { continue };
        let holds = core.answers_for(zone, node.clock.shows(world.now));
        claim!(
            holds.is_none_or(|held| held >= epoch),
            "no lease on a zone is left when it moves",
            "gateway {id} holds one on {zone}, which gateway {owner} owns now"
        );
    }
}

/// Nor may it be given a lease after that, before it hears of the move itself.
pub(super) fn nobody_answers_for_a_zone_that_moved(world: &World, id: GatewayId) {
    let node = &world.nodes[&id];
    let Some(core) = &node.core else { return };
    let now = node.clock.shows(world.now);
    for zone in core.house().zones().keys() {
        let Some(held) = core.answers_for(zone, now) else { continue };
        let newer = (zone.clone(), held.next())..=(zone.clone(), Epoch(u64::MAX));
        let newer = world.watch.epochs.range(newer).next_back();
        claim!(
            newer.is_none_or(|(_, (_, owner))| *owner == id),
            "nobody answers for a zone that moved",
            "gateway {id} answers for {zone} in its epoch {held}; after that came {newer:?}"
        );
    }
}

/// An owner that can still answer knows all that was agreed for its zone.
pub(crate) fn whoever_answers_for_a_zone_knows_what_was_told(
    world: &World,
    id: GatewayId,
    zone: &Zone,
    told: u64,
) {
    let node = &world.nodes[&id];
    let Some(core) = &node.core else { return };
    let knows = node.disk.tables.seq.0 >= told;
    if knows || node.cut.is_some() {
        return;
    }
    let heard = world.broker.hears(&Session::Query(zone.clone()), node.life());
    let answers = heard && core.answers_for(zone, node.clock.shows(world.now)).is_some();
    claim!(
        !answers,
        "whoever answers for a zone knows what was told",
        "gateway {id} answers for {zone} at change {}, and change {told} was told",
        node.disk.tables.seq
    );
}
