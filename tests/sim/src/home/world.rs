//! The scheduler: virtual time in microseconds, one event after another, and the claims after each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gateway_core::command::Agreed;
use gateway_core::event::Session;
use gateway_core::house::Memory;
use gateway_core::id::{Generation, Incarnation};
use gateway_core::settings::File;
use gateway_core::{Input, Settings, Timing, UNPROMISED};
use serde_json::json;
use wire::{GatewayId, Site, SiteGeneration};

use super::broker::{Act, Broker, Life, Request};
use super::claims::{self, Watch};
use super::network::Parcel;
use super::node::Node;
use super::people::People;
use super::plan::Plan;
use super::shelf::Library;
use crate::Options;
use crate::attic::Attic;
use crate::dice::Dice;
use crate::queue::Queue;
use crate::summary::Summary;
use crate::trace::Trace;

pub(crate) const MS: u64 = 1000;

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) dice: Dice,
    pub(crate) plan: Plan,
    pub(crate) nodes: BTreeMap<GatewayId, Node>,
    pub(crate) broker: Broker,
    pub(crate) people: People,
    pub(crate) watch: Watch,
    pub(crate) summary: Summary,
    /// Every snapshot that was made.
    pub(crate) library: Library,
    /// Pairs of gateways of which the second does not hear the first.
    pub(crate) parted: BTreeSet<(GatewayId, GatewayId)>,
    /// Gateways whose own connection is dead while the sessions of their zones live.
    pub(crate) muted: BTreeSet<GatewayId>,
    /// Until when a gateway hears nothing of the agreement, and all else: a subscription is gone.
    pub(crate) deaf: BTreeMap<GatewayId, u64>,
    /// Messages of long ago, to be delivered again.
    pub(crate) attic: Attic<Parcel>,
    /// The faults have ended.
    pub(crate) calm: bool,
    queue: Queue<Event>,
    trace: Trace,
    /// When the last message of a connection arrives: what follows does not overtake it.
    lanes: BTreeMap<(Life, Session, bool), u64>,
}

#[derive(Debug)]
pub(crate) enum Event {
    Wake(Life),
    /// The write with this number is at its end.
    Written(Life, u64),
    /// From another gateway, through this life of the broker.
    Peer(u64, Parcel),
    /// From this life of the broker on a session.
    Tell(u64, Life, Session, Input),
    /// From the process itself.
    Input(Life, Input),
    /// To this life of the broker on a session.
    Request(u64, Life, Session, Generation, Request),
    /// Broker and gateway notice that the connection is dead.
    Notice(GatewayId, u64),
    /// The broker announces zones that nobody serves.
    Announce,
    Obey(String, serde_json::Value),
    /// Someone got no answer and asks again.
    Retry(String),
    /// Someone wants to know how a device is that has just said so.
    Ask(String),
    /// An operator registers a device, until a zone that no broker announces has an owner.
    Register(&'static str),
    /// A foreign broker ends a session that somebody else has.
    ThrowOut(Session, Life, Generation),
    Die(Life),
    Restart(GatewayId),
    Resume(Life),
    Heal(GatewayId, u64),
    NoticeMute(Life),
    Unmute(Life),
    Mute(Life),
    Talk,
    Fault,
    /// Someone may have lost its vote.
    GiveVotes,
}

impl World {
    /// The home that a seed draws, with everyone started.
    pub(crate) fn of_seed(seed: u64, options: Options) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let leaders = dice.pick(&[0, 1, 2]);
        let (cache, closes, keep) = (plan.cache, plan.door_closes_after, plan.storage.keep);
        let own_broker = !plan.foreign;
        let mut world = Self::with(dice, plan, options, Some(seed), |settings| {
            (settings.cache, settings.log_keep) = (cache, keep);
            settings.own_broker = own_broker;
            settings.agreed.door_closes_after = closes;
            settings.leaders.extend((leaders > 0).then_some(GatewayId(leaders)));
        });
        world.at(0, Event::Talk);
        if world.plan.foreign {
            world.summary.home.foreign += 1;
            (world.broker.foreign, world.broker.lingers) = (true, true);
            world.register_everything();
        }
        let first = world.plan.fault_every;
        world.at(first, Event::Fault);
        world
    }

    /// Gateways 1 to `serving` and as many standbys after them, all started, and nothing goes wrong by itself.
    #[cfg(test)]
    pub(crate) fn new(
        seed: u64,
        serving: u8,
        standbys: u8,
        adjust: impl Fn(&mut Settings),
    ) -> Self {
        let plan = Plan::calm(serving, standbys);
        Self::with(Dice::new(seed), plan, Options::default(), None, adjust)
    }

