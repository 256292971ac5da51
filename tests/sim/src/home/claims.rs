//! What must always be so: one claim, one function.

use std::collections::{BTreeMap, BTreeSet};

use gateway_core::event::HistoryRow;
use gateway_core::id::Incarnation;
use gateway_core::peer::PeerMessage;
use paxos::{Ballot, Message, ReplicaId, Slot};
use wire::{Answer, Epoch, GatewayId, NodeId, Seq, Zone};

use super::agreement::Agreement;
use super::broker::Life;
use super::disk::{Disk, News};
use super::hearing::Hearing;
use super::network::Parcel;
use super::world::World;
use crate::verdict::claim;

mod owners;

pub(crate) use self::owners::{
    a_lease_is_one_that_this_life_asked_for, nobody_opens_a_zone_that_its_house_does_not_give_it,
    nobody_reopens_a_zone_that_was_gone_before_it_asked, note_thrown_out,
    whoever_answers_for_a_zone_knows_what_was_told,
};

/// What the claims remember.
pub(crate) struct Watch {
    pub(crate) agreement: Agreement,
    /// Number of the change that wrote a value: of an order, or a report.
    pub(crate) seqs: BTreeMap<(bool, u64), u64>,
    /// The newest change in each zone that somebody was told of.
    pub(crate) told: BTreeMap<Zone, u64>,
    /// What may be applied more than once: it has neither a stamp nor a name.
    pub(crate) repeatable: BTreeSet<(bool, u64)>,
    /// Doors that were opened and not told to close since.
    opened: BTreeSet<NodeId>,
    /// What each gateway has heard of the others.
    pub(crate) hearing: Hearing,
    /// Which replicas ever had this order or report on disk.
    wrote: BTreeMap<(bool, u64), BTreeSet<ReplicaId>>,
    /// Up to where each life of a gateway was looked at.
    applied: BTreeMap<GatewayId, (Life, Slot)>,
    /// Last value and order number per device and register.
    last: BTreeMap<(NodeId, bool), (f64, u64)>,
    /// When an epoch of a zone was first applied anywhere, and whose it is.
    epochs: BTreeMap<(Zone, Epoch), (u64, GatewayId)>,
    /// When each life asked for a lease, by its own clock.
    pub(crate) asked: BTreeSet<(Life, u64)>,
    /// The last life of each gateway that joined, as each life of a gateway knows it.
    joined: BTreeMap<(Life, GatewayId), Incarnation>,
    /// Who lost a zone with an epoch that was first applied just now.
    pub(crate) losers: Vec<GatewayId>,
    /// When a gateway was thrown out, and under which epoch it had been the owner.
    thrown_out: BTreeMap<(GatewayId, Zone), (Epoch, u64)>,
    /// Who leads, or believes so.
    leading: BTreeSet<GatewayId>,
    /// Where others began to vote, and the smallest majority that there ever was.
    voters: BTreeSet<Slot>,
    majority: usize,
}

impl Watch {
    /// Of a home that so many found.
    pub(crate) fn new(founders: usize) -> Self {
        Self {
            agreement: Agreement::default(),
            seqs: BTreeMap::new(),
            told: BTreeMap::new(),
            repeatable: BTreeSet::new(),
            opened: BTreeSet::new(),
            hearing: Hearing::default(),
            wrote: BTreeMap::new(),
            applied: BTreeMap::new(),
            last: BTreeMap::new(),
            epochs: BTreeMap::new(),
            asked: BTreeSet::new(),
            joined: BTreeMap::new(),
            losers: Vec::new(),
            thrown_out: BTreeMap::new(),
            voters: BTreeSet::new(),
            majority: founders / 2 + 1,
            leading: BTreeSet::new(),
        }
    }
}

pub(crate) fn after_a_step(world: &mut World, id: GatewayId) {
    let node = &world.nodes[&id];
    let Some(core) = &node.core else { return };
    memory_is_bounded(id, core.waiting(), core.unwritten());
    for (zone, told) in &world.watch.told {
        whoever_answers_for_a_zone_knows_what_was_told(world, id, zone, *told);
    }
    if world.plan.foreign {
        owners::nobody_answers_for_a_zone_that_moved(world, id);
    }
    if !core.is_leading() {
        world.watch.leading.remove(&id);
    } else if world.watch.leading.insert(id) {
        world.summary.leader_changes += 1;
    }
    let seen = (node.life(), core.applied());
    if world.watch.applied.insert(id, seen) == Some(seen) {
        return;
    }
    owners::note_epochs(world, id);
    owners::no_life_takes_the_place_of_one_after_it(world, id);
}

