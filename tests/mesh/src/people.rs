//! People, who subscribe and publish, and devices, which report.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use hearth_random::Random;
use mesh::protocol::{Members, Wanted};
use mesh::{Delivery, Kept, Life, Message, Nodes, Publisher, Qos, Version};

use crate::plan::{FILTERS, Plan, TOPICS, ZONES};
use crate::site::{Session, Waits};
use crate::world::{Event, MS, World};

/// Publishes of one run.
const ATTEMPTS: usize = 800;

/// A client.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// The zone that it reports in, if it is a device.
    pub(crate) zone: Option<usize>,
    pub(crate) stay: Option<u64>,
    /// A SUBSCRIBE or report that is not answered.
    pub(crate) waits: bool,
    /// Number of its last report.
    pub(crate) number: u64,
    /// A report that it sends again, because nobody has acknowledged it.
    pub(crate) again: Option<u64>,
}

/// A client's connection to a node.
#[derive(Debug)]
pub(crate) struct Stay {
    pub(crate) client: usize,
    pub(crate) site: usize,
    pub(crate) life: Life,
    pub(crate) over: bool,
    /// What came, in order.
    pub(crate) received: Vec<Receipt>,
}

/// A message that came.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) attempt: usize,
    pub(crate) how: How,
}

/// On which way a message came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    Live,
    Retained,
    Shared(String),
}

/// A subscription.
#[derive(Debug)]
pub(crate) struct Sub {
    pub(crate) stay: u64,
    pub(crate) site: usize,
    pub(crate) filter: String,
    pub(crate) asked: u64,
    /// When the SUBACK came.
    pub(crate) held: Option<u64>,
    pub(crate) over: bool,
    /// Peers whose maps its node had then.
    pub(crate) matched: Nodes,
}

/// One publish.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) stay: u64,
    pub(crate) site: usize,
    pub(crate) life: Life,
    pub(crate) topic: String,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) removes: bool,
    pub(crate) at: u64,
    /// Of a retained one.
    pub(crate) version: Option<Version>,
    pub(crate) acked: Option<Kept>,
    /// Of a report: which device, and its number there.
    pub(crate) report: Option<(usize, u64)>,
    pub(crate) refused: bool,
    /// Of a state: the epoch of its owner.
    pub(crate) epoch: Option<u64>,
}

impl Person {
    pub(crate) fn all(plan: &Plan, dice: &mut Random) -> Vec<Self> {
        let person = |number: usize| {
            let zone = (number >= plan.people).then(|| dice.below(ZONES.len()));
            let name = format!("client-{number}");
            Self { name, zone, stay: None, waits: false, number: 0, again: None }
        };
        (0..plan.people + plan.devices).map(person).collect()
    }
}

impl World {
    pub(crate) fn act(&mut self, person: usize) {
        let pause = self.dice.between(1, self.plan.rest.max(2)) * MS;
        if !self.faults_over {
            self.after(pause, Event::Person(person));
        }
        let Some(stay) = self.people[person].stay else { return self.arrive(person) };
        let (site, life) = (self.stays[stay as usize].site, self.stays[stay as usize].life);
        let gone = self.sites[site].life() != Some(life);
        if gone || (!self.sites[site].runs() && self.dice.chance(30)) {
            return self.depart(person);
        }
        if !self.sites[site].runs() || self.people[person].waits {
            return;
        }
        if self.plan.wander && self.dice.once_in(15) {
            return self.depart(person);
        }
        if self.attempts.len() > ATTEMPTS {
            return;
        }
        match self.people[person].zone {
            Some(zone) => self.report(person, zone, stay),
            None if self.dice.chance(20) => self.subscribe(person, stay),
            None if self.dice.once_in(20) => self.unsubscribe(stay),
            None => self.publish(person, stay),
        }
    }

    fn arrive(&mut self, person: usize) {
        let site = self.dice.below(self.plan.nodes);
        let name = self.people[person].name.clone();
        let connected = self.with(site, |process, now| {
            let ready = process.node.ready(now);
            ready.then(|| process.node.connected(now, &name).expect("room for a client"))
        });
        let Some(Some(since)) = connected else { return };
        let life = self.sites[site].life().expect("it runs");
        let stay = self.stays.len() as u64;
        self.stays.push(Stay { client: person, site, life, over: false, received: Vec::new() });
        self.people[person].stay = Some(stay);
        self.people[person].waits = false;
        let session = Session { since, filters: Vec::new() };
        if let Some(process) = &mut self.sites[site].process {
            process.sessions.insert(stay, session);
        }
        self.say(|| format!("{name} comes to {site} as {stay}"));
        self.count("connections");
    }

