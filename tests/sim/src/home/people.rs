//! People and devices: what they said and asked, and what they were told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use linear::{Action, Operation};
use serde_json::{Value as Json, json};
use wire::{Answer, ZoneVerb};

use super::claims;
use super::world::{Event, MS, World};
use crate::verdict::claim;

#[derive(Default)]
pub(crate) struct People {
    /// Reports and orders by their stamps.
    pub(crate) said: BTreeMap<u64, Said>,
    /// Questions by the topic on which they are to be answered.
    pub(crate) asked: BTreeMap<String, Asked>,
    pub(crate) devices: BTreeMap<String, Thing>,
    /// Everything that was done to the registers, and when.
    pub(crate) operations: Vec<Operation>,
    /// Registers that were written more than once by the same word, perhaps.
    pub(crate) unjudged: BTreeSet<String>,
    /// Every value is used once, so that it names what said it. From 10: 0 and 1 are words too.
    values: u64,
}

#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) place: String,
    /// None when it is nothing that can be agreed.
    pub(crate) value: Option<u64>,
    /// For an order: where it is answered.
    pub(crate) question: Option<String>,
    pub(crate) acknowledged: bool,
    payload: Json,
    operation: Option<usize>,
}

pub(crate) struct Asked {
    pub(crate) place: String,
    /// Whether somebody had been told of a change in its zone when this was asked.
    zone_known: bool,
    called: u64,
    /// The newest change of the device that was acknowledged or answered when this was asked.
    pub(crate) known: u64,
    /// The same of every device, for someone who asks for the list of them.
    pub(crate) list: Option<BTreeMap<String, u64>>,
    pub(crate) answers: Vec<Answer>,
    operation: Option<usize>,
    /// For an order with an id, which may be given again.
    again: Option<(Json, u64)>,
}

/// A device; it drops order numbers that it has seen.
pub(crate) struct Thing {
    pub(crate) obeys: bool,
    pub(crate) online: bool,
    pub(crate) commands: Vec<u64>,
    /// Commands that came while it was away.
    pub(crate) missed: u64,
    /// How many of its publishes were acknowledged.
    pub(crate) acknowledged: u64,
    /// The newest change that it, or someone who ordered it, was told of.
    known: u64,
    /// Its publishes that are not acknowledged, by stamp.
    unacknowledged: VecDeque<u64>,
}

impl Default for Thing {
    fn default() -> Self {
        Self {
            obeys: true,
            online: true,
            commands: Vec::new(),
            missed: 0,
            acknowledged: 0,
            known: 0,
            unacknowledged: VecDeque::new(),
        }
    }
}

/// After which someone who got no answer asks again, and how often.
const PATIENCE: u64 = 700 * MS;
const RETRIES: u64 = 4;

/// The value that a state names, as an answer or a command tells it.
pub(crate) fn value_of(state: &Json) -> Option<u64> {
    state.as_str()?.parse().ok()
}

fn register(place: &str, order: bool) -> String {
    format!("{place} {}", if order { "desired" } else { "state" })
}

impl World {
    /// A device reports a value that it never reported before; gives the stamp.
    pub(crate) fn report(&mut self, place: &str) -> u64 {
        let value = self.new_value();
        self.say(place, ZoneVerb::Report, json!(value), Some(value), None)
    }

    /// The same under a name of its own, so that it may be said again.
    pub(crate) fn report_with_id(&mut self, place: &str) -> u64 {
        let value = self.new_value();
        let report = json!({"state": value, "id": format!("r{value}")});
        self.say(place, ZoneVerb::Report, report, Some(value), None)
    }

    /// A door opens; what follows is a rule's business.
    pub(crate) fn say_of_the_door(&mut self, place: &str) {
        let report = json!({"state": "1", "kind": "door"});
        self.say(place, ZoneVerb::Report, report, None, None);
    }