    fn with(
        dice: Dice,
        plan: Plan,
        options: Options,
        programs: Option<u64>,
        adjust: impl Fn(&mut Settings),
    ) -> Self {
        let founders: BTreeSet<_> = (1..=plan.serving + plan.standbys).map(GatewayId).collect();
        let mut world = Self {
            now: 0,
            dice,
            nodes: BTreeMap::new(),
            broker: Broker::new(),
            people: People::default(),
            watch: Watch::new(founders.len()),
            summary: Summary::default(),
            library: BTreeMap::new(),
            parted: BTreeSet::new(),
            muted: BTreeSet::new(),
            deaf: BTreeMap::new(),
            attic: Attic::new(4),
            calm: false,
            queue: Queue::new(),
            trace: options.trace,
            lanes: BTreeMap::new(),
            plan,
        };
        for id in &founders {
            let mut settings = settings(*id, founders.clone(), id.0 <= world.plan.serving);
            adjust(&mut settings);
            let mut node = Node::new(settings);
            if world.plan.drift {
                // Any two differ by less than the stated bound.
                node.clock.drift = world.dice.between(0, 90_000) as i64 - 45_000;
            }
            world.nodes.insert(*id, node);
        }
        if let Some(seed) = programs {
            world.draw_programs(seed);
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

    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.queue.add(time, event);
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    pub(crate) fn soon(&mut self, event: Event) {
        let delay = self.dice.between(1, self.plan.network.delay);
        self.after(delay, event);
    }

    pub(crate) fn node(&mut self, id: GatewayId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a gateway of this world")
    }

    /// What gateways have sent on a session arrives only then.
    #[cfg(test)]
    pub(crate) fn postpone_requests(&mut self, session: &Session, time: u64) {
        self.postpone(time, |event| matches!(event, Event::Request(_, _, of, ..) if of == session));
    }

    /// What the broker has told a gateway on a session arrives only then.
    #[cfg(test)]
    pub(crate) fn postpone_news(&mut self, to: Life, session: &Session, time: u64) {
        let told = |event: &Event| matches!(event, Event::Tell(_, life, of, _) if (*life, of) == (to, session));
        self.postpone(time, told);
    }

    #[cfg(test)]
    fn postpone(&mut self, time: u64, which: impl Fn(&Event) -> bool) {
        for event in self.queue.take(|at, event| at < time && which(event)) {
            self.at(time, event);
        }
    }

    /// Carries out what the broker does.
    pub(crate) fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Tell(life, session, input) => {
                    let lane = (life, session.clone(), true);
                    let broker = self.broker.incarnation;
                    self.in_order(lane, Event::Tell(broker, life, session, input));
                }
                Act::Acknowledge(stamp) => {
                    self.note("acknowledged", || json!(stamp));
                    claims::an_acknowledged_publish_is_agreed_and_on_a_majoritys_disks(self, stamp);
                    self.acknowledged(stamp);
                }
                Act::Lingers(session, life, generation) if self.plan.foreign => {
                    let (short, long) =
                        (self.dice.tail(1000, 500_000), self.dice.between(300, 2000));
                    let until = if self.dice.chance(50) { short } else { long * MS };
                    let until = if self.calm { MS } else { until };
                    self.after(until, Event::ThrowOut(session, life, generation));
                }
                Act::Lingers(..) => {}
                Act::Publish { topic, payload } => {
                    claims::an_answer_is_as_fresh_as_what_was_acknowledged(self, &topic, &payload);
                    self.published(&topic, &payload);
                }
            }
        }
    }

    pub(crate) fn step(&mut self, end: u64) -> bool {
        let Some((time, event)) = self.queue.next(end) else { return false };
        self.now = time;
        if let Some(event) = self.unless_paused(event) {
            self.happen(event);
        }
        true
    }

    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Wake(life) => self.wake(life),
            Event::Written(life, number) => self.written(life, number),
            Event::Peer(broker, parcel) => self.hear(broker, parcel),
            Event::Tell(broker, life, session, input) => self.tell(broker, life, session, input),
            Event::Input(life, input) => self.input(life, input),
            Event::Request(broker, life, session, generation, request) => {
                self.request(broker, life, session, generation, request);
            }
            Event::Notice(id, cut) => self.notice(id, cut),
            Event::Announce => self.announce(),
            Event::Obey(place, command) => self.obey(&place, &command),
            Event::Retry(question) => self.ask_again(&question),
            Event::Ask(place) => drop(self.get(&place)),
            Event::Register(place) => self.register(place),
            Event::ThrowOut(session, life, generation) => {
                let acts = self.broker.throw_out(session, life, generation);
                self.act(acts);
            }
            Event::Die(life) if self.nodes[&life.0].is(life) => self.crash(life.0),
            Event::Die(_) => {}
            Event::Restart(id) => self.restart(id),
            Event::Resume(life) => self.resume(life),
            Event::Heal(id, cut) => self.heal_cut(id, cut),
            Event::NoticeMute(life) => self.notice_mute(life),
            Event::Unmute(life) => self.unmute(life),
            Event::Mute(life) if self.nodes[&life.0].is(life) => self.mute_this_one(life.0),
            Event::Mute(_) => {}
            Event::Talk => self.talk(),
            Event::Fault => self.next_fault(),
            Event::GiveVotes => self.give_votes_back(),
        }
    }

    /// What comes in while a process stands still waits for it, in order.
    fn unless_paused(&mut self, event: Event) -> Option<Event> {
        let life = match &event {
            Event::Wake(life)
            | Event::Written(life, _)
            | Event::Tell(_, life, ..)
            | Event::Input(life, _) => *life,
            Event::Peer(_, parcel) => self.nodes[&parcel.to].life(),
            _ => return Some(event),
        };
        let node = self.node(life.0);
        if !node.paused || node.life() != life {
            return Some(event);
        }
        node.inbox.push_back(event);
        None
    }

    fn announce(&mut self) {
        for input in self.broker.waiting() {
            self.broadcast(None, || input.clone());
        }
        self.after(50 * MS, Event::Announce);
    }

    /// To every gateway that is connected, `except` one.
    pub(crate) fn broadcast(&mut self, except: Option<GatewayId>, input: impl Fn() -> Input) {
        let connected = self.nodes.values().filter(|node| node.cut.is_none());
        let lives: Vec<Life> = connected.map(Node::life).collect();
        for life in lives.into_iter().filter(|(id, _)| Some(*id) != except) {
            self.soon(Event::Input(life, input()));
        }
    }

    pub(crate) fn in_order(&mut self, lane: (Life, Session, bool), event: Event) {
        let network = &self.plan.network;
        let (delay, stall) = (network.delay, network.stall);
        let mut soon = self.now + self.dice.between(1, delay);
        if !self.calm && self.dice.chance(stall) {
            soon += self.dice.tail(1000, 2_000_000);
        }
        let last = self.lanes.entry(lane).or_default();
        *last = (*last).max(soon);
        let time = *last;
        self.at(time, event);
    }

    /// Nothing of a lane arrives before that time.
    pub(crate) fn hold_up(&mut self, lane: (Life, Session, bool), time: u64) {
        let last = self.lanes.entry(lane).or_default();
        *last = (*last).max(time);
    }

    /// What was held up arrives now, in its order.
    pub(crate) fn deliver_what_is_late(&mut self) {
        let carried =
            |event: &Event| matches!(event, Event::Tell(..) | Event::Request(..) | Event::Peer(..));
        let late = self.queue.take(|_, event| carried(event));
        self.lanes.clear();
        for event in late {
            let lane = match &event {
                Event::Tell(_, life, session, _) => (*life, session.clone(), true),
                Event::Request(_, life, session, ..) => (*life, session.clone(), false),
                _ => {
                    self.soon(event);
                    continue;
                }
            };
            self.in_order(lane, event);
        }
    }

    /// Writes one line of the trace, if somebody wants to read it.
    pub(crate) fn note(&mut self, what: &str, more: impl FnOnce() -> serde_json::Value) {
        if self.trace.is_on() {
            self.trace.line(json!({"at": self.now, "what": what, "more": more()}));
        }
    }

    /// The same, about one gateway and where it stands.
    pub(crate) fn note_of(&mut self, id: GatewayId, what: &str, more: impl FnOnce() -> String) {
        if self.trace.is_on() {
            let node = &self.nodes[&id];
            let line = json!({
                "at": self.now, "gateway": id, "incarnation": node.life().1, "what": what,
                "applied": node.disk.applied.0, "leads": node.core.as_ref().map(|core| core.is_leading()),
                "more": more(),
            });
            self.trace.line(line);
        }
    }
}

fn settings(id: GatewayId, founders: BTreeSet<GatewayId>, serves: bool) -> Settings {
    Settings {
        site: Site::new("home").expect("a name"),
        id,
        incarnation: Incarnation(0),
        disk: 0,
        doubt: None,
        generation: SiteGeneration::default(),
        file: File::default(),
        witnesses: BTreeMap::new(),
        versions: gateway_core::version::OURS,
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
        memory: Memory::USUAL,
        unpromised: UNPROMISED,
    }
}
