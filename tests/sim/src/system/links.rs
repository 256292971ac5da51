//! The links of a gateway: clients of the broker, each with a queue of what is to be sent and one of what has come.
//!
//! As the crate `link` and the gateway's shell have it: a link for the agreement and one of the gateway's own are made
//! again for ever; one for a session ends with its connection. Nothing is ever sent again. A queue that is full drops
//! what comes; in front of a session's it waits in line.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use broker_core::protocol::{
    Action, Connect, Filter, Login, Outgoing, Packet, Properties, Publish, Qos, Reason,
    RetainHandling, Version, Will,
};
use bytes::Bytes;
use gateway_core::event::Session;
use gateway_core::id::{Generation, Token};
use gateway_core::outbox::{Bounds, Outbox, Wanted};
use wire::{Epoch, GatewayVerb, Heartbeat, Liveness, PaxosLeg, ZoneVerb};

use super::hub::ONLY;
use super::lane::{Conn, Down, Up, Who};
use super::process::Life;
use super::world::{Event, MS, World};

/// Between two attempts to connect again, at least and at most.
const SHORTEST: u64 = 10 * MS;
const LONGEST: u64 = 1000 * MS;
/// A broker that is not heard for so long is given up.
pub(crate) const SILENCE: u64 = 2000 * MS;
/// How long a CONNECT may take with its answer.
const CONNECT: u64 = 5000 * MS;

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Paxos,
    Own,
    /// With the number under which it was opened, and since when this gateway owns its zone.
    Session(Session, Generation, Epoch),
}

/// The least that waits for a link of which nothing is sent again: more than a gateway says in a step.
const KEPT_QUEUE: usize = 64;

/// What a link has to tell.
#[derive(Debug)]
pub(crate) enum Arrival {
    Subscribed,
    Message(Outgoing, Option<Due>),
    Down,
}

/// An acknowledgement, with the reason if it refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer(pub(crate) Due, pub(crate) Option<Reason>);

/// By what a delivery is acknowledged: the connection that it came on, and its number there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due(pub(crate) u64, pub(crate) u16);

/// A session that the core has opened.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) generation: Generation,
    pub(crate) link: u64,
    pub(crate) up: bool,
    pub(crate) acks: BTreeMap<Token, Due>,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: Name,
    /// The connection, if there is one, and whether the broker has let it in.
    pub(crate) conn: Option<u64>,
    welcome: bool,
    queue: VecDeque<Publish>,
    /// What of a session waits in front of the queue.
    line: Outbox<Publish, Answer>,
    waits: BTreeSet<u16>,
    last_pid: u16,
    pub(crate) arrivals: VecDeque<Arrival>,
    pause: u64,
    began: u64,
}

impl Link {
    fn new(name: Name, bounds: Bounds) -> Self {
        Self {
            name,
            conn: None,
            welcome: false,
            queue: VecDeque::new(),
            line: Outbox::new(bounds),
            waits: BTreeSet::new(),
            last_pid: 0,
            arrivals: VecDeque::new(),
            pause: SHORTEST,
            began: 0,
        }
    }

    pub(crate) const fn is_welcome(&self) -> bool {
        self.welcome
    }

    const fn is_kept(&self) -> bool {
        matches!(self.name, Name::Paxos | Name::Own)
    }

    fn next_pid(&mut self) -> u16 {
        loop {
            self.last_pid = self.last_pid.wrapping_add(1).max(1);
            if !self.waits.contains(&self.last_pid) {
                return self.last_pid;
            }
        }
    }
}

impl World {
    /// A link with its first attempt to connect.
    pub(crate) fn new_link(&mut self, life: Life, name: Name) -> u64 {
        let line = self.plan.bounds.line;
        let process = self.process(life.0);
        process.next_link += 1;
        let number = process.next_link;
        process.links.insert(number, Link::new(name, line));
        self.dial(life, number);
        number
    }

    /// Tries to connect.
    pub(crate) fn dial(&mut self, life: Life, number: u64) {
        let now = self.now;
        if !self.processes[&life.0].is(life) {
            return;
        }
        let Some(connect) = self.connect_of(life, number) else { return };
        if !self.brokers[&ONLY].alive {
            // Refused at once.
            let soon = self.dice.between(100, 2000);
            return self.after(soon, Event::Refused(life, number));
        }
        let conn = self.connect(Conn::new(Who::Link(life, number), ONLY, 1500 * MS));
        let late = self.lateness_of_a_connect();
        let Some(link) = self.process(life.0).links.get_mut(&number) else { return };
        (link.conn, link.welcome, link.began) = (Some(conn), false, now);
        link.waits.clear();
        self.hold_up(conn, now + late);
        self.send_up(conn, Up::Connect(Box::new(connect)));
        self.after(CONNECT, Event::GivenUp(conn));
    }