    /// Someone orders a value that nobody ordered before; gives the question.
    pub(crate) fn set(&mut self, place: &str, extra: Json) -> String {
        let value = self.new_value();
        let mut order = extra;
        order["state"] = value.into();
        let again = order["id"].is_string().then(|| (order.clone(), RETRIES));
        let question = self.question(place, again);
        self.say(place, ZoneVerb::Set, order, Some(value), Some(&question));
        self.after(PATIENCE, Event::Retry(question.clone()));
        question
    }

    /// Whoever got no answer gives the same order again, under the same id.
    pub(crate) fn ask_again(&mut self, question: &str) {
        let asked = self.people.asked.get_mut(question).filter(|asked| asked.answers.is_empty());
        let Some(asked) = asked else { return };
        let Some((order, left)) = asked.again.as_mut().filter(|(_, left)| *left > 0) else {
            return;
        };
        *left -= 1;
        let (order, place) = (order.clone(), asked.place.clone());
        let value = order["state"].as_u64();
        self.summary.home.retries += 1;
        self.say(&place, ZoneVerb::Set, order, value, Some(&question.to_owned()));
        self.after(PATIENCE, Event::Retry(question.to_owned()));
    }

    /// Someone asks the API what there is.
    pub(crate) fn ask_for_the_list(&mut self) {
        let devices = self.people.devices.iter();
        let known = devices.map(|(place, device)| (place.clone(), device.known)).collect();
        let question = self.question("api/devices", None);
        if let Some(asked) = self.people.asked.get_mut(&question) {
            asked.list = Some(known);
        }
        let acts = self.broker.publish(
            "hearth/home/api/devices".to_owned(),
            Vec::new(),
            Some(question.clone()),
        );
        self.act(acts);
    }

    /// Someone asks for a device's state.
    pub(crate) fn get(&mut self, place: &str) -> String {
        let question = self.question(place, None);
        let topic = format!("home/{place}/get");
        let acts = self.broker.publish(topic, Vec::new(), Some(question.clone()));
        self.act(acts);
        question
    }

    /// A device's connection to the broker comes or goes.
    pub(crate) fn presence(&mut self, place: &str, online: bool) {
        self.people.devices.entry(place.to_owned()).or_default().online = online;
        let payload = if online { "online" } else { "offline" };
        let topic = format!("home/{place}/status");
        let acts = self.broker.publish(topic, payload.into(), None);
        self.act(acts);
    }

    /// Publishes something that cannot be agreed; gives the question.
    pub(crate) fn nonsense(&mut self, place: &str, verb: ZoneVerb) -> String {
        let question = self.question(place, None);
        self.say(place, verb, json!({"state": [1]}), None, Some(&question));
        question
    }

    pub(crate) fn answer(&self, question: &str) -> Option<&Answer> {
        self.people.asked[question].answers.first()
    }

    pub(crate) fn is_acknowledged(&self, stamp: u64) -> bool {
        self.people.said[&stamp].acknowledged
    }

    pub(crate) fn acknowledged(&mut self, stamp: u64) {
        let Some(said) = self.people.said.get_mut(&stamp) else { return };
        said.acknowledged = true;
        let (place, operation) = (said.place.clone(), said.operation);
        // Of a request that was refused, another copy may have been agreed; this one tells nothing of it.
        let answers =
            said.question.iter().flat_map(|question| &self.people.asked[question].answers);
        let refused = answers.into_iter().any(|answer| answer.failure().is_some());
        let value = said.value.filter(|_| !refused);
        let seq =
            value.and_then(|value| self.watch.seqs.get(&(said.question.is_some(), value)).copied());
        let returned = operation.filter(|_| said.question.is_none());
        if let Some(at) = returned {
            self.people.operations[at].returned.get_or_insert(self.now);
        }
        // What was told just now is what an old owner would not know.
        if !self.calm && self.dice.chance(30) {
            let soon = self.dice.tail(100, 300_000);
            self.after(soon, Event::Ask(place.clone()));
        }
        self.told(&place, seq.unwrap_or(0));
        let device = self.people.devices.entry(place).or_default();
        device.unacknowledged.retain(|waiting| *waiting != stamp);
        device.acknowledged += 1;
        device.known = device.known.max(seq.unwrap_or(0));
        self.summary.home.acknowledged += 1;
    }