pub(crate) fn after_a_write(world: &mut World, id: GatewayId, news: News) {
    let node = &world.nodes[&id];
    let (disk, replica, watch) = (&node.disk, node.replica(), &mut world.watch);
    for said in &news.said {
        watch.wrote.entry(*said).or_default().insert(replica);
    }
    watch.agreement.after_a_write(id, disk, &news);
    for row in news.history {
        if watch.agreement.replicas_have_the_same_history(id, &row) {
            a_new_row(watch, row);
        }
    }
    if news.voters && watch.voters.insert(disk.applied) {
        world.summary.membership_changes += 1;
    }
    if news.voters {
        watch.majority = watch.majority.min(disk.voters().majority());
    }
    if news.installed {
        world.summary.snapshots += 1;
    }
}

fn memory_is_bounded(id: GatewayId, waiting: usize, unwritten: usize) {
    // People here ask a few hundred things in all.
    claim!(waiting < 2000, "memory is bounded", "gateway {id} has {waiting} things waiting");
    // Who is far behind learns at once what others proposed again and again, as long as its disk takes.
    claim!(
        unwritten < 20_000,
        "memory is bounded",
        "gateway {id} has {unwritten} entries and rows to write"
    );
}

fn a_new_row(watch: &mut Watch, row: HistoryRow) {
    let order = row.register == "desired";
    let key = (row.node, order);
    let last = watch.last.get(&key).copied();
    let value: f64 = row.state.as_str().parse().expect("values here are numbers");
    a_door_is_told_to_close_once(watch, &row, value);
    let repeatable = watch.repeatable.contains(&(order, value as u64));
    if order {
        orders_of_a_device_are_numbered_without_holes(&row, last);
    } else if row.ordered.is_none() && value >= 10.0 && !repeatable {
        reports_of_a_device_keep_their_order(&row, value, last);
    }
    // A door's state and a rule's orders are 0 and 1.
    if value >= 10.0 && repeatable {
        // Its owner may acknowledge it while others have the repetition already.
        watch.seqs.entry((order, value as u64)).or_insert(row.seq.0);
    } else if value >= 10.0 {
        a_request_is_applied_once(watch, &row, (order, value as u64));
    }
    watch.last.insert(key, (value, row.ordered.unwrap_or(0)));
    watch.agreement.history.push(row);
}

/// A sensor's values only grow.
fn reports_of_a_device_keep_their_order(row: &HistoryRow, value: f64, last: Option<(f64, u64)>) {
    let holds = last.is_none_or(|(before, _)| before < value);
    claim!(holds, "reports of a device keep their order", "{last:?} {row:?}");
}

/// Every value is said once, or under one id.
fn a_request_is_applied_once(watch: &mut Watch, row: &HistoryRow, value: (bool, u64)) {
    let before = watch.seqs.insert(value, row.seq.0);
    claim!(before.is_none(), "a request is applied once", "{row:?}, and as change {before:?}");
}

fn orders_of_a_device_are_numbered_without_holes(row: &HistoryRow, last: Option<(f64, u64)>) {
    let next = last.map_or(0, |(_, order)| order) + 1;
    claim!(
        row.ordered == Some(next),
        "orders of a device are numbered without holes",
        "{row:?}, not {next}"
    );
}

/// The timer fires once, however often somebody proposes that.
fn a_door_is_told_to_close_once(watch: &mut Watch, row: &HistoryRow, value: f64) {
    if row.register == "state" && value == 1.0 {
        watch.opened.insert(row.node);
    } else if row.note.as_deref() == Some("Closing Door Automatically.") {
        claim!(watch.opened.remove(&row.node), "a door is told to close once", "{row:?}");
    }
}

/// What left rests on what is on the disk.
pub(crate) fn nothing_rests_on_unsynced_state(disk: &Disk, parcel: &Parcel) {
    let PeerMessage::Paxos(message) = &parcel.message else { return };
    let holds = match message {
        Message::Promise { ballot, .. }
        | Message::Prepare { ballot, .. }
        | Message::Accept { ballot, .. } => disk.promised.unwrap_or(Ballot::ZERO) >= *ballot,
        Message::Accepted { ballot, from, to, .. } => (from.0..=to.0).map(Slot).all(|slot| {
            let held = disk.accepted.get(&slot).is_some_and(|entry| entry.ballot >= *ballot);
            held || slot <= disk.applied
        }),
        _ => true,
    };
    claim!(holds, "nothing rests on unsynced state", "{parcel:?}");
}

