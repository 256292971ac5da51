//! Claims about what devices and people are told.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use wire::{Answer, GatewayId};

use super::an_order_is_sent;
use crate::system::class::Class;
use crate::system::world::World;
use crate::verdict::claim;
use broker_core::protocol::Version;

/// A client was told that what it said is taken: it is on a majority's disks, and in the agreed history; or it could
/// only be refused, and the client's version of MQTT has no word for that.
pub(crate) fn what_is_acknowledged(world: &mut World, at: usize) {
    let now = world.now;
    let letter = world.letters.all[at].clone();
    world.summary.system.acknowledged += 1;
    let place = &letter.place;
    let version = world.clients[letter.client].persona.version;
    // An order to a device that nobody knew when it was given.
    let unknown = letter.order && !letter.device_known;
    let agreed =
        letter.value.filter(|value| world.watch.seqs.contains_key(&(letter.order, *value)));
    if letter.is_nonsense || (unknown && agreed.is_none()) {
        let told = version == Version::V5 && world.plan.classes.has(Class::Refusal);
        claim!(!told, "a refusal is not told as a success", "{place}: {:?}", letter.payload);
        return;
    }
    let Some(value) = letter.value else { return };
    let key = (letter.order, value);
    let seq = world.watch.seqs.get(&key).map(|(seq, _)| *seq);
    claim!(
        seq.is_some(),
        "what is acknowledged is agreed",
        "value {value} of {place}, said at {} ms as {:?}",
        letter.said / 1000,
        letter.payload
    );
    let disks = world.watch.wrote.get(&key).map_or(0, BTreeSet::len);
    claim!(
        disks >= world.watch.majority,
        "what is acknowledged is on a majority's disks",
        "value {value} of {place} was on {disks}"
    );
    world.letters.knows(place, seq.unwrap_or(0));
    if !letter.order {
        world.letters.returned(letter.operation, now);
    }
    if !world.calm && world.dice.chance(30) {
        // What was told just now is what an old owner would not know.
        let soon = world.dice.tail(100, 300_000);
        let place = letter.place;
        world.after(soon, super::super::world::Event::Ask(place));
    }
}

/// A client was told that what it said will never be taken: it is nonsense, or nobody knew the device that was ordered.
pub(crate) fn what_is_refused_for_good(world: &World, at: usize) {
    let letter = &world.letters.all[at];
    let unknown = letter.order && !letter.device_known;
    claim!(
        letter.is_nonsense || unknown,
        "nobody is refused for good what can be done",
        "{}: {:?}",
        letter.place,
        letter.payload
    );
}

/// Nobody is told what could be gone again after a power cut of this gateway alone.
pub(crate) fn before_a_publish(world: &mut World, id: GatewayId, topic: &str, payload: &[u8]) {
    if topic.ends_with("/command") {
        return an_order_is_sent(world, id, topic, payload);
    }
    let is_state = topic.ends_with("/state");
    if !is_state && !world.letters.asked.contains_key(topic) {
        return;
    }
    let Ok(json) = serde_json::from_slice::<Json>(payload) else { return };
    let Some(seq) = json["seq"].as_u64() else { return };
    let stored = world.processes[&id].disk.tables.seq.0;
    claim!(
        seq <= stored,
        "what is told is in the tables",
        "gateway {id} tells {json} at change {stored}"
    );
}

/// What is answered holds whatever was known to anyone when it was asked, and is agreed. An order that an answer says
/// not to be fulfilled has had its time.
pub(crate) fn an_answer_arrives(world: &mut World, question: &str, answer: &Answer) {
    let Some(asked) = world.letters.asked.get(question) else { return };
    let place = &asked.place;
    if let Some(why) = answer.failure() {
        let unknown = asked.known == 0;
        let again = why.contains("try again") || why.contains("majority");
        claim!(
            unknown || again,
            "nobody is refused what can be done",
            "{place}: {answer:?}, asked at {} ms",
            asked.called / 1000
        );
        return;
    }
    let Some(seq) = answer.get("seq").as_u64() else { return };
    claim!(
        seq <= world.watch.agreement.history.len() as u64,
        "what is answered is agreed",
        "{place}: {answer:?}"
    );
    if asked.letter.is_none() {
        claim!(
            seq >= asked.known,
            "an answer is as fresh as what was known",
            "{place}: change {} was known when it was asked, told is {answer:?}",
            asked.known
        );
    } else if *answer.get("fulfilled") == Json::Bool(false) {
        super::times::an_order_ends_unfulfilled(world, question, answer);
    }
}

/// A state that goes out on one connection of a reader never goes back.
pub(crate) fn a_state_arrives(
    world: &mut World,
    at: usize,
    topic: &str,
    payload: &[u8],
    retained: bool,
) {
    let Ok(json) = serde_json::from_slice::<Json>(payload) else { return };
    let Some(seq) = json["seq"].as_u64() else { return };
    world.last_states.insert(topic.to_owned(), seq);
    let agreed = world.watch.agreement.history.len() as u64;
    claim!(seq <= agreed, "what is published is agreed", "{topic}: {json} of {agreed} changes");
    let Some(conn) = world.clients[at].conn else { return };
    let last = world.watch.states.insert((conn, topic.to_owned()), seq).unwrap_or(0);
    claim!(
        seq >= last || !world.plan.classes.has(Class::States),
        "a state never goes back",
        "{topic}: change {seq} after {last}, retained: {retained}"
    );
}

/// What each client saw of each register could have happened one after another.
pub(crate) fn histories_are_linearizable(world: &World) {
    let judged = world.letters.operations.iter();
    let judged = judged.filter(|operation| !world.letters.unjudged.contains(&operation.key));
    let judged: Vec<_> = judged.cloned().collect();
    if let Err(violation) = linear::check(&judged) {
        crate::verdict::broken("histories are linearizable", violation.to_string());
    }
}