    /// A client goes; its node notices at once, or once it runs again.
    pub(crate) fn depart(&mut self, person: usize) {
        let Some(stay) = self.people[person].stay.take() else { return };
        self.say(|| format!("{stay} goes"));
        self.stays[stay as usize].over = true;
        self.subs.iter_mut().filter(|sub| sub.stay == stay).for_each(|sub| sub.over = true);
        let own = |a: &&Attempt| a.stay == stay && a.epoch.is_none();
        let unanswered = self.attempts.iter().rev().find(own);
        let unanswered = unanswered.filter(|a| a.acked.is_none()).and_then(|a| a.report);
        // Some devices send again what nobody acknowledged, others have something newer to say.
        self.people[person].again =
            unanswered.map(|(_, number)| number).filter(|_| self.dice.chance(60));
        self.people[person].waits = false;
        let (site, life) = (self.stays[stay as usize].site, self.stays[stay as usize].life);
        if self.sites[site].life() != Some(life) {
            return;
        }
        if self.sites[site].runs() {
            self.notice(site, stay);
        } else if let Some(process) = &mut self.sites[site].process {
            process.left.push(stay);
        }
    }

    /// A broker sees that a client is gone.
    pub(crate) fn notice(&mut self, site: usize, stay: u64) {
        let name = self.people[self.stays[stay as usize].client].name.clone();
        let groups = self.with(site, |process, _| {
            let Some(session) = process.sessions.remove(&stay) else { return Vec::new() };
            let gone: Vec<Wanted> = session.filters.iter().map(|path| wanted(path)).collect();
            process.node.unsubscribe(&gone);
            process.node.disconnected(&name, session.since);
            session.filters.into_iter().filter(|path| path.starts_with("$share/")).collect()
        });
        groups.into_iter().flatten().for_each(|path: String| self.tell_members(site, &path));
    }

    fn subscribe(&mut self, person: usize, stay: u64) {
        let mut filter = self.dice.pick(&FILTERS).to_owned();
        if self.dice.chance(self.plan.shared) {
            filter = format!("$share/{}/{filter}", self.dice.pick(&["g", "h"]));
        }
        let site = self.stays[stay as usize].site;
        if self.subs.iter().any(|sub| sub.stay == stay && !sub.over && sub.filter == filter) {
            return;
        }
        let number = self.subs.len();
        let asked = self.now;
        self.subs.push(Sub {
            stay,
            site,
            filter: filter.clone(),
            asked,
            held: None,
            over: false,
            matched: Nodes::NONE,
        });
        self.people[person].waits = true;
        self.say(|| format!("{stay} at {site} subscribes to {filter} as {number}"));
        self.count("subscriptions");
        if filter.starts_with("$share/") {
            self.count("shared subscriptions");
        }
        if let Some(process) = &mut self.sites[site].process
            && let Some(session) = process.sessions.get_mut(&stay)
        {
            session.filters.push(filter.clone());
        }
        self.tell_members(site, &filter);
        self.with(site, |process, now| {
            let token = process.token(Waits::Subscribe(stay, number));
            process.node.subscribe(now, token, &[wanted(&filter)]);
        });
    }

    /// A node tells how many members a shared subscription has there.
    fn tell_members(&mut self, site: usize, path: &str) {
        if !path.starts_with("$share/") {
            return;
        }
        let path = path.to_owned();
        self.with(site, |process, _| {
            let has = |session: &&Session| session.filters.contains(&path);
            let ready = process.sessions.values().filter(has).count() as u32;
            process.node.members(Members { path: path.as_str().into(), ready, asleep: 0 });
        });
    }

    fn unsubscribe(&mut self, stay: u64) {
        let open = |sub: &&mut Sub| sub.stay == stay && !sub.over;
        let Some(sub) = self.subs.iter_mut().find(open) else { return };
        sub.over = true;
        let (site, filter) = (sub.site, sub.filter.clone());
        self.say(|| format!("{stay} unsubscribes from {filter}"));
        self.with(site, |process, _| {
            if let Some(session) = process.sessions.get_mut(&stay) {
                session.filters.retain(|other| *other != filter);
            }
            process.node.unsubscribe(&[wanted(&filter)]);
        });
        self.tell_members(site, &filter);
    }