pub(crate) fn an_acknowledged_publish_is_agreed_and_on_a_majoritys_disks(
    world: &World,
    stamp: u64,
) {
    let Some(said) = world.people.said.get(&stamp) else { return };
    let answers = said.question.as_ref().map(|question| &world.people.asked[question].answers);
    let refused = answers.is_some_and(|a| a.iter().any(|answer| answer.failure().is_some()));
    let Some(value) = said.value.filter(|_| !refused) else {
        claim!(
            answers.is_none_or(|a| !a.is_empty()),
            "every request is answered",
            "{stamp} is dropped without an answer"
        );
        return;
    };
    let agreed = world.watch.seqs.contains_key(&(said.question.is_some(), value));
    claim!(agreed, "what is acknowledged is agreed", "value {value} of {}", said.place);
    let written = world.watch.wrote.get(&(said.question.is_some(), value));
    let disks = written.map_or(0, BTreeSet::len);
    claim!(
        disks >= world.watch.majority,
        "what is acknowledged is on a majority's disks",
        "value {value} of {} was on {disks}",
        said.place
    );
}

/// An owner speaks of an entry only once it is in its own tables too.
pub(crate) fn an_owner_acknowledges_what_is_in_its_tables(
    world: &World,
    id: GatewayId,
    stamp: u64,
) {
    let Some(said) = world.people.said.get(&stamp) else { return };
    let node = &world.nodes[&id];
    let (zone, device) = said.place.split_once('/').expect("a place is zone/device");
    let (zone, device) = (zone.parse().expect("a name"), device.parse().expect("a name"));
    let known = node.core.as_ref().is_some_and(|core| core.house().node(&zone, &device).is_some());
    let Some(value) = said.value.filter(|_| known || said.question.is_none()) else { return };
    let seq = world.watch.seqs.get(&(said.question.is_some(), value));
    claim!(
        seq.is_some_and(|seq| Seq(*seq) <= node.disk.tables.seq),
        "an owner acknowledges what is in its tables",
        "gateway {id} acknowledges value {value} of {}",
        said.place
    );
}

pub(crate) fn a_state_is_published_after_it_is_stored(world: &World, id: GatewayId, json: &[u8]) {
    let state: serde_json::Value = serde_json::from_slice(json).expect("a state is JSON");
    let stored = world.nodes[&id].disk.tables.seq;
    claim!(
        state["seq"].as_u64() <= Some(stored.0),
        "a state is published after it is stored",
        "gateway {id} tells {state} at change {stored}"
    );
}

/// Nobody is told what could be gone again after a power cut of this gateway alone.
pub(crate) fn an_answer_tells_what_is_in_the_tables(
    world: &World,
    id: GatewayId,
    topic: &str,
    payload: &[u8],
) {
    if !world.people.asked.contains_key(topic) {
        return;
    }
    let Ok(answer) = Answer::parse(payload) else { return };
    let Some(seq) = answer.get("seq").as_u64().map(Seq) else { return };
    let stored = world.nodes[&id].disk.tables.seq;
    claim!(
        seq <= stored,
        "an answer tells what is in the tables",
        "gateway {id} answers {answer:?} at change {stored}"
    );
}

/// What a `get` is told holds whatever had been acknowledged to the device, and whatever order had
/// been answered, when it was asked. And an order is answered when it is agreed.
pub(crate) fn an_answer_is_as_fresh_as_what_was_acknowledged(
    world: &World,
    topic: &str,
    payload: &[u8],
) {
    let Some(asked) = world.people.asked.get(topic) else { return };
    let Ok(answer) = Answer::parse(payload) else { return };
    if let Some(known) = &asked.list {
        return a_list_is_as_fresh_as_what_was_acknowledged(known, &answer);
    }
    let Some(seq) = answer.get("seq").as_u64().filter(|_| answer.failure().is_none()) else {
        return;
    };
    claim!(
        seq <= world.watch.agreement.history.len() as u64,
        "what is answered is agreed",
        "{}: {answer:?}",
        asked.place
    );
    if !answer.get("cache").is_null() {
        claim!(
            seq >= asked.known,
            "an answer is as fresh as what was acknowledged",
            "{}: change {} was known when it was asked, told is {answer:?}",
            asked.place,
            asked.known
        );
    }
}

fn a_list_is_as_fresh_as_what_was_acknowledged(known: &BTreeMap<String, u64>, answer: &Answer) {
    let rows = answer.get("devices").as_array();
    for row in rows.into_iter().flatten() {
        let name = |part: &str| row[part].as_str().unwrap_or_default().to_owned();
        let place = format!("{}/{}", name("zone"), name("name"));
        let (known, told) = (known.get(&place).copied(), row["seq"].as_u64());
        claim!(
            told >= known,
            "a list is as fresh as what was acknowledged",
            "{place}: change {known:?} was known when it was asked for, told is {told:?}"
        );
    }
}

/// What each client saw of each register could have happened one after another.
pub(crate) fn histories_are_linearizable(world: &World) {
    let judged = world.people.operations.iter();
    let judged = judged.filter(|operation| !world.people.unjudged.contains(&operation.key));
    let judged: Vec<_> = judged.cloned().collect();
    if let Err(violation) = linear::check(&judged) {
        crate::verdict::broken("histories are linearizable", violation.to_string());
    }
}
