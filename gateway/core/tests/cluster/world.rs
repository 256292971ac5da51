//! The scheduler: virtual time, one event after another, and the claims after each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gateway_core::command::Agreed;
use gateway_core::event::{Effect, Session};
use gateway_core::peer::PeerMessage;
use gateway_core::snapshots::SnapshotId;
use gateway_core::{Input, Settings, Timing};
use wire::{GatewayId, Site};

use crate::broker::{Act, Broker, Life, Request};
use crate::claims::{self, Watch};
use crate::dice::Dice;
use crate::node::Node;
use crate::people::People;
use crate::shelf::Tables;

pub(crate) const MS: u64 = 1000;

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) dice: Dice,
    pub(crate) nodes: BTreeMap<GatewayId, Node>,
    pub(crate) broker: Broker,
    pub(crate) people: People,
    pub(crate) watch: Watch,
    /// Every snapshot that was made.
    pub(crate) library: BTreeMap<SnapshotId, Tables>,
    /// Longest delay of a message, in microseconds.
    pub(crate) delay: u64,
    /// Messages between gateways that get lost, in percent.
    pub(crate) loss: u64,
    /// Pairs of gateways that do not hear each other.
    pub(crate) parted: BTreeSet<(GatewayId, GatewayId)>,
    /// Gateways whose own connection is dead while the sessions of their zones live.
    pub(crate) muted: BTreeSet<GatewayId>,
    queue: BTreeMap<(u64, u64), Event>,
    serial: u64,
    traced: bool,
    /// When the last message of a connection arrives: what follows does not overtake it.
    lanes: BTreeMap<(Life, Session, bool), u64>,
}

pub(crate) enum Event {
    Wake(Life),
    Written(Life),
    Peer {
        from: GatewayId,
        to: GatewayId,
        message: PeerMessage,
    },
    /// From the broker on a session.
    Tell(Life, Session, Input),
    /// From the process itself.
    Input(Life, Input),
    Request(Life, Session, u64, Request),
    /// Broker and gateway notice that the connection is dead.
    Notice(GatewayId, u64),
    /// The broker announces zones that nobody serves.
    Announce,
    Obey(String, serde_json::Value),
}

impl World {
    /// Gateways 1 to `serving` and as many standbys after them, all started.
    pub(crate) fn new(
        seed: u64,
        serving: u8,
        standbys: u8,
        adjust: impl Fn(&mut Settings),
    ) -> Self {
        let founders: BTreeSet<_> = (1..=serving + standbys).map(GatewayId).collect();
        let mut world = Self {
            now: 0,
            dice: Dice(seed),
            nodes: BTreeMap::new(),
            broker: Broker::new(),
            people: People::default(),
            watch: Watch::default(),
            library: BTreeMap::new(),
            delay: 2 * MS,
            loss: 0,
            parted: BTreeSet::new(),
            muted: BTreeSet::new(),
            queue: BTreeMap::new(),
            serial: 0,
            traced: std::env::var_os("TRACE").is_some(),
            lanes: BTreeMap::new(),
        };
        for id in &founders {
            let mut settings = settings(*id, founders.clone(), id.0 <= serving);
            adjust(&mut settings);
            world.nodes.insert(*id, Node::new(settings));
        }
        founders.iter().for_each(|id| world.start(id.0));
        world.at(0, Event::Announce);
        world
    }