    /// A SUBSCRIBE is answered, after what is retained has been read.
    pub(crate) fn subscribed(&mut self, site: usize, stay: u64, sub: usize) {
        let took = (self.now - self.subs[sub].asked) / MS;
        let life = self.stays[stay as usize].life;
        // A second until a peer that does not answer counts as gone, and a bit.
        if took > 1_500 && !self.paused.contains(&life) {
            self.fail("a_subscription_takes_little_more_than_a_second", format!("{took} ms"));
        }
        if self.stays[stay as usize].over || self.subs[sub].over {
            return;
        }
        let Some(process) = &self.sites[site].process else { return };
        let filter = self.subs[sub].filter.clone();
        let matched = process.node.matched();
        let retained = process.node.map().table().iter().filter_map(|(key, entry)| {
            let mesh::Value::Retained(message) = entry.value.as_ref()? else { return None };
            matches(&filter, &key.name).then(|| number_of(message))
        });
        let retained: Vec<usize> = retained.collect();
        self.say(|| format!("{stay} is subscribed to {filter} as {sub}, and reads {retained:?}"));
        self.subs[sub].held = Some(self.now);
        self.subs[sub].matched = matched;
        self.people[self.stays[stay as usize].client].waits = false;
        for attempt in retained {
            self.receive(stay, attempt, How::Retained);
        }
    }

    fn publish(&mut self, person: usize, stay: u64) {
        let topic = self.dice.pick(&TOPICS);
        let loose = self.dice.chance(self.plan.loose);
        let qos = if loose { Qos::AtMostOnce } else { Qos::AtLeastOnce };
        let retain = self.dice.chance(self.plan.retained);
        let removes = retain && self.dice.chance(self.plan.removed);
        self.count(if removes {
            "removals"
        } else if retain {
            "retained messages"
        } else {
            "messages"
        });
        let site = self.stays[stay as usize].site;
        let attempt = self.attempt(stay, site, topic, qos);
        (self.attempts[attempt].retain, self.attempts[attempt].removes) = (retain, removes);
        let payload = if removes { Bytes::new() } else { payload(attempt) };
        let message = Message { retain, ..Message::new(topic, payload, qos) };
        self.say(|| format!("{stay} ({person}) publishes {attempt} to {topic}, retain {retain}"));
        self.send_out(site, attempt, message, qos > Qos::AtMostOnce);
    }

    /// A message is published at a node, and goes to its own subscribers.
    pub(crate) fn send_out(&mut self, site: usize, attempt: usize, message: Message, waits: bool) {
        let published = self.with(site, |process, now| {
            let token = waits.then(|| process.token(Waits::Publish(attempt)));
            process.node.publish(now, message, token)
        });
        match published {
            Some(Ok(published)) => {
                self.attempts[attempt].version = published.message.version;
                self.hand_out(site, attempt, &published.message.topic);
                self.hand_groups(site, attempt, &published.groups);
            }
            _ => self.attempts[attempt].refused = true,
        }
    }

    pub(crate) fn attempt(&mut self, stay: u64, site: usize, topic: &str, qos: Qos) -> usize {
        let life = self.sites[site].life().expect("it runs");
        self.attempts.push(Attempt {
            stay,
            site,
            life,
            topic: topic.to_owned(),
            qos,
            retain: false,
            removes: false,
            at: self.now,
            version: None,
            acked: None,
            report: None,
            refused: false,
            epoch: None,
        });
        self.attempts.len() - 1
    }

    fn report(&mut self, person: usize, zone: usize, stay: u64) {
        let number = match self.people[person].again.take() {
            Some(number) => number,
            None => {
                self.people[person].number += 1;
                self.people[person].number
            }
        };
        let site = self.stays[stay as usize].site;
        let topic = format!("home/{}/{}/report", ZONES[zone], self.people[person].name);
        let attempt = self.attempt(stay, site, &topic, Qos::AtLeastOnce);
        self.attempts[attempt].report = Some((person, number));
        self.say(|| format!("{stay} ({person}) reports {number} as {attempt} in {zone} at {site}"));
        self.count("reports");
        let name = self.people[person].name.as_str().into();
        // Some send several before the first is acknowledged.
        self.people[person].waits = self.dice.chance(50);
        self.with(site, |process, now| {
            let Some(session) = process.sessions.get(&stay) else { return };
            let publisher = Some(Publisher { client: name, since: session.since });
            let message = Message::new(&topic, payload(attempt), Qos::AtLeastOnce);
            let message = Arc::new(Message { publisher, ..message });
            let token = process.token(Waits::Report(attempt));
            process.node.report(now, ZONES[zone], message, Some(token)).expect("room");
        });
    }

