//! What devices and people say and ask, and what they make of what they hear.

use broker_core::protocol::{Outgoing, Qos, Version};
use linear::{Action, Operation};
use serde_json::{Value as Json, json};
use wire::Answer;

use super::claims;
use super::client::{Client, Persona, Role};
use super::letters::{Asked, Letter, Told, register};
use super::world::{Event, MS, World};
use crate::home::people::value_of;

/// After which someone who got no answer asks again.
const PATIENCE: u64 = 700 * MS;

/// The devices of every home. The noise is in the zone of a quiet sensor.
const PLACES: [(&str, Role); 8] = [
    ("a/sensor", Role::Sensor),
    ("b/sensor", Role::Sensor),
    ("c/lamp", Role::Lamp),
    ("d/lamp", Role::Lamp),
    ("e/sensor", Role::Sensor),
    ("a/lamp", Role::Lamp),
    ("d/door", Role::Door),
    ("a/noise", Role::Noise),
];

/// A lamp that there is not, in a zone of which nothing ever reports.
const NOWHERE: &str = "attic/lamp";

/// Who they are.
pub(crate) const PEOPLE: [(&str, Role); 3] =
    [("ada", Role::Person), ("ben", Role::Person), ("eve", Role::Watcher)];

impl World {
    /// Draws everyone, and lets them come.
    pub(crate) fn furnish(&mut self) {
        for (name, role) in PLACES.into_iter().chain(PEOPLE) {
            let dice = &mut self.dice;
            let persona = Persona {
                name: name.to_owned(),
                role,
                version: dice.pick(&[Version::V311, Version::V5]),
                kept: dice.chance(60),
                qos: match role {
                    Role::Noise => Qos::AtMostOnce,
                    Role::Person | Role::Watcher => Qos::AtLeastOnce,
                    _ if dice.chance(25) => Qos::ExactlyOnce,
                    _ => Qos::AtLeastOnce,
                },
                ids: dice.chance(30),
                obeys: dice.chance(70),
            };
            self.clients.push(Client::new(persona));
            let soon = self.dice.between(1, 300) * MS;
            self.at(soon, Event::Join(self.clients.len() - 1));
        }
        if let Some(flood) = &self.plan.flood {
            let (at, count) = (flood.at, flood.count);
            self.at(at, Event::Hush);
            self.at(at, Event::Flood(count));
        }
    }

    pub(crate) fn client_named(&self, name: &str) -> Option<usize> {
        self.clients.iter().position(|client| client.persona.name == name)
    }

    pub(crate) fn talk(&mut self) {
        if self.calm {
            return;
        }
        let next = self.dice.between(1, 2 * self.plan.talk_every);
        self.after(next, Event::Talk);
        let (place, role) = self.dice.pick(&PLACES);
        match (role, self.dice.below(10)) {
            (_, 8 | 9) => self.get(place),
            (_, 7) => self.say_nonsense(place),
            (Role::Lamp, 0..5) => self.order(place),
            (Role::Lamp, _) => self.report_once(place),
            (Role::Sensor, _) => self.report(place),
            (Role::Door, 0..4) => self.open_the_door(place),
            (Role::Noise, 0..3) => self.flood(0),
            (Role::Noise, 3..5) => self.order(NOWHERE),
            _ => {}
        }
    }

    fn say(&mut self, letter: Letter) -> usize {
        let client = letter.client;
        if let Some(value) = letter.value {
            let at = self.letters.all.len();
            self.letters.by_value.entry((letter.order, value)).or_insert(at);
        }
        self.letters.all.push(letter);
        let at = self.letters.all.len() - 1;
        self.clients[client].waiting.push_back(at);
        self.write_letters(client);
        at
    }

    /// A device reports; a value names the report if it can be agreed and is no common word.
    fn say_report(&mut self, place: &str, payload: &Json, value: Option<u64>) -> usize {
        let client = self.client_named(place).expect("a device of this home");
        let now = self.now;
        let has_id = payload["id"].is_string();
        let operation = value.map(|value| self.letters.begin(place, (false, value), now));
        self.say(Letter {
            client,
            place: place.to_owned(),
            order: false,
            value,
            has_id,
            is_nonsense: false,
            topic: format!("home/{place}/report"),
            payload: payload.to_string().into(),
            response: None,
            said: now,
            device_known: self.letters.is_known(place),
            broker_life: None,
            session: None,
            told: Told::Nothing,
            settled: false,
            operation,
        })
    }

    /// A device reports a value that it never reported before.
    pub(crate) fn report(&mut self, place: &str) {
        let value = self.letters.new_value();
        let client = self.client_named(place).expect("a device of this home");
        let report = if self.clients[client].persona.ids {
            json!({"state": value, "id": format!("r{value}")})
        } else {
            json!(value)
        };
        self.say_report(place, &report, Some(value));
    }

