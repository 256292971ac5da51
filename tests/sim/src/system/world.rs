//! The scheduler: virtual time in microseconds, one event after another.

use std::collections::{BTreeMap, BTreeSet};

use gateway_core::command::Agreed;
use gateway_core::event::Stored;
use gateway_core::house::Memory;
use gateway_core::id::Incarnation;
use gateway_core::settings::File;
use gateway_core::{Input, Settings, Timing, UNPROMISED};
use serde_json::{Value as Json, json};
use wire::{GatewayId, Site, SiteGeneration, Topics};

use super::claims::Watch;
use super::client::Client;
use super::hub::{Broker, BrokerId, ONLY};
use super::lane::Conn;
use super::letters::Letters;
use super::plan::{Clocks, Plan};
use super::process::{Life, Process};
use super::reach::Reach;
use crate::Options;
use crate::dice::Dice;
use crate::home::shelf::Library;
use crate::queue::Queue;
use crate::summary::Summary;
use crate::trace::Trace;

pub(crate) const MS: u64 = 1000;

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) dice: Dice,
    pub(crate) plan: Plan,
    pub(crate) topics: Topics,
    pub(crate) processes: BTreeMap<GatewayId, Process>,
    pub(crate) brokers: BTreeMap<BrokerId, Broker>,
    pub(crate) conns: BTreeMap<u64, Conn>,
    /// Devices and people.
    pub(crate) clients: Vec<Client>,
    pub(crate) letters: Letters,
    pub(crate) watch: Watch,
    pub(crate) reach: Reach,
    pub(crate) summary: Summary,
    pub(crate) library: Library,
    /// The faults have ended.
    pub(crate) calm: bool,
    queue: Queue<Event>,
    pub(crate) last_conn: u64,
    /// The last change of each device that the reader of all states was told of.
    pub(crate) last_states: BTreeMap<String, u64>,
    trace: Trace,
}

#[derive(Debug)]
pub(crate) enum Event {
    /// Something on a connection has arrived at the broker.
    Up(u64),
    /// Something on a connection has arrived at the client.
    Down(u64),
    /// The broker of a connection, or its client, gives it up if it still stands still since then.
    Silent(u64, u64),
    Unheard(u64, u64),
    /// A connection that stood still goes on.
    Release(u64, u64),
    /// A CONNECT that is not answered by now is given up.
    GivenUp(u64),
    /// Nobody listens where a link wanted to connect.
    Refused(Life, u64),
    Dial(Life, u64),
    Wake(Life),
    Drain(Life),
    /// The write with this number is at its end.
    Written(Life, u64),
    /// What a process does beside its store is done.
    Filed(Life, Stored),
    Tick(BrokerId, u64),
    Router(BrokerId, u64),
    Sweep(BrokerId, u64),
    StartBroker(BrokerId),
    ResumeBroker(BrokerId, u64),
    /// A device or a person connects.
    Join(usize),
    /// A device obeys.
    Obey(usize, Json),
    /// Someone got no answer and asks again.
    Retry(String),
    /// Someone wants to know how a device is that has just said so.
    Ask(String),
    Talk,
    /// Gateways do not hear each other for a while.
    Hush,
    /// So many of a flood are still to come.
    Flood(u64),
    Die(Life),
    Restart(GatewayId),
    Resume(Life),
    /// A clock that was set wrong is set right.
    SetRight(GatewayId),
    Fault,
}