    /// A publisher gets its PUBACK.
    pub(crate) fn acknowledged(&mut self, site: usize, attempt: usize, kept: Kept) {
        self.say(|| format!("{attempt} is acknowledged at {site}: {kept:?}"));
        if kept == Kept::Alone {
            self.count("acknowledged alone");
        }
        let took = (self.now - self.attempts[attempt].at) / MS;
        if took > 600 && !self.paused.contains(&self.attempts[attempt].life) {
            let what = format!("{attempt} took {took} ms");
            self.fail("a_publisher_waits_for_half_a_second_at_most", what);
        }
        self.attempts[attempt].acked = Some(kept);
    }

    /// A device gets the PUBACK of a report.
    pub(crate) fn settled(&mut self, site: usize, attempt: usize, refusal: Option<u8>) {
        self.say(|| format!("report {attempt} is settled at {site}: {refusal:?}"));
        if refusal.is_some() {
            self.attempts[attempt].refused = true;
            return self.count("reports refused for good");
        }
        self.attempts[attempt].acked = Some(Kept::Promised);
        self.count("reports acknowledged");
        let stay = self.attempts[attempt].stay;
        let client = self.stays[stay as usize].client;
        if self.people[client].stay == Some(stay) {
            self.people[client].waits = false;
        }
        self.an_acknowledged_report_is_applied(attempt);
    }

    /// Something that another node's client published comes.
    pub(crate) fn deliver(&mut self, site: usize, delivery: &Delivery) {
        let message = &delivery.message;
        let attempt = match message.payload.is_empty() {
            true => self.removal(message),
            false => Some(number_of(message)),
        };
        let Some(attempt) = attempt else { return };
        self.count("messages across");
        self.no_former_owner_is_heard_after_its_successor(site, attempt);
        if delivery.everyone {
            self.hand_out(site, attempt, &message.topic);
        }
        self.hand_groups(site, attempt, &delivery.groups);
    }

    /// A removal has no payload to name it; its version does.
    fn removal(&self, message: &Message) -> Option<usize> {
        let is = |attempt: &Attempt| attempt.removes && attempt.version == message.version;
        self.attempts.iter().position(|a| message.version.is_some() && is(a))
    }

    fn hand_out(&mut self, site: usize, attempt: usize, topic: &str) {
        let Some(process) = &self.sites[site].process else { return };
        let wants = |session: &Session| session.filters.iter().any(|f| matches(f, topic));
        let stays = process.sessions.iter().filter(|(_, session)| wants(session));
        let stays: Vec<u64> = stays.map(|(stay, _)| *stay).collect();
        stays.into_iter().for_each(|stay| self.receive(stay, attempt, How::Live));
    }

    fn hand_groups(&mut self, site: usize, attempt: usize, groups: &[Box<str>]) {
        for path in groups {
            let Some(process) = &self.sites[site].process else { return };
            let has = |session: &Session| session.filters.iter().any(|f| **f == **path);
            let members = process.sessions.iter().filter(|(_, session)| has(session));
            let members: Vec<u64> = members.map(|(stay, _)| *stay).collect();
            if !members.is_empty() {
                let stay = self.dice.pick(&members);
                self.receive(stay, attempt, How::Shared(path.to_string()));
            }
        }
    }

    /// A client gets a message.
    fn receive(&mut self, stay: u64, attempt: usize, how: How) {
        if self.stays[stay as usize].over {
            return;
        }
        self.say(|| format!("{stay} gets {attempt}, {how:?}"));
        self.stays[stay as usize].received.push(Receipt { attempt, how });
        self.what_came_is_right(stay);
    }
}

fn wanted(path: &str) -> Wanted {
    Wanted { path: path.into(), kept: false }
}

/// A payload that names the attempt.
pub(crate) fn payload(attempt: usize) -> Bytes {
    Bytes::from(attempt.to_string())
}

/// The attempt that a message is of.
pub(crate) fn number_of(message: &Message) -> usize {
    let text = std::str::from_utf8(&message.payload).expect("a number");
    text.trim_end_matches('.').parse().expect("a number")
}

/// Whether a filter covers a topic.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let mut topics = topic.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        if topics.next().is_none_or(|name| level != "+" && level != name) {
            return false;
        }
    }
    topics.next().is_none()
}

/// The attempts that came to a client.
pub(crate) fn seen(stay: &Stay) -> BTreeSet<usize> {
    stay.received.iter().map(|receipt| receipt.attempt).collect()
}