    /// A lamp is known from its first report on.
    fn report_once(&mut self, place: &str) {
        let said =
            self.letters.all.iter().any(|letter| {
                letter.place == place && !letter.order && letter.told != Told::Forgotten
            });
        if !said {
            self.report(place);
        }
    }

    /// A door opens; what follows is a rule's business. It does not open again before it was told to close, or can
    /// hope for that no more.
    fn open_the_door(&mut self, place: &str) {
        let now = self.now;
        let client = self.client_named(place).expect("a device of this home");
        let opened = &self.clients[client].opened;
        let patience = 2000 * MS + self.plan.door_closes_after.unwrap_or(0) * MS;
        if opened.back().is_none_or(|opened| now >= opened + patience) {
            self.open_the_door_anew(place);
        }
    }

    pub(crate) fn open_the_door_anew(&mut self, place: &str) {
        let (now, client) = (self.now, self.client_named(place).expect("a device of this home"));
        self.clients[client].opened.push_back(now);
        self.say_report(place, &json!({"state": "1", "kind": "door"}), None);
    }

    /// Something that can only be refused.
    fn say_nonsense(&mut self, place: &str) {
        let client = self.client_named(place).expect("a device of this home");
        let payload = self.dice.pick(&["{\"state\":[1]}", "{\"state\":", ""]);
        let now = self.now;
        self.say(Letter {
            client,
            place: place.to_owned(),
            order: false,
            value: None,
            has_id: false,
            is_nonsense: true,
            topic: format!("home/{place}/report"),
            payload: payload.into(),
            response: None,
            said: now,
            device_known: self.letters.is_known(place),
            broker_life: None,
            session: None,
            told: Told::Nothing,
            settled: false,
            operation: None,
        });
    }

    /// Reports at QoS 0, and so many more to come.
    pub(crate) fn flood(&mut self, left: u64) {
        let client = self.client_named("a/noise").expect("a device of this home");
        let most = self.plan.flood.as_ref().map_or(1, |flood| flood.at_once);
        let now = left.clamp(1, most);
        for _ in 0..now {
            let value = self.letters.new_value();
            self.publish_once(client, "home/a/noise/report".into(), value.to_string(), None);
            self.summary.system.noise += 1;
        }
        if left > now && !self.calm {
            let soon = self.dice.between(1, 4) * MS;
            self.after(soon, Event::Flood(left - now));
        }
    }

    fn somebody(&mut self) -> usize {
        let (name, _) = PEOPLE[self.dice.below(2)];
        self.client_named(name).expect("a person of this home")
    }

    /// Someone orders what the device will not do, with an end after so many milliseconds; gives the question.
    pub(crate) fn order_what_nobody_does(&mut self, place: &str, expires: u64) -> String {
        let client = self.client_named(place).expect("a device of this home");
        self.clients[client].persona.obeys = false;
        self.give_order(place, json!({"wait": "state", "expires": expires as f64 / 1000.0}))
    }

    /// Someone orders what nobody ordered before.
    fn order(&mut self, place: &str) {
        let order = match self.dice.below(3) {
            0 => json!({}),
            1 => json!({"wait": "state"}),
            _ => json!({"wait": "state", "expires": self.dice.between(2, 20) as f64 / 10.0}),
        };
        self.give_order(place, order);
    }

    fn give_order(&mut self, place: &str, mut order: Json) -> String {
        let value = self.letters.new_value();
        order["state"] = value.into();
        let client = self.somebody();
        let has_id = self.clients[client].persona.ids || self.dice.chance(50);
        if has_id {
            order["id"] = format!("s{value}").into();
        }
        let question = self.question(client, place);
        order["reply_to"] = question.as_str().into();
        let expires = order["expires"].as_f64().map(|seconds| (seconds * 1000.0) as u64);
        let again = if has_id { 4 } else { 0 };
        let now = self.now;
        let operation = Some(self.letters.begin(place, (true, value), now));
        let letter = Letter {
            client,
            place: place.to_owned(),
            order: true,
            value: Some(value),
            has_id,
            is_nonsense: false,
            topic: format!("home/{place}/set"),
            payload: order.to_string().into(),
            response: Some(question.clone()),
            said: now,
            device_known: self.letters.is_known(place),
            broker_life: None,
            session: None,
            told: Told::Nothing,
            settled: false,
            operation,
        };
        let at = self.say(letter);
        let asked = self.letters.asked.get_mut(&question).expect("it was just asked");
        (asked.operation, asked.letter, asked.again) = (operation, Some(at), again);
        asked.expires = expires;
        self.after(PATIENCE, Event::Retry(question.clone()));
        question
    }