    /// Something was published to which people and devices subscribe.
    pub(crate) fn published(&mut self, topic: &str, payload: &[u8]) {
        if self.people.asked.contains_key(topic) {
            let answer = Answer::parse(payload).expect("an answer is JSON with a status");
            self.answered(topic, answer);
        } else if let Some(place) = topic.strip_suffix("/command") {
            let place = place.strip_prefix("home/").expect("a command is for a device");
            let command: Json = serde_json::from_slice(payload).expect("a command is JSON");
            self.commanded(place, &command);
        }
    }

    fn answered(&mut self, question: &str, answer: Answer) {
        let now = self.now;
        let Some(asked) = self.people.asked.get_mut(question) else { return };
        let first = asked.answers.is_empty();
        let well = answer.failure().is_none();
        let nowhere = answer.failure().is_some_and(|why| why.contains("there is no zone"));
        claim!(
            !(nowhere && asked.zone_known && asked.operation.is_some()),
            "no order is refused for a zone that there is",
            "{}: {answer:?}",
            asked.place
        );
        let mut told = None;
        if let Some(at) = asked.operation.filter(|_| well) {
            // A set was agreed.
            self.people.operations[at].returned.get_or_insert(now);
            let device = self.people.devices.entry(asked.place.clone()).or_default();
            let seq = answer.get("seq").as_u64().unwrap_or(0);
            device.known = device.known.max(seq);
            let place = asked.place.clone();
            self.summary.home.sets += u64::from(first);
            told = Some((place, seq));
        }
        asked.answers.push(answer.clone());
        self.summary.home.lists += u64::from(first && well && asked.list.is_some());
        if well && !answer.get("cache").is_null() {
            let (place, called) = (asked.place.clone(), asked.called);
            self.summary.home.gets += 1;
            self.saw(&place, called, &answer);
        }
        if let Some((place, seq)) = told {
            self.told(&place, seq);
        }
    }

    /// Somebody knows of this change from here on.
    fn told(&mut self, place: &str, seq: u64) {
        let zone = place.split('/').next().unwrap_or(place);
        let Ok(zone) = zone.parse::<wire::Zone>() else { return };
        let newest = self.watch.told.entry(zone.clone()).or_default();
        *newest = (*newest).max(seq);
        let newest = *newest;
        for id in self.everybody() {
            claims::whoever_answers_for_a_zone_knows_what_was_told(self, id, &zone, newest);
        }
    }

    /// Someone who asked saw this. A door's states are no names, and its orders are a rule's.
    fn saw(&mut self, place: &str, called: u64, answer: &Answer) {
        if place.ends_with("door") {
            return;
        }
        let values = [
            ("state", value_of(answer.get("state"))),
            ("desired", value_of(&answer.get("desired")["state"])),
        ];
        for (register, value) in values {
            let key = format!("{place} {register}");
            let (client, returned) = (0, Some(self.now));
            let action = Action::Read(value);
            self.people.operations.push(Operation { key, client, action, called, returned });
        }
    }

    /// A device does what it was told, and says so.
    pub(crate) fn obey(&mut self, place: &str, command: &Json) {
        // What a rule orders names nothing.
        let value = value_of(&command["state"]).filter(|value| *value >= 10);
        self.say(place, ZoneVerb::Report, command.clone(), value, None);
    }