    fn connect_of(&self, life: Life, number: u64) -> Option<Connect> {
        let process = &self.processes[&life.0];
        let link = process.links.get(&number)?;
        let (id, topics) = (process.id(), &self.topics);
        let mut connect = connect("", Version::V5);
        match &link.name {
            Name::Paxos => {
                connect.version = Version::V311;
                connect.client_id = topics.gateway_session(id, "paxos");
            }
            Name::Own => {
                connect.client_id = topics.gateway_session(id, "own");
                let will = Heartbeat::bare(Liveness::Dead, id, process.settings.incarnation.0);
                let topic = topics.gateway(id, GatewayVerb::Status);
                let mut publish = publish(topic, will.to_payload(), Qos::AtLeastOnce);
                publish.retain = true;
                connect.will = Some(Will { publish, delay: 0 });
            }
            Name::Session(Session::Zone(zone), _, epoch) => {
                connect.epoch = epoch.0;
                connect.client_id = topics.zone_session(zone);
                connect.clean = false;
                connect.session_expiry = 0;
                connect.receive_maximum = self.plan.bounds.receive_maximum;
            }
            Name::Session(Session::Query(zone), _, epoch) => {
                connect.epoch = epoch.0;
                connect.client_id = topics.query_session(zone);
            }
            Name::Session(Session::Site | Session::Own, ..) => {
                connect.client_id = topics.site_session();
            }
        }
        Some(connect)
    }

    fn filters_of(&self, life: Life, name: &Name) -> Vec<Filter> {
        let (id, topics) = (life.0, &self.topics);
        let zone = |zone: &wire::Zone, verbs: &[ZoneVerb], qos| {
            verbs.iter().map(|verb| filter(topics.zone(zone, *verb), qos)).collect()
        };
        match name {
            Name::Paxos => PaxosLeg::ALL
                .iter()
                .map(|leg| filter(topics.paxos(id, *leg), Qos::AtMostOnce))
                .collect(),
            Name::Own => {
                let verbs =
                    [GatewayVerb::Get, GatewayVerb::Stats, GatewayVerb::Log, GatewayVerb::Lead];
                let verbs = verbs.iter().map(|verb| topics.gateway(id, *verb));
                let all = verbs.chain([topics.heartbeats(), topics.waiting(), topics.asking()]);
                all.map(|path| filter(path, Qos::AtMostOnce)).collect()
            }
            Name::Session(Session::Zone(of), ..) => {
                zone(of, &[ZoneVerb::Report, ZoneVerb::Set, ZoneVerb::Status], Qos::AtLeastOnce)
            }
            Name::Session(Session::Query(of), ..) => zone(of, &[ZoneVerb::Get], Qos::AtMostOnce),
            Name::Session(Session::Site | Session::Own, ..) => vec![
                filter(topics.api_filter(), Qos::AtLeastOnce),
                filter(topics.everywhere(ZoneVerb::Get), Qos::AtMostOnce),
            ],
        }
    }

    /// Something that the broker said is here.
    pub(crate) fn link_hears(&mut self, life: Life, number: u64, conn: u64, item: Down) {
        let Some(link) = self.process(life.0).links.get_mut(&number) else { return };
        if link.conn != Some(conn) {
            return;
        }
        match item {
            Down::Welcome(_) => {
                link.welcome = true;
                let pid = link.next_pid();
                link.waits.insert(pid);
                let filters = self.filters_of(life, &self.processes[&life.0].links[&number].name);
                let subscribe = Packet::Subscribe { pid, id: None, filters };
                self.send_up(conn, Up::Packet(subscribe));
                self.flush(life, number);
            }
            Down::Refused(reason) => self.note_refused(conn, reason),
            Down::Action(Action::Publish(outgoing)) => {
                let due = (outgoing.qos > Qos::AtMostOnce).then_some(Due(conn, outgoing.pid));
                let manual = matches!(link.name, Name::Session(Session::Zone(_), ..));
                link.arrivals.push_back(Arrival::Message(outgoing, due.filter(|_| manual)));
                if let Some(Due(_, pid)) = due.filter(|_| !manual) {
                    self.send_up(conn, Up::Packet(Packet::Puback(pid, None)));
                }
                self.drain_soon(life);
            }
            Down::Action(Action::Puback(pid, _)) => {
                link.waits.remove(&pid);
                self.flush(life, number);
            }
            Down::Action(Action::Suback(pid, codes)) => {
                assert!(codes.iter().all(|code| *code < 0x80), "a broker of ours grants this");
                link.waits.remove(&pid);
                link.arrivals.push_back(Arrival::Subscribed);
                self.flush(life, number);
                self.drain_soon(life);
            }
            Down::Gone => self.link_ends(life, number),
            Down::Action(_) => {}
        }
    }

