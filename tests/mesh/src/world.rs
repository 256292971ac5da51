//! One run: nodes, connections and people on one thread in virtual time, in microseconds.

use std::collections::{BTreeMap, BTreeSet};

use hearth_random::Random;
use mesh::protocol::Frame;
use mesh::{
    DiskId, Effect, Incarnation, Lane, Life, LinkId, Moment, Node, NodeId, Nodes, Settings,
    SiteTime,
};

use crate::home::{Commit, Home};
use crate::net::{Net, Parcel, Wire};
use crate::people::{Attempt, Person, Stay, Sub};
use crate::plan::{Plan, ZONES};
use crate::site::{Disk, Process, Site, Waits, Written};
use crate::{Broken, Counts, broken};

/// Events of one run. A run takes some ten thousand; more means that something never comes to rest.
const MOST: u64 = 2_000_000;
/// Microseconds of a millisecond.
pub(crate) const MS: u64 = 1_000;
/// How long everything may take to come to rest once the faults stop: readiness, retries, and the disks' questions.
const REST: u64 = 14_000 * MS;

/// How long a node is off in the end: longer than a tombstone lingers that everybody has.
const AWAY: u64 = 40_000 * MS;

#[derive(Debug)]
pub(crate) enum Event {
    Parcel(Wire, usize),
    Beat(usize),
    Wake(usize),
    Disk(usize),
    Dial,
    Person(usize),
    Fault,
    Agree,
    Owner { site: usize, zone: usize, epoch: u64 },
    Over { site: usize, zone: usize, epoch: u64 },
    Commit(Box<Commit>),
    Start(usize),
    Resume(usize),
    Mend(usize, usize),
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) dice: Random,
    pub(crate) now: u64,
    queue: BTreeMap<(u64, u64), Event>,
    pub(crate) events: u64,
    pub(crate) sites: Vec<Site>,
    pub(crate) net: Net,
    pub(crate) people: Vec<Person>,
    pub(crate) home: Home,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) stays: Vec<Stay>,
    pub(crate) subs: Vec<Sub>,
    /// Lives that have ended, with when.
    pub(crate) ended: BTreeMap<Life, u64>,
    /// Lives that stood still for a while.
    pub(crate) paused: BTreeSet<Life>,
    /// Which site was told that it missed messages of which.
    pub(crate) gaps: BTreeSet<(usize, usize)>,
    /// Whether two nodes' losses overlapped, or a disk was lost with others missing.
    pub(crate) wild: bool,
    pub(crate) faults_over: bool,
    pub(crate) failure: Option<Broken>,
    pub(crate) trace: Option<Vec<String>>,
    pub(crate) counts: Counts,
}