    pub(crate) fn run(&mut self, millis: u64) {
        let end = self.now + millis * MS;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until something is so; panics when it is not within the time.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, millis: u64, is_so: impl Fn(&Self) -> bool) -> u64 {
        let (start, end) = (self.now, self.now + millis * MS);
        while !is_so(self) {
            assert!(self.step(end), "within {millis} ms: {what}");
        }
        (self.now - start) / MS
    }

    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.serial += 1;
        self.queue.insert((time, self.serial), event);
    }

    pub(crate) fn soon(&mut self, event: Event) {
        let time = self.now + 1 + self.dice.below(self.delay);
        self.at(time, event);
    }

    /// What gateways have sent on a session arrives only then.
    pub(crate) fn postpone_requests(&mut self, session: &Session, time: u64) {
        let sent = |event: &Event| matches!(event, Event::Request(_, of, ..) if of == session);
        let late: Vec<_> = self.queue.extract_if(.., |_, event| sent(event)).collect();
        for (_, event) in late {
            self.at(time, event);
        }
    }

    /// Carries out what the broker does.
    pub(crate) fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Tell(life, session, input) => {
                    let lane = (life, session.clone(), true);
                    self.in_order(lane, Event::Tell(life, session, input));
                }
                Act::Acknowledge(stamp) => {
                    claims::an_acknowledged_publish_is_on_a_majoritys_disks(self, stamp);
                    self.acknowledged(stamp);
                }
                Act::Publish { topic, payload } => {
                    claims::an_answer_is_as_fresh_as_what_was_acknowledged(self, &topic, &payload);
                    self.published(&topic, &payload);
                }
            }
        }
    }

    /// Gives a gateway an input and carries out what it asks for.
    pub(crate) fn input(&mut self, life: Life, input: Input) {
        let now = self.now;
        let node = self.nodes.get_mut(&life.0).expect("a gateway of this world");
        if node.life() != life {
            return;
        }
        let Some(mut step) = node.step(now, input) else { return };
        let effects = step.take_effects();
        if step.needs_store() {
            let latency = self.dice.below(4 * MS);
            node.busy_until = node.busy_until.max(now) + latency;
            node.unwritten.push_back(step);
            let written = node.busy_until;
            self.at(written, Event::Written(life));
        }
        for effect in effects {
            self.carry_out(life, effect);
        }
        let node = self.nodes.get_mut(&life.0).expect("a gateway of this world");
        let deadline = node.deadline().unwrap_or(u64::MAX).max(now + 1);
        if deadline < node.wake {
            node.wake = deadline;
            self.at(deadline, Event::Wake(life));
        }
        claims::after_a_step(self, life.0);
    }

    fn step(&mut self, end: u64) -> bool {
        if self.queue.first_key_value().is_none_or(|((time, _), _)| *time > end) {
            return false;
        }
        let Some(((time, _), event)) = self.queue.pop_first() else { return false };
        self.now = time;
        match event {
            Event::Wake(life) => self.wake(life),
            Event::Written(life) => self.written(life),
            Event::Peer { from, to, message } => self.hear(from, to, message),
            Event::Tell(life, session, input) => self.tell(life, session, input),
            Event::Input(life, input) => self.input(life, input),
            Event::Request(life, session, generation, request) => {
                self.request(life, session, generation, request);
            }
            Event::Notice(id, cut) => self.notice(id, cut),
            Event::Announce => self.announce(),
            Event::Obey(place, command) => self.obey(&place, &command),
        }
        true
    }

    fn wake(&mut self, life: Life) {
        let node = self.nodes.get_mut(&life.0).expect("a gateway of this world");
        if node.life() == life && node.wake == self.now {
            node.wake = u64::MAX;
            self.input(life, Input::Tick);
        }
    }

    fn written(&mut self, life: Life) {
        let node = self.nodes.get_mut(&life.0).expect("a gateway of this world");
        if node.life() != life || node.core.is_none() {
            return;
        }
        let Some(step) = node.unwritten.pop_front() else { return };
        node.store.shelf.tidy(self.now);
        let stored = node.store.persist(step);
        claims::after_a_write(self, life.0);
        for part in stored {
            self.input(life, Input::Stored(part));
        }
    }

    fn hear(&mut self, from: GatewayId, to: GatewayId, message: PeerMessage) {
        if self.hears(from, to) {
            let life = self.nodes[&to].life();
            let from = self.nodes[&from].replica();
            self.input(life, Input::Peer { from, message });
        }
    }

    fn tell(&mut self, life: Life, session: Session, input: Input) {
        let node = self.nodes.get_mut(&life.0).expect("a gateway of this world");
        if node.life() != life || node.cut.is_some() {
            return;
        }
        match &input {
            Input::Up { generation, .. } => {
                if let Some(open) = node.sessions.get_mut(&session).filter(|o| o.0 == *generation) {
                    open.1 = true;
                }
            }
            Input::Down { generation, .. } => {
                node.sessions.retain(|of, open| *of != session || open.0 != *generation);
                claims::note_thrown_out(self, life.0, &session);
            }
            _ => {}
        }
        self.input(life, input);
    }

    fn request(&mut self, life: Life, session: Session, generation: u64, request: Request) {
        let node = &self.nodes[&life.0];
        if node.life() != life || node.core.is_none() || node.cut.is_some() {
            return;
        }
        // A connection that was given up meanwhile is no connection.
        let gone = node.sessions.get(&session).is_none_or(|open| open.0 != generation);
        if gone && !matches!(request, Request::Close) {
            return;
        }
        let acts = self.broker.take(life, session, generation, request);
        self.act(acts);
    }

    fn announce(&mut self) {
        for zone in self.broker.waiting() {
            self.broadcast(None, || Input::Waiting(zone.clone()));
        }
        self.at(self.now + 50 * MS, Event::Announce);
    }

    /// To every gateway that is connected, `except` one.
    pub(crate) fn broadcast(&mut self, except: Option<GatewayId>, input: impl Fn() -> Input) {
        let connected = self.nodes.values().filter(|node| node.cut.is_none());
        let lives: Vec<Life> = connected.map(Node::life).collect();
        for life in lives.into_iter().filter(|(id, _)| Some(*id) != except) {
            self.soon(Event::Input(life, input()));
        }
    }

    fn hears(&self, from: GatewayId, to: GatewayId) -> bool {
        let cut = |id| self.nodes[&id].cut.is_some() || self.muted.contains(&id);
        !cut(from) && !cut(to) && !self.parted.contains(&(from.min(to), from.max(to)))
    }

    fn in_order(&mut self, lane: (Life, Session, bool), event: Event) {
        let soon = self.now + 1 + self.dice.below(self.delay);
        let last = self.lanes.entry(lane).or_default();
        *last = (*last).max(soon);
        let time = *last;
        self.at(time, event);
    }

    fn carry_out(&mut self, life: Life, effect: Effect) {
        let id = life.0;
        let cut = self.nodes[&id].cut.is_some() || self.muted.contains(&id);
        match effect {
            Effect::Send { to, message } => {
                let lost = self.dice.below(100) < self.loss;
                if !lost && self.hears(id, to) {
                    self.soon(Event::Peer { from: id, to, message });
                }
            }
            Effect::Beat(beat) if !cut => self.broadcast(Some(id), || Input::Heartbeat(beat)),
            Effect::Open { session, generation } => self.open(life, session, generation),
            Effect::Close { session } => {
                let node = self.nodes.get_mut(&id).expect("a gateway of this world");
                if let Some((generation, _)) = node.sessions.remove(&session) {
                    self.on(life, session, generation, Request::Close);
                }
            }
            Effect::Publish { session, topic, payload, .. } => {
                if topic.ends_with("/state") {
                    claims::a_state_is_published_after_it_is_stored(self, id, &payload);
                }
                if let Some((generation, true)) = self.nodes[&id].sessions.get(&session).copied() {
                    self.on(life, session, generation, Request::Publish { topic, payload });
                }
            }
            Effect::Acknowledge { session, generation, token } => {
                if matches!(session, Session::Zone(_)) {
                    claims::an_owner_acknowledges_what_is_in_its_tables(self, id, token);
                }
                self.on(life, session, generation, Request::Acknowledge(token));
            }
            Effect::Stop(why) => panic!("gateway {id} stops: {why}"),
            Effect::Snapshot(task) => self.work_on_snapshots(life, task),
            Effect::Say(words) => self.trace(|| format!("{id}: {words}")),
            Effect::Beat(_) => {}
        }
    }

    /// With `TRACE=1` the story of a run is printed.
    pub(crate) fn trace(&self, words: impl FnOnce() -> String) {
        if self.traced {
            eprintln!("{:>9} {}", self.now / MS, words());
        }
    }

    fn open(&mut self, life: Life, session: Session, generation: u64) {
        self.trace(|| format!("{}: opens {session:?}", life.0));
        claims::nobody_opens_a_zone_that_its_house_does_not_give_it(self, life.0, &session);
        claims::nobody_reopens_a_zone_that_was_gone_before_it_asked(self, life.0, &session);
        let node = self.nodes.get_mut(&life.0).expect("a gateway of this world");
        node.sessions.insert(session.clone(), (generation, false));
        if node.cut.is_some() {
            let down = Input::Down { session, generation };
            return self.at(self.now + 200 * MS, Event::Input(life, down));
        }
        self.on(life, session, generation, Request::Open);
    }

    fn on(&mut self, life: Life, session: Session, generation: u64, request: Request) {
        let lane = (life, session.clone(), false);
        self.in_order(lane, Event::Request(life, session, generation, request));
    }
}

fn settings(id: GatewayId, founders: BTreeSet<GatewayId>, serves: bool) -> Settings {
    Settings {
        site: Site::new("home").expect("a name"),
        id,
        incarnation: 0,
        disk: 0,
        founders,
        serves,
        leaders: vec![],
        agreed: Agreed { threshold: 3, door_closes_after: None },
        cache: 2,
        own_broker: true,
        story: false,
        rounds: false,
        log_keep: 65_536,
        timing: Timing { silence: Duration::from_millis(500), ..Timing::default() },
    }
}