impl World {
    /// The home that a seed draws, with everyone started.
    pub(crate) fn of_seed(seed: u64, options: Options) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice, options.classes);
        let limits = plan.bounds.limits.clone();
        let founders: BTreeSet<_> = (1..=plan.serving + plan.standbys).map(GatewayId).collect();
        let site = Site::new("home").expect("a name");
        let mut world = Self {
            now: 0,
            dice,
            topics: Topics::new(site.clone()),
            processes: BTreeMap::new(),
            brokers: BTreeMap::from([(ONLY, Broker::new(ONLY, limits))]),
            conns: BTreeMap::new(),
            clients: Vec::new(),
            letters: Letters::default(),
            watch: Watch::new(founders.len()),
            reach: Reach::default(),
            summary: Summary::default(),
            library: Library::new(),
            calm: false,
            queue: Queue::new(),
            last_conn: 0,
            last_states: BTreeMap::new(),
            trace: options.trace,
            plan,
        };
        world.start_broker(ONLY);
        let leaders = world.dice.pick(&[0, 1, 2]);
        let mut ids: Vec<_> = founders.iter().copied().collect();
        let wrong_ones = world.plan.clocks.wrong_ones(ids.len());
        let wrong: BTreeSet<_> =
            (0..wrong_ones).map(|_| ids.swap_remove(world.dice.below(ids.len()))).collect();
        for id in &founders {
            let mut settings = settings(site.clone(), *id, founders.clone());
            settings.serves = id.0 <= world.plan.serving;
            (settings.cache, settings.log_keep) = (world.plan.cache, world.plan.storage.keep);
            settings.agreed.door_closes_after = world.plan.door_closes_after;
            (settings.memory, settings.unpromised) =
                (world.plan.bounds.memory, world.plan.bounds.unpromised);
            settings.leaders.extend((leaders > 0).then_some(GatewayId(leaders)));
            let mut process = Process::new(settings);
            if world.plan.drift {
                // Any two differ by less than the stated bound.
                process.clock.drift = world.dice.between(0, 90_000) as i64 - 45_000;
            }
            process.may_be_wrong = wrong.contains(id);
            process.skew = world.wall_clock_of(process.may_be_wrong);
            world.processes.insert(*id, process);
        }
        for id in founders {
            let soon = world.dice.between(0, 20) * MS;
            world.at(soon, Event::Restart(id));
        }
        world.furnish();
        world.at(300 * MS, Event::Talk);
        let first = world.plan.fault_every;
        world.at(first, Event::Fault);
        world
    }

    /// By how many milliseconds a clock shall be wrong.
    pub(crate) fn wall_clock_of(&mut self, may_be_wrong: bool) -> i64 {
        let clocks = if may_be_wrong { self.plan.clocks } else { Clocks::Right };
        clocks.wrong(&mut self.dice)
    }

    pub(crate) fn run(&mut self, micros: u64) {
        let end = self.now + micros;
        while self.step(end) {}
        self.now = end;
    }

    fn step(&mut self, end: u64) -> bool {
        let Some((time, event)) = self.queue.next(end) else { return false };
        self.now = time;
        self.happen(event);
        true
    }

    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.queue.add(time.max(self.now), event);
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    pub(crate) fn process(&mut self, id: GatewayId) -> &mut Process {
        self.processes.get_mut(&id).expect("a gateway of this world")
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Up(conn) => self.up(conn),
            Event::Down(conn) => self.down(conn),
            Event::Silent(conn, cut) => self.silent(conn, cut),
            Event::Unheard(conn, cut) => self.unheard(conn, cut),
            Event::Release(conn, cut) => self.release(conn, cut),
            Event::GivenUp(conn) => self.given_up(conn),
            Event::Refused(life, link) => {
                if self.processes[&life.0].is(life) {
                    self.link_ends(life, link);
                }
            }
            Event::Dial(life, link) => self.dial(life, link),
            Event::Wake(life) => self.wake(life),
            Event::Drain(life) => self.drain(life),
            Event::Written(life, number) => self.written(life, number),
            Event::Filed(life, stored) => {
                if self.processes[&life.0].paused {
                    return self.after(5 * MS, Event::Filed(life, stored));
                }
                self.input(life, Input::Stored(stored));
            }
            Event::Tick(id, life) => self.tick_broker(id, life),
            Event::Router(id, life) => self.route(id, life),
            Event::Sweep(id, life) => self.sweep(id, life),
            Event::StartBroker(id) => {
                if !self.brokers[&id].alive {
                    self.start_broker(id);
                }
            }
            Event::ResumeBroker(id, life) => self.resume_broker(id, life),
            Event::Join(client) => self.join(client),
            Event::Obey(client, report) => self.obey(client, &report),
            Event::Retry(question) => self.ask_again(&question),
            Event::Ask(place) => self.get(&place),
            Event::Talk => self.talk(),
            Event::Hush => self.hush(),
            Event::Flood(left) => self.flood(left),
            Event::Die(life) => {
                if self.processes[&life.0].is(life) {
                    self.crash(life.0);
                }
            }
            Event::Restart(id) => self.restart(id),
            Event::Resume(life) => self.resume(life),
            Event::SetRight(id) => self.process(id).skew = 0,
            Event::Fault => self.next_fault(),
        }
    }

    pub(crate) fn note(&mut self, kind: &str, what: impl FnOnce() -> Json) {
        if self.trace.is_on() {
            let (time, what) = (self.now as f64 / 1000.0, what());
            self.trace.line(json!({"ms": time, "event": kind, "what": what}));
        }
    }

    pub(crate) fn note_of(&mut self, id: GatewayId, kind: &str, what: impl FnOnce() -> String) {
        if self.trace.is_on() {
            let (time, what) = (self.now as f64 / 1000.0, what());
            let process = &self.processes[&id];
            let applied = process.core.as_ref().map(|core| core.applied().0);
            self.trace.line(json!({
                "ms": time, "gateway": id.0, "event": kind, "what": what, "applied": applied,
            }));
        }
    }
}

fn settings(site: Site, id: GatewayId, founders: BTreeSet<GatewayId>) -> Settings {
    Settings {
        site,
        id,
        incarnation: Incarnation(0),
        disk: 0,
        doubt: None,
        generation: SiteGeneration::default(),
        file: File::default(),
        witnesses: BTreeMap::new(),
        founders,
        serves: true,
        leaders: vec![],
        agreed: Agreed { threshold: 3, door_closes_after: None },
        cache: 2,
        versions: gateway_core::version::OURS,
        own_broker: true,
        story: false,
        rounds: false,
        log_keep: 65_536,
        timing: Timing::default(),
        memory: Memory::USUAL,
        unpromised: UNPROMISED,
    }
}
