//! What people and devices do while things go wrong.

use serde_json::{Value as Json, json};
use wire::{GatewayId, ZoneVerb};

use super::world::{Event, MS, World};

/// Sensors report, lamps are ordered; every second sensor gives its reports ids. The door has a rule of its own.
const PLACES: [&str; 6] = ["a/sensor", "b/sensor", "c/lamp", "d/lamp", "e/sensor", "a/lamp"];
const DOOR: &str = "d/door";

impl World {
    pub(crate) fn talk(&mut self) {
        if self.calm {
            return;
        }
        let next = self.dice.between(1, 2 * self.plan.talk_every);
        self.after(next, Event::Talk);
        let place = self.dice.pick(&PLACES);
        let lamp = place.ends_with("lamp");
        match self.dice.below(20) {
            0..=6 if lamp => self.order(place),
            0..=4 => self.tell_reading(place),
            5 => self.open_the_door(),
            7 if lamp => {
                let online = self.dice.chance(50);
                self.presence(place, online);
            }
            8 => drop(self.nonsense(place, ZoneVerb::Report)),
            // What nothing was ever said of does not exist.
            9 if lamp => drop(self.report_once(place)),
            10 => self.ask_for_the_list(),
            // Nothing ever reports there.
            11 if !self.plan.foreign => drop(self.set("attic/lamp", json!({}))),
            _ => drop(self.get(place)),
        }
    }

    pub(crate) fn tell_reading(&mut self, place: &str) {
        if place.starts_with('b') {
            self.report_with_id(place);
        } else if place.ends_with("sensor") {
            self.report(place);
        }
    }

    /// A lamp is known from its first report on.
    fn report_once(&mut self, place: &str) -> Option<u64> {
        let known = self.people.devices.get(place).is_some_and(|lamp| lamp.acknowledged > 0);
        (!known).then(|| self.report_with_id(place))
    }

    fn order(&mut self, place: &str) {
        let mut order: Json = match self.dice.below(3) {
            0 => json!({}),
            1 => json!({"wait": "state"}),
            _ => json!({"expires": 0.3}),
        };
        if self.plan.foreign || self.dice.chance(70) {
            order["id"] = format!("s{}", self.dice.next()).into();
        }
        self.set(place, order);
    }

    fn open_the_door(&mut self) {
        self.say_of_the_door(DOOR);
    }

    pub(crate) fn register_everything(&mut self) {
        for place in PLACES.into_iter().chain(["settled/last"]) {
            self.soon(Event::Register(place));
        }
    }

    /// The first device of a zone makes the zone known.
    pub(crate) fn register(&mut self, place: &'static str) {
        let (zone, device) = place.split_once('/').expect("a place is zone/device");
        let zone = zone.parse().expect("a name");
        let cores = self.nodes.values().filter_map(|node| node.core.as_ref());
        if cores.into_iter().any(|core| core.house().zones().contains_key(&zone)) {
            return;
        }
        let register = json!({"zone": zone, "name": device}).to_string().into_bytes();
        let acts = self.broker.publish("hearth/home/api/register".to_owned(), register, None);
        self.act(acts);
        self.after(300 * MS, Event::Register(place));
    }

    /// The same, by someone who wants to hear what came of it; gives the question.
    #[cfg(test)]
    pub(crate) fn ask_for_voters(&mut self, verb: &str, id: u8) -> String {
        let question = self.question("api/voters", None);
        let wish = json!({verb: [id]}).to_string().into_bytes();
        let topic = "hearth/home/api/voters".to_owned();
        let acts = self.broker.publish(topic, wish, Some(question.clone()));
        self.act(acts);
        question
    }

    /// An operator adds or removes a voter.
    pub(crate) fn wish_for_voters(&mut self, verb: &str, id: GatewayId) {
        let wish = json!({verb: [id]}).to_string().into_bytes();
        let acts = self.broker.publish("hearth/home/api/voters".to_owned(), wish, None);
        self.act(acts);
    }

    /// After the faults whoever has lost its vote by a wish gets it back by one.
    pub(crate) fn give_votes_back(&mut self) {
        let furthest = self.nodes.values().max_by_key(|node| node.disk.applied);
        let voters = furthest.map(|node| node.disk.voters()).unwrap_or_default();
        for id in self.everybody() {
            if !voters.is_empty() && voters.numbered(id.0).is_none() {
                self.upgrade(id);
                self.wish_for_voters("add", id);
            }
        }
        self.after(300 * MS, Event::GiveVotes);
    }

    /// After the faults: everyone is there again.
    pub(crate) fn everyone_comes_online(&mut self) {
        for place in PLACES {
            self.presence(place, true);
        }
    }
}