impl World {
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let mut dice = Random::new(seed);
        let plan = Plan::new(&mut dice);
        let site = |number: usize| Site {
            id: NodeId::new(number as u8 + 1).expect("few nodes"),
            disk: Disk::default(),
            process: None,
            drift: dice.between(0, 20) as i64 - 10,
            wall: dice.between(0, 100_000_000),
        };
        let sites: Vec<_> = (0..plan.nodes).map(site).collect();
        let people = Person::all(&plan, &mut dice);
        Self {
            home: Home::new(ZONES.len()),
            people,
            sites,
            plan,
            dice,
            now: 0,
            queue: BTreeMap::new(),
            events: 0,
            net: Net::default(),
            attempts: Vec::new(),
            stays: Vec::new(),
            subs: Vec::new(),
            ended: BTreeMap::new(),
            paused: BTreeSet::new(),
            gaps: BTreeSet::new(),
            wild: false,
            faults_over: false,
            failure: None,
            trace: traced.then(Vec::new),
            counts: Counts::new(),
        }
    }

    /// Plays until everything has come to rest.
    pub(crate) fn play(&mut self) -> Result<(), Broken> {
        for site in 0..self.plan.nodes {
            let late = self.dice.below(50) as u64 * MS;
            self.after(late, Event::Start(site));
        }
        self.after(MS, Event::Dial);
        self.after(60 * MS, Event::Agree);
        for person in 0..self.people.len() {
            self.after(100 * MS, Event::Person(person));
        }
        if self.plan.faults.every > 0 {
            self.after(self.plan.faults.every * MS, Event::Fault);
        }
        self.until(self.plan.length * MS)?;
        self.stop_faults();
        if self.plan.away {
            self.until(self.now + REST)?;
            let site = self.leave_for_long();
            self.until(self.now + AWAY)?;
            self.start(site);
        }
        self.until(self.now + REST)?;
        self.everything_is_there()
    }

    fn until(&mut self, end: u64) -> Result<(), Broken> {
        while let Some((&(at, _), _)) = self.queue.first_key_value()
            && at <= end
            && let Some((_, event)) = self.queue.pop_first()
        {
            self.now = at;
            if self.events > MOST {
                return broken("everything_comes_to_rest", format!("{} events", self.events));
            }
            self.happen(event);
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
        }
        self.now = end;
        Ok(())
    }

    /// Something that must not be.
    pub(crate) fn fail(&mut self, claim: &'static str, what: String) {
        self.say(|| format!("BROKEN {claim}: {what}"));
        self.failure.get_or_insert(Broken { claim, what });
    }

    pub(crate) fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>10.3} {}", self.now as f64 / 1_000.0, line()));
        }
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// After so many microseconds.
    pub(crate) fn after(&mut self, micros: u64, event: Event) {
        self.at(self.now + micros, event);
    }

    fn at(&mut self, at: u64, event: Event) {
        self.events += 1;
        self.queue.insert((at, self.events), event);
    }

    fn lag(&mut self) -> u64 {
        self.dice.tail(50, self.plan.lag * MS)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Parcel(wire, side) => self.parcel(wire, side),
            Event::Beat(site) => self.beat(site),
            Event::Wake(site) => {
                if let Some(process) = &mut self.sites[site].process {
                    process.wakes = None;
                }
                self.with(site, |_, _| {});
            }
            Event::Disk(site) => {
                self.sites[site].write();
                if self.sites[site].process.is_some() {
                    let later = self.dice.between(5, 50) * MS;
                    self.after(later, Event::Disk(site));
                }
            }
            Event::Dial => self.dial(),
            Event::Person(person) => self.act(person),
            Event::Fault => self.fault(),
            Event::Agree => self.agree(),
            Event::Owner { site, zone, epoch } => self.open_owner(site, zone, epoch),
            Event::Over { site, zone, epoch } => self.close_owner(site, zone, epoch),
            Event::Commit(commit) => self.commit(*commit),
            Event::Start(site) => self.start(site),
            Event::Resume(site) => self.resume(site),
            Event::Mend(from, to) => self.mend(from, to),
        }
    }

    pub(crate) fn start(&mut self, number: usize) {
        if self.sites[number].process.is_some() {
            return;
        }
        let born = self.now;
        let members: Nodes = self.sites.iter().map(|site| site.id).collect();
        let incarnation = Incarnation(self.dice.next());
        let (disk, spare) = (DiskId(self.dice.next()), DiskId(self.dice.next()));
        let site = &mut self.sites[number];
        let disk = *site.disk.id.get_or_insert(disk);
        let life = Life { node: site.id, incarnation };
        let floor = if site.disk.highest > SiteTime::default() {
            site.disk.highest
        } else {
            SiteTime((site.wall + born / MS) << 16)
        };
        let settings = Settings { me: life, members, disk, spare_disk: spare, floor };
        let mut node = Node::new(settings);
        site.disk.records.values().for_each(|record| node.restore(record.clone()));
        node.begin(Moment::default());
        site.process = Some(Process {
            life,
            node,
            born,
            paused: false,
            sessions: BTreeMap::new(),
            tokens: BTreeMap::new(),
            last_token: 0,
            unwritten: Vec::new(),
            left: Vec::new(),
            wakes: None,
            owners: BTreeMap::new(),
        });
        self.say(|| format!("{number} starts as {incarnation:?}"));
        self.count("starts");
        self.after(5 * MS, Event::Disk(number));
        self.after(50 * MS, Event::Beat(number));
        self.with(number, |_, _| {});
    }

    /// Calls a node that runs, and sees to what it wants.
    pub(crate) fn with<T>(
        &mut self,
        site: usize,
        call: impl FnOnce(&mut Process, Moment) -> T,
    ) -> Option<T> {
        if !self.sites[site].runs() {
            return None;
        }
        let now = self.sites[site].local(self.now);
        let process = self.sites[site].process.as_mut()?;
        process.node.tick(now);
        let result = call(process, now);
        process.node.ready(now);
        self.settle(site);
        Some(result)
    }

    /// Carries out what a node wants.
    fn settle(&mut self, site: usize) {
        let now = self.sites[site].local(self.now);
        while let Some(process) = &mut self.sites[site].process {
            let effects = process.node.effects(now);
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                self.effect(site, effect);
            }
        }
        let Some(process) = &self.sites[site].process else { return };
        if let Some(at) = process.node.next_deadline() {
            let at = self.sites[site].true_time(at).max(self.now + 1);
            let process = self.sites[site].process.as_mut().expect("it is there");
            if process.wakes.is_none_or(|wakes| at < wakes) {
                process.wakes = Some(at);
                self.at(at, Event::Wake(site));
            }
        }
    }

    fn effect(&mut self, site: usize, effect: Effect) {
        match effect {
            Effect::Send(link, frame) => self.send(site, link, &frame),
            Effect::Close(link, why) => {
                self.say(|| format!("{site} closes {link:?}: {why:?}"));
                self.count("links closed by a node");
                if let Some((wire, side)) = self.net.close(link) {
                    let lag = self.lag();
                    self.after(lag, Event::Parcel(wire, side));
                }
            }
            Effect::Deliver(delivery) => self.deliver(site, &delivery),
            Effect::Changed(change) => {
                self.write(site, Written::Change(Box::new(change)));
            }
            Effect::Forgotten(key) => self.write(site, Written::Gone(key)),
            Effect::BegunAnew(disk) => {
                self.count("written off");
                self.write(site, Written::Anew(disk));
            }
            Effect::Acknowledge(token, kept) => {
                if let Some(Waits::Publish(attempt)) = self.take_token(site, token) {
                    self.acknowledged(site, attempt, kept);
                }
            }
            Effect::Settled(token, refusal) => {
                if let Some(Waits::Report(attempt)) = self.take_token(site, token) {
                    self.settled(site, attempt, refusal);
                }
            }
            Effect::Subscribed(token) => {
                if let Some(Waits::Subscribe(stay, sub)) = self.take_token(site, token) {
                    self.subscribed(site, stay, sub);
                }
            }
            Effect::Lost(lost) => {
                self.say(|| format!("{site} has missed messages of {}", lost.at));
                self.count("gaps told");
                self.gaps.insert((site, usize::from(lost.at.number()) - 1));
            }
            Effect::Offer(offer) => self.offered(site, offer),
            Effect::Announce(zone) => self.announced(site, &zone),
            Effect::EndZone(zone, epoch) => {
                let zone = ZONES.iter().position(|name| **name == *zone).expect("a zone");
                self.say(|| format!("{site} ends the session of {zone} in epoch {epoch}"));
                if let Some(process) = &mut self.sites[site].process {
                    process.owners.remove(&zone);
                }
            }
        }
    }

    fn take_token(&mut self, site: usize, token: mesh::Token) -> Option<Waits> {
        self.sites[site].process.as_mut()?.tokens.remove(&token)
    }

    fn write(&mut self, site: usize, written: Written) {
        if let Some(process) = &mut self.sites[site].process {
            process.unwritten.push(written);
        }
    }

    fn send(&mut self, site: usize, link: LinkId, frame: &Frame) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.say(|| format!("{site} says on {link:?}: {}", short(frame)));
        if let Some((wire, side)) = self.net.send(link, Parcel::Bytes(bytes)) {
            let lag = self.lag();
            self.after(lag, Event::Parcel(wire, side));
        }
    }

    fn parcel(&mut self, wire: Wire, side: usize) {
        let site = if side == 0 { wire.0 } else { wire.1 };
        if !self.sites[site].runs() {
            return;
        }
        let Some((link, parcel)) = self.net.take(wire, side) else { return };
        match parcel {
            Parcel::End => {
                self.net.close(link);
                self.with(site, |process, _| process.node.closed(link));
            }
            Parcel::Bytes(bytes) => match Frame::decode(bytes.clone().into()) {
                Ok(frame) => {
                    let mut again = Vec::new();
                    frame.encode(&mut again);
                    if again != bytes {
                        self.fail("a_frame_has_one_form", format!("{frame:?}"));
                    }
                    self.with(site, |process, now| process.node.receive(now, link, frame));
                }
                Err(error) => self.fail("what_is_said_is_understood", error.to_string()),
            },
        }
    }

    /// Everything that waits on connections to a node comes, in any order of the connections.
    pub(crate) fn catch_up(&mut self, site: usize) {
        let mut wires = self.wires_of(site);
        self.dice.shuffle(&mut wires);
        for (wire, side) in wires {
            while self.net.waits(wire, side) && self.sites[site].runs() {
                let (from, to) = if side == 1 { (wire.0, wire.1) } else { (wire.1, wire.0) };
                if !self.net.passes(from, to) {
                    break;
                }
                self.parcel(wire, side);
            }
        }
    }

    fn wires_of(&self, site: usize) -> Vec<(Wire, usize)> {
        let others = (0..self.plan.nodes).filter(|other| *other != site);
        let wires = others.flat_map(|other| {
            let (low, high) = (site.min(other), site.max(other));
            [Lane::Messages, Lane::Zones].map(|lane| ((low, high, lane), usize::from(site == high)))
        });
        wires.collect()
    }

    fn beat(&mut self, site: usize) {
        if self.sites[site].process.is_none() {
            return;
        }
        self.after(50 * MS, Event::Beat(site));
        if !self.sites[site].runs() {
            return;
        }
        let id = self.sites[site].id;
        for other in 0..self.plan.nodes {
            if other != site && self.net.passes(site, other) {
                self.with(other, |process, now| process.node.heard(now, id));
            }
        }
    }

    fn dial(&mut self) {
        self.after(20 * MS, Event::Dial);
        for low in 0..self.plan.nodes {
            for high in low + 1..self.plan.nodes {
                for lane in [Lane::Messages, Lane::Zones] {
                    self.connect((low, high, lane));
                }
            }
        }
    }

    fn connect(&mut self, wire: Wire) {
        let (low, high, lane) = wire;
        let both = self.sites[low].runs() && self.sites[high].runs();
        if self.net.has(wire) || !both || !self.net.is_whole(low, high) {
            return;
        }
        let ids = self.net.connect(wire);
        self.count("links");
        let (at_low, at_high) = (self.sites[low].id, self.sites[high].id);
        self.with(low, |process, now| process.node.opened(now, at_high, lane, ids[0]));
        self.with(high, |process, now| process.node.opened(now, at_low, lane, ids[1]));
    }

    /// Whether a site hears more than half of all, and is heard by them.
    pub(crate) fn has_majority(&self, site: usize) -> bool {
        let hears = |other: &usize| {
            self.sites[*other].runs() && (*other == site || self.net.is_whole(site, *other))
        };
        let there = (0..self.plan.nodes).filter(hears).count();
        self.sites[site].runs() && there * 2 > self.plan.nodes
    }
}

fn short(frame: &Frame) -> String {
    let text = match frame {
        Frame::Hashes(_) => "Hashes".to_owned(),
        Frame::Publish(publish) => {
            format!("Publish {:?} {} {}", publish.counter, publish.message.topic, publish.deliver)
        }
        frame => format!("{frame:?}"),
    };
    text.chars().take(300).collect()
}