    fn commanded(&mut self, place: &str, command: &Json) {
        let order = command["order"].as_u64().expect("an order has a number");
        let device = self.people.devices.entry(place.to_owned()).or_default();
        device.missed += u64::from(!device.online);
        if device.online && device.commands.last().is_none_or(|last| *last < order) {
            device.commands.push(order);
            if device.obeys {
                let id = format!("o{order}");
                let report = json!({"state": command["state"], "order": order, "id": id});
                self.soon(Event::Obey(place.to_owned(), report));
            }
        }
    }

    /// The broker has lost everything: devices say again what was not acknowledged. Without an id it would be another
    /// report of the same value, so a sensor tells its present one.
    pub(crate) fn devices_say_again(&mut self) {
        let places: Vec<String> = self.people.devices.keys().cloned().collect();
        for place in places {
            let device = self.people.devices.entry(place.clone()).or_default();
            let (online, stamps) = (device.online, core::mem::take(&mut device.unacknowledged));
            for stamp in stamps {
                let Said { payload, value, .. } = self.people.said[&stamp].clone();
                self.summary.home.retries += 1;
                if payload["id"].is_string() {
                    self.say(&place, ZoneVerb::Report, payload, value, None);
                } else if payload.is_u64() {
                    self.report(&place);
                }
            }
            self.presence(&place, online);
        }
    }

    fn say(
        &mut self,
        place: &str,
        verb: ZoneVerb,
        payload: Json,
        value: Option<u64>,
        question: Option<&String>,
    ) -> u64 {
        let topic = format!("home/{place}/{verb}");
        let bytes = payload.to_string().into_bytes();
        let stamp = self.broker.next_stamp();
        let (place, question) = (place.to_owned(), question.cloned());
        let order = question.is_some();
        if let Some(value) = value.filter(|_| self.plan.foreign && !payload["id"].is_string()) {
            // At least once, and nothing tells the second time from the first.
            self.watch.repeatable.insert((order, value));
            self.people.unjudged.insert(register(&place, order));
        }
        let once = value.filter(|value| !self.watch.repeatable.contains(&(order, *value)));
        let operation = once.map(|value| self.begin(&place, value, question.as_ref()));
        if question.is_none() {
            let device = self.people.devices.entry(place.clone()).or_default();
            device.unacknowledged.push_back(stamp);
        }
        let said = Said {
            place,
            value,
            question: question.clone(),
            acknowledged: false,
            payload,
            operation,
        };
        self.people.said.insert(stamp, said);
        let acts = self.broker.publish(topic, bytes, question);
        self.act(acts);
        stamp
    }

    /// The write of a value begins when it is said for the first time.
    fn begin(&mut self, place: &str, value: u64, question: Option<&String>) -> usize {
        let key = register(place, question.is_some());
        let action = Action::Write(value);
        let operations = &mut self.people.operations;
        let known = operations.iter().position(|o| o.action == action && o.key == key);
        let at = known.unwrap_or(operations.len());
        if known.is_none() {
            let (client, called, returned) = (0, self.now, None);
            operations.push(Operation { key, client, action, called, returned });
        }
        if let Some(asked) = question.and_then(|question| self.people.asked.get_mut(question)) {
            asked.operation = Some(at);
        }
        at
    }

    pub(crate) fn question(&mut self, place: &str, again: Option<(Json, u64)>) -> String {
        let question = format!("answer/{}", self.people.asked.len());
        let known = self.people.devices.get(place).map_or(0, |device| device.known);
        let place = place.to_owned();
        let called = self.now;
        let (answers, operation, list) = (Vec::new(), None, None);
        let zone = place.split('/').next().and_then(|zone| zone.parse::<wire::Zone>().ok());
        let told = zone.and_then(|zone| self.watch.told.get(&zone));
        let zone_known = told.is_some_and(|seq| *seq > 0);
        let asked = Asked { place, zone_known, called, known, list, answers, operation, again };
        self.people.asked.insert(question.clone(), asked);
        question
    }

    fn new_value(&mut self) -> u64 {
        self.people.values += 1;
        self.people.values + 9
    }
}