    /// Whoever got no answer gives the same order again, under the same id.
    pub(crate) fn ask_again(&mut self, question: &str) {
        let late = self.plan.late_retries && self.dice.chance(30);
        let asked = self.letters.asked.get_mut(question).filter(|asked| asked.again > 0);
        let Some(asked) = asked.filter(|asked| asked.answers.is_empty() || late) else { return };
        asked.again -= 1;
        let Some(letter) = asked.letter else { return };
        let again = Letter {
            said: self.now,
            broker_life: None,
            session: None,
            told: Told::Nothing,
            settled: false,
            ..self.letters.all[letter].clone()
        };
        self.summary.system.retries += 1;
        self.say(again);
        self.after(PATIENCE, Event::Retry(question.to_owned()));
    }

    /// Someone asks for a device's state.
    pub(crate) fn get(&mut self, place: &str) {
        let client = self.somebody();
        let question = self.question(client, place);
        let topic = format!("home/{place}/get");
        let payload = json!({"reply_to": question}).to_string();
        self.publish_once(client, topic, payload, Some(&question));
    }

    fn question(&mut self, client: usize, place: &str) -> String {
        let name = &self.clients[client].persona.name;
        let question = format!("reply/{name}/{}", self.letters.asked.len());
        let known = self.letters.known.get(place).copied().unwrap_or(0);
        let asked = Asked {
            place: place.to_owned(),
            number: self.letters.asked.len(),
            called: self.now,
            known,
            answers: Vec::new(),
            operation: None,
            letter: None,
            again: 0,
            expires: None,
        };
        self.letters.asked.insert(question.clone(), asked);
        question
    }

    /// A device does what it was told, and says so.
    pub(crate) fn obey(&mut self, at: usize, report: &Json) {
        let place = self.clients[at].persona.name.clone();
        // What a rule orders names nothing.
        let value = value_of(&report["state"]).filter(|value| *value >= 10);
        self.say_report(&place, report, value);
    }

    fn commanded(&mut self, at: usize, command: &Json) {
        let Some(order) = command["order"].as_u64() else { return };
        let client = &mut self.clients[at];
        if client.orders.last().is_some_and(|last| *last >= order) {
            return;
        }
        client.orders.push(order);
        claims::an_order_arrives(self, at, command);
        let client = &mut self.clients[at];
        if client.persona.obeys || client.persona.role == Role::Door {
            let id = format!("o{order}");
            let report = json!({"state": command["state"], "order": order, "id": id});
            let soon = self.dice.between(1, 30) * MS;
            self.after(soon, Event::Obey(at, report));
        }
    }

    fn was_answered(&mut self, question: &str, answer: Answer) {
        let now = self.now;
        claims::an_answer_arrives(self, question, &answer);
        let Some(asked) = self.letters.asked.get_mut(question) else { return };
        let well = answer.failure().is_none();
        let first = asked.answers.is_empty();
        let (place, operation, called) = (asked.place.clone(), asked.operation, asked.called);
        asked.answers.push(answer.clone());
        if !well {
            return;
        }
        if operation.is_some() {
            self.letters.returned(operation, now);
            self.letters.knows(&place, answer.get("seq").as_u64().unwrap_or(0));
            self.summary.system.sets += u64::from(first);
        } else {
            self.summary.system.gets += u64::from(first);
            self.saw(&place, called, &answer);
        }
    }

    /// Someone who asked saw this. A door's states are no names, and its orders are a rule's.
    fn saw(&mut self, place: &str, called: u64, answer: &Answer) {
        if place.ends_with("door") || place.ends_with("noise") {
            return;
        }
        let values = [
            (false, value_of(answer.get("state"))),
            (true, value_of(&answer.get("desired")["state"])),
        ];
        for (order, value) in values {
            let (key, action) = (register(place, order), Action::Read(value));
            let returned = Some(self.now);
            self.letters.operations.push(Operation { key, client: 0, action, called, returned });
        }
    }
}

/// A client has a message.
pub(crate) fn hear(world: &mut World, at: usize, outgoing: &Outgoing) {
    let topic = outgoing.message.topic.to_string();
    let payload = &outgoing.message.payload;
    match world.clients[at].persona.role {
        Role::Person => {
            if let Ok(answer) = Answer::parse(payload) {
                world.was_answered(&topic, answer);
            }
        }
        Role::Watcher => claims::a_state_arrives(world, at, &topic, payload, outgoing.retain),
        _ => {
            if let Ok(command) = serde_json::from_slice::<Json>(payload) {
                world.commanded(at, &command);
            }
        }
    }
}