    /// The connection of a link is over. What came before that is still the caller's.
    pub(crate) fn link_ends(&mut self, life: Life, number: u64) {
        let now = self.now;
        let Some(link) = self.process(life.0).links.get_mut(&number) else { return };
        link.conn = None;
        let was_up = std::mem::replace(&mut link.welcome, false);
        link.waits.clear();
        link.queue.clear();
        if !link.is_kept() {
            link.arrivals.push_back(Arrival::Down);
            return self.drain_soon(life);
        }
        if was_up {
            link.arrivals.push_back(Arrival::Down);
        }
        if now >= link.began + LONGEST {
            link.pause = SHORTEST;
        }
        let pause = link.pause;
        link.pause = (pause * 2).min(LONGEST);
        self.drain_soon(life);
        let wait = self.dice.between(pause / 2, pause);
        self.after(wait, Event::Dial(life, number));
    }

    /// Gives a message to a link; false when its queue is full.
    pub(crate) fn try_publish(&mut self, life: Life, number: u64, publish: Publish) -> bool {
        let most = self.plan.bounds.link_queue;
        let Some(link) = self.process(life.0).links.get_mut(&number) else { return false };
        // Gateways talk in bursts: of what has no room each time they would never hear.
        let most = if link.is_kept() { most.max(KEPT_QUEUE) } else { most };
        // What is said while there is no connection would be old when there is one; a session has ended then.
        if if link.is_kept() { !link.welcome } else { link.conn.is_none() } {
            return true;
        }
        if link.queue.len() >= most {
            self.reach.link_queue = true;
            return false;
        }
        link.queue.push_back(publish);
        self.flush(life, number);
        true
    }

    /// Publishes on a session, now or in its turn.
    pub(crate) fn publish_in_turn(&mut self, life: Life, number: u64, publish: Publish) {
        let topic = publish.topic.to_string();
        let wanted = Wanted::on(self.topics.parse(&topic).as_ref());
        let most = self.plan.bounds.link_queue;
        let Some(link) = self.process(life.0).links.get_mut(&number) else { return };
        if link.line.is_empty() && link.queue.len() < most {
            self.try_publish(life, number, publish);
        } else if link.conn.is_some() {
            let dropped = link.line.push(&topic, wanted, publish).is_err();
            self.reach.link_queue = true;
            self.reach.in_line += 1;
            self.summary.drops += u64::from(dropped);
        }
    }

    /// Acknowledges a delivery of a session, now or once fewer answers wait.
    pub(crate) fn acknowledge_in_turn(&mut self, life: Life, number: u64, answer: Answer) {
        let Some(link) = self.process(life.0).links.get_mut(&number) else { return };
        if let Some(answer) = link.line.acknowledge(answer) {
            self.puback(life, number, answer);
        }
    }

    fn puback(&mut self, life: Life, number: u64, Answer(Due(conn, pid), refusal): Answer) {
        if self.process(life.0).links.get(&number).is_some_and(|link| link.conn == Some(conn)) {
            self.send_up(conn, Up::Packet(Packet::Puback(pid, refusal)));
        }
    }

    /// Sends what waits, as far as the broker lets it.
    fn flush(&mut self, life: Life, number: u64) {
        let most = usize::from(self.plan.bounds.link_in_flight);
        loop {
            self.usher(life, number);
            let Some(link) = self.process(life.0).links.get_mut(&number) else { return };
            let Some(conn) = link.conn.filter(|_| link.welcome && link.waits.len() < most) else {
                return;
            };
            let Some(mut publish) = link.queue.pop_front() else { return };
            if publish.qos > Qos::AtMostOnce {
                publish.pid = link.next_pid();
                link.waits.insert(publish.pid);
            }
            self.send_up(conn, Up::Packet(Packet::Publish(publish)));
        }
    }

    /// Lets the line in front of a queue go on as far as there is room.
    fn usher(&mut self, life: Life, number: u64) {
        let most = self.plan.bounds.link_queue;
        loop {
            let Some(link) = self.process(life.0).links.get_mut(&number) else { return };
            if link.queue.len() < most
                && let Some(next) = link.line.pop()
            {
                link.queue.push_back(next);
            } else if let Some(answer) = link.line.released() {
                self.puback(life, number, answer);
            } else {
                return;
            }
        }
    }

    /// Drops a link's connection as a crash would. What it had not sent is lost.
    pub(crate) fn abort(&mut self, life: Life, number: u64) {
        if let Some(link) = self.process(life.0).links.remove(&number)
            && let Some(conn) = link.conn
        {
            self.client_leaves(conn);
        }
    }
}

pub(crate) fn filter(path: String, qos: Qos) -> Filter {
    Filter {
        path,
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Always,
    }
}

pub(crate) fn connect(client_id: &str, version: Version) -> Connect {
    Connect {
        version,
        client_id: client_id.to_owned(),
        login: Login::default(),
        clean: true,
        session_expiry: 0,
        keep_alive: 1,
        receive_maximum: if version == Version::V5 { 256 } else { u16::MAX },
        maximum_packet: 1 << 20,
        alias_maximum: 0,
        epoch: 0,
        will: None,
    }
}

pub(crate) fn publish(topic: String, payload: impl Into<Bytes>, qos: Qos) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        pid: 0,
        topic: topic.into(),
        payload: payload.into(),
        properties: Properties::default(),
    }
}
