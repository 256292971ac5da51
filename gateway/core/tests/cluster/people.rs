//! People and devices: what they said and asked, and what they were told.

use std::collections::BTreeMap;

use linear::{Action, Operation};
use serde_json::{Value as Json, json};
use wire::{Answer, ZoneVerb};

use crate::broker::Act;
use crate::world::{Event, World};

#[derive(Default)]
pub(crate) struct People {
    /// Reports and orders by their stamps.
    pub(crate) said: BTreeMap<u64, Said>,
    /// Questions by the topic on which they are to be answered.
    pub(crate) asked: BTreeMap<String, Asked>,
    pub(crate) devices: BTreeMap<String, Thing>,
    /// Every value is used once, so that it names what said it. From 10: 0 and 1 are words too.
    values: u64,
}

pub(crate) struct Said {
    pub(crate) place: String,
    /// None when it is nothing that can be agreed.
    pub(crate) value: Option<u64>,
    /// For an order: where it is answered.
    pub(crate) question: Option<String>,
    pub(crate) acknowledged: bool,
}

pub(crate) struct Asked {
    pub(crate) place: String,
    /// What a device was told to be agreed, and what people were, when this was asked.
    pub(crate) known: (u64, u64),
    pub(crate) answers: Vec<Answer>,
    /// What was ordered, if this was an order.
    orders: Option<u64>,
    /// When it was asked, and when it was answered first.
    called: u64,
    returned: Option<u64>,
}

/// A device; it drops order numbers that it has seen.
pub(crate) struct Thing {
    pub(crate) obeys: bool,
    pub(crate) online: bool,
    pub(crate) commands: Vec<u64>,
    /// Commands that came while it was away.
    pub(crate) missed: u64,
    /// Its highest value whose report was acknowledged.
    pub(crate) acknowledged: u64,
    /// Its highest order that was answered.
    pub(crate) ordered: u64,
}

impl Default for Thing {
    fn default() -> Self {
        Self {
            obeys: true,
            online: true,
            commands: Vec::new(),
            missed: 0,
            acknowledged: 0,
            ordered: 0,
        }
    }
}

impl World {
    /// A device reports a value that it never reported before; gives the stamp.
    pub(crate) fn report(&mut self, place: &str) -> u64 {
        let value = self.new_value();
        self.say(place, ZoneVerb::Report, &json!(value), Some(value), None)
    }

    /// Someone orders a value that nobody ordered before; gives the question.
    pub(crate) fn set(&mut self, place: &str, extra: Json) -> String {
        let value = self.new_value();
        let mut order = extra;
        order["state"] = value.into();
        let question = self.question(place);
        self.people.asked.entry(question.clone()).and_modify(|asked| asked.orders = Some(value));
        self.say(place, ZoneVerb::Set, &order, Some(value), Some(&question));
        question
    }

    /// Someone asks for a device's state.
    pub(crate) fn get(&mut self, place: &str) -> String {
        let question = self.question(place);
        let topic = format!("home/{place}/get");
        let (_, acts) = self.broker.publish(topic, Vec::new(), Some(question.clone()));
        self.act(acts);
        question
    }

    /// A device's connection to the broker comes or goes.
    pub(crate) fn presence(&mut self, place: &str, online: bool) {
        self.people.devices.entry(place.to_owned()).or_default().online = online;
        let payload = if online { "online" } else { "offline" };
        let topic = format!("home/{place}/status");
        let (_, acts) = self.broker.publish(topic, payload.into(), None);
        self.act(acts);
    }

    /// Publishes something that cannot be agreed; gives the question.
    pub(crate) fn nonsense(&mut self, place: &str, verb: ZoneVerb) -> String {
        let question = self.question(place);
        self.say(place, verb, &json!({"state": [1]}), None, Some(&question));
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
        let (place, value) = (said.place.clone(), said.value);
        let device = self.people.devices.entry(place).or_default();
        if let (Some(value), None) = (value, &said.question) {
            device.acknowledged = device.acknowledged.max(value);
        }
    }

    /// Something was published to which people and devices subscribe.
    pub(crate) fn published(&mut self, topic: &str, payload: &[u8]) {
        if let Some(asked) = self.people.asked.get_mut(topic) {
            let answer = Answer::parse(payload).expect("an answer is JSON with a status");
            if let Some(order) = answer.get("order").as_u64() {
                let device = self.people.devices.entry(asked.place.clone()).or_default();
                device.ordered = device.ordered.max(order);
            }
            asked.returned = asked.returned.or(Some(self.now));
            asked.answers.push(answer);
        } else if let Some(place) = topic.strip_suffix("/command") {
            let place = place.strip_prefix("home/").expect("a command is for a device");
            let command: Json = serde_json::from_slice(payload).expect("a command is JSON");
            self.commanded(place, &command);
        }
    }

    /// A device does what it was told, and says so.
    pub(crate) fn obey(&mut self, place: &str, command: &Json) {
        let value = command["state"].as_u64();
        self.say(place, ZoneVerb::Report, command, value, None);
    }

    fn commanded(&mut self, place: &str, command: &Json) {
        let order = command["order"].as_u64().expect("an order has a number");
        let device = self.people.devices.entry(place.to_owned()).or_default();
        device.missed += u64::from(!device.online);
        if device.online && device.commands.last().is_none_or(|last| *last < order) {
            device.commands.push(order);
            if device.obeys {
                let report = json!({"state": command["state"], "order": order});
                self.soon(Event::Obey(place.to_owned(), report));
            }
        }
    }

    fn say(
        &mut self,
        place: &str,
        verb: ZoneVerb,
        payload: &Json,
        value: Option<u64>,
        question: Option<&String>,
    ) -> u64 {
        let topic = format!("home/{place}/{verb}");
        let payload = payload.to_string().into_bytes();
        let (stamp, acts): (u64, Vec<Act>) = self.broker.publish(topic, payload, question.cloned());
        let (place, question) = (place.to_owned(), question.cloned());
        self.people.said.insert(stamp, Said { place, value, question, acknowledged: false });
        self.act(acts);
        stamp
    }

    fn question(&mut self, place: &str) -> String {
        let question = format!("answer/{}", self.people.asked.len());
        let device = self.people.devices.entry(place.to_owned()).or_default();
        let known = (device.acknowledged, device.ordered);
        let (place, called) = (place.to_owned(), self.now);
        let asked =
            Asked { place, known, answers: Vec::new(), orders: None, called, returned: None };
        self.people.asked.insert(question.clone(), asked);
        question
    }

    /// What people saw of the devices' orders: each device a register.
    pub(crate) fn orders_seen(&self) -> Vec<Operation> {
        let operation = |(client, asked): (u64, &Asked)| {
            let told = asked.answers.first().filter(|answer| answer.failure().is_none());
            let action = match (asked.orders, told) {
                (Some(value), _) => Action::Write(value),
                // Questions that are no query get other answers.
                (None, Some(answer)) if answer.get("cache").is_null() => return None,
                (None, answer) => Action::Read(answer?.get("desired")["state"].as_u64()),
            };
            let (key, called) = (asked.place.clone(), asked.called);
            let returned = told.and(asked.returned);
            Some(Operation { key, client, action, called, returned })
        };
        (0..).zip(self.people.asked.values()).filter_map(operation).collect()
    }

    fn new_value(&mut self) -> u64 {
        self.people.values += 1;
        self.people.values + 9
    }
}
