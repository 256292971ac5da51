//! One run: the core, its router, connections and clients on one thread in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::dice::Dice;
use super::model::{App, LifeId, Model, Told};
use super::people::{Client, Conn, Down, Up, app_of, delay};
use super::plan::Plan;
use super::router::Router;
use super::sent::{Handshakes, Zones, from_store};
use super::{Broken, broken};
use crate::core::{Core, Ended, Received, RouterOp};
use crate::message::{ConnId, Moment};
use crate::protocol::{Action, Outgoing, Packet, Publish, Qos, Reason, Version};

/// Messages on their way to a client before the broker waits for it.
const AHEAD: usize = 8;
/// Events of one run. A run takes some thousands; more means that something never comes to rest.
const MOST: u64 = 50_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Act,
    /// The broker reads.
    Up(ConnId),
    /// The client reads.
    Down(ConnId),
    /// The connection's task at the broker was woken.
    Pull(ConnId),
    /// The client sends answers.
    Acks(ConnId),
    /// The broker hears that a connection is gone.
    Noticed(ConnId),
    Router,
    Sweep,
}

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) dice: Dice,
    pub(super) core: Core,
    pub(super) now: Moment,
    queue: BTreeMap<(Moment, u64), Event>,
    events: u64,
    pub(super) conns: BTreeMap<ConnId, Conn>,
    pub(super) clients: Vec<Client>,
    router: Router,
    router_due: bool,
    sweep_due: bool,
    /// No gateway has come.
    without: bool,
    pub(super) model: Model,
    pub(super) handshakes: Handshakes,
    pub(super) zones: Zones,
    /// Every message there was, by its number; and who wrote it.
    pub(super) told: Vec<(Told, usize)>,
    pub(super) acts_left: u64,
    last_conn: u64,
    trace: Option<Vec<String>>,
    pub(super) counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub(super) fn new(seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::new(&mut dice);
        let mut core = Core::new(plan.settings.clone());
        core.filters.most = plan.in_router;
        let mut model = Model::default();
        model.zones = plan.settings.durable_ack;
        model.ledger.tight = plan.tight;
        Self {
            core,
            clients: plan.people.iter().cloned().map(Client::new).collect(),
            acts_left: plan.acts,
            plan,
            dice,
            now: Moment::default(),
            queue: BTreeMap::new(),
            events: 0,
            conns: BTreeMap::new(),
            router: Router::default(),
            router_due: false,
            sweep_due: false,
            without: false,
            model,
            handshakes: Handshakes::default(),
            zones: Zones::default(),
            told: Vec::new(),
            last_conn: 0,
            trace: traced.then(Vec::new),
            counts: BTreeMap::new(),
        }
    }

    pub(super) fn into_trace(self) -> Vec<String> {
        self.trace.unwrap_or_default()
    }

    /// Plays until everything has come to rest.
    pub(super) fn play(&mut self) -> Result<(), Broken> {
        self.after(0, Event::Act);
        self.until(|world| world.acts_left == 0)?;
        self.come_back();
        // Long enough for a broker to see that no gateway comes.
        self.after(6000, Event::Sweep);
        self.until(|_| false)?;
        self.everything_is_at_rest()
    }

    fn until(&mut self, over: impl Fn(&Self) -> bool) -> Result<(), Broken> {
        while !over(self)
            && let Some(((at, _), event)) = self.queue.pop_first()
        {
            self.events += 1;
            if self.events > MOST {
                return broken("everything_comes_to_rest", format!("{} events", self.events));
            }
            while let Some(due) = self.core.next_deadline().filter(|&due| due <= at) {
                self.now = self.now.max(due);
                self.say(|| "tick".to_owned());
                self.model.tick(self.now);
                self.core.tick(self.now);
                self.settle()?;
            }
            self.now = self.now.max(at);
            self.happen(event)?;
            self.settle()?;
        }
        Ok(())
    }

    pub(super) fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9.3} {}", self.now.0.as_secs_f64(), line()));
        }
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// After so many milliseconds.
    pub(super) fn after(&mut self, millis: u64, event: Event) {
        self.events += 1;
        let at = self.now.after(Duration::from_millis(millis));
        self.queue.insert((at, self.events), event);
    }

    fn soon(&mut self, kind: usize, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if std::mem::replace(&mut conn.due[kind], true) {
            return;
        }
        let event = [Event::Up(id), Event::Down(id), Event::Pull(id), Event::Acks(id)][kind];
        let millis = delay(&mut self.dice, self.plan.lag);
        self.after(millis, event);
    }

    pub(super) fn send(&mut self, id: ConnId, up: Up) {
        if let Some(conn) = self.conns.get_mut(&id)
            && !conn.cut
        {
            conn.up.push_back(up);
            self.soon(0, id);
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Act => self.act(),
            Event::Up(id) => self.read(id),
            Event::Down(id) => self.hear(id),
            Event::Pull(id) => self.pull(id),
            Event::Acks(id) => {
                self.answer(id);
                Ok(())
            }
            Event::Noticed(id) => self.close(id, Ended::Lost),
            Event::Router => {
                self.router_due = false;
                let out = self.router.work(&mut self.dice);
                self.say(|| format!("router: {out:?}"));
                self.core.routed(&out);
                Ok(())
            }
            Event::Sweep => {
                self.sweep_due = false;
                self.core.flush_window();
                Ok(())
            }
        }
    }

    /// After every call of the core: its effects, and what must always hold.
    fn settle(&mut self) -> Result<(), Broken> {
        let effects = self.core.effects();
        let (wake, ops) = (std::mem::take(&mut effects.wake), std::mem::take(&mut effects.router));
        for op in ops {
            self.say(|| match &op {
                RouterOp::Publish(message) => format!("to router: {}", message.order),
                op => format!("to router: {op:?}"),
            });
            self.router.put(op);
        }
        for id in wake {
            self.soon(2, id);
        }
        if !self.router.idle() && !std::mem::replace(&mut self.router_due, true) {
            let millis = delay(&mut self.dice, self.plan.lag);
            self.after(millis, Event::Router);
        }
        if self.core.window_in_use() && !std::mem::replace(&mut self.sweep_due, true) {
            self.after(500, Event::Sweep);
        }
        if self.core.zones.does_without() && !std::mem::replace(&mut self.without, true) {
            self.release(|_| true);
            self.zones.nobody_comes();
        }
        self.a_session_ends_early_only_if_it_was_full()?;
        self.note_sessions_that_ended_at_once();
        self.queues_and_counters_are_right()
    }

    /// The broker reads some packets of a connection.
    fn read(&mut self, id: ConnId) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        conn.due[0] = false;
        for _ in 0..=self.dice.below(4) {
            let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
            if !conn.pending.is_empty() {
                return Ok(());
            }
            let Some(up) = conn.up.pop_front() else { break };
            self.take(id, up)?;
            self.settle()?;
        }
        self.soon(2, id);
        if self.conns.get(&id).is_some_and(|conn| !conn.up.is_empty()) {
            self.soon(0, id);
        }
        Ok(())
    }

    fn take(&mut self, id: ConnId, up: Up) -> Result<(), Broken> {
        match up {
            Up::Connect(connect, will) => self.take_connect(id, &connect, will),
            Up::Packet(packet, told) => self.take_packet(id, packet, told),
        }
    }

    fn take_connect(
        &mut self,
        id: ConnId,
        connect: &crate::protocol::Connect,
        will: Option<(Told, u32)>,
    ) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        conn.open = true;
        let client = conn.client;
        let persona = self.clients[client].persona.clone();
        let expected = self.model.connect(self.now, id, (client, &persona), connect, will);
        let connected =
            self.core.connect(self.now, id, connect.clone(), crate::access::Guest::Anyone);
        let Ok(connected) = connected else {
            return broken("a_good_client_is_served", format!("{} is refused", persona.name));
        };
        self.say(|| format!("{} connects as {id:?}, present {expected}", persona.name));
        if connected.session_present != expected {
            return broken(
                "a_session_is_there_as_long_as_it_should",
                format!("{}: present {}, should be {expected}", persona.name, !expected),
            );
        }
        self.push_down(id, Down::Connack(expected));
        Ok(())
    }

    fn push_down(&mut self, id: ConnId, down: Down) {
        if let Some(conn) = self.conns.get_mut(&id)
            && !conn.cut
        {
            conn.down.push_back(down);
            self.soon(1, id);
        }
    }

    fn take_packet(
        &mut self,
        id: ConnId,
        packet: Packet,
        told: Option<Told>,
    ) -> Result<(), Broken> {
        self.say(|| format!("{id:?} reads {}", short_packet(&packet)));
        let current = self.model.current(id).map(|(life, _)| life);
        let mut came = None;
        if let Some(life) = current {
            came = self.foresee(life, id, &packet, told.as_ref());
        }
        let before = self.core.zones.stamps();
        match self.core.receive(self.now, id, packet) {
            Ok(Received::Done) => {
                if let (Some((life, handed, pid)), Some(told)) = (came, told) {
                    self.model.publish(self.now, life, &told, handed);
                    let stamp = self.core.zones.stamps();
                    if handed && stamp > before {
                        let waits = (told.qos > Qos::AtMostOnce).then_some((life, pid));
                        self.zones.came(told.app, stamp, waits);
                        self.withhold(life, pid, stamp);
                    }
                }
                Ok(())
            }
            Ok(Received::Busy(publish)) => {
                self.count("publishes that had to wait");
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.pending.push_front(Up::Packet(Packet::Publish(publish), told));
                }
                Ok(())
            }
            Ok(Received::Goodbye(how)) => self.close(id, how),
            Err(reason) => {
                broken("a_good_client_is_served", format!("{id:?} is ended: {reason:?}"))
            }
        }
    }

    fn withhold(&mut self, life: LifeId, pid: u16, stamp: u64) {
        if let Some(life) = self.model.lives.get_mut(&life)
            && let Some(incoming) = life.incoming.get_mut(&pid)
        {
            incoming.stamp = Some(stamp);
        }
    }

    /// A connection ends for the broker.
    pub(super) fn close(&mut self, id: ConnId, how: Ended) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        conn.up.clear();
        conn.pending.clear();
        if !std::mem::replace(&mut conn.open, false) {
            return Ok(());
        }
        self.say(|| format!("{id:?} is closed, {how:?}"));
        self.model.closed(self.now, id, how);
        self.core.closed(self.now, id, how);
        self.settle()
    }

    /// What the broker's task of a connection does when it is woken.
    fn pull(&mut self, id: ConnId) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        conn.due[2] = false;
        if !conn.open {
            return Ok(());
        }
        let mut waiting = std::mem::take(&mut conn.pending);
        while let Some(up) = waiting.pop_front() {
            self.take(id, up)?;
            self.settle()?;
            let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
            if !conn.pending.is_empty() {
                conn.pending.extend(waiting);
                break;
            }
        }
        let Some(conn) = self.conns.get(&id).filter(|conn| conn.open) else { return Ok(()) };
        let (reads, ahead) = (conn.pending.is_empty() && !conn.up.is_empty(), conn.down.len());
        if reads {
            self.soon(0, id);
        }
        let room = if ahead < AHEAD { self.dice.pick(&[1, 100, 10_000]) } else { 0 };
        let mut out = Vec::new();
        self.core.pull(self.now, id, room, &mut out);
        self.note_refusals();
        for action in out {
            self.say(|| format!("{id:?} is sent {}", short(&action)));
            self.check(id, &action)?;
            let close = matches!(action, Action::Close(_));
            self.push_down(id, Down::Action(action));
            if close {
                return self.close(id, Ended::Lost);
            }
        }
        Ok(())
    }

    /// Claims about one packet that leaves.
    fn check(&mut self, id: ConnId, action: &Action) -> Result<(), Broken> {
        let Some((life, of_life)) = self.model.current(id) else { return Ok(()) };
        let client = of_life.client;
        let own = of_life.zone;
        match action {
            Action::Publish(out) => self.check_publish(id, (life, client, own), out),
            Action::Puback(pid, reason) | Action::Pubrec(pid, reason) => {
                self.zones.a_writer_is_told_only_after_its_zone((life, *pid), *reason)
            }
            Action::Pubrel(pid) => {
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.sent.pubrel(*pid);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_publish(
        &mut self,
        id: ConnId,
        (life, client, own): (LifeId, usize, Option<&'static str>),
        out: &Outgoing,
    ) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        let persona = &self.clients[client].persona;
        conn.sent.publish(persona, self.plan.settings.limits.inflight, out)?;
        let empty = App(u32::MAX);
        let app = app_of(&out.message.payload).unwrap_or(empty);
        self.handshakes.publish(life, app, out)?;
        if app == empty || &*out.message.topic == "hearth/home/broker/waiting" {
            return Ok(());
        }
        let from_zone = own.is_some() && own == self.model.zone_of(&out.message.topic);
        if from_zone && out.message.handed && !from_store(out) {
            return self.zones.sent(app, out);
        }
        let writer = self.told[app.0 as usize].1;
        let path = persona.shares().then_some(persona.filters[0]);
        self.model.ledger.sent(self.now, life, (app, writer), out, path)
    }

    /// The client reads.
    fn hear(&mut self, id: ConnId) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        conn.due[1] = false;
        let client = conn.client;
        let eager = self.clients[client].persona.eager;
        if self.acts_left > 0 && !self.dice.chance(eager) {
            let millis = self.dice.between(10, 400);
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.due[1] = true;
            }
            self.after(millis, Event::Down(id));
            return Ok(());
        }
        for _ in 0..=self.dice.below(6) {
            let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
            let Some(down) = conn.down.pop_front() else { break };
            if self.clients[client].conn == Some(id) {
                self.hear_one(id, client, down)?;
            }
        }
        self.soon(2, id);
        if self.conns.get(&id).is_some_and(|conn| !conn.down.is_empty()) {
            self.soon(1, id);
        }
        Ok(())
    }

    fn hear_one(&mut self, id: ConnId, client: usize, down: Down) -> Result<(), Broken> {
        match down {
            Down::Connack(present) => self.begin(id, client, present),
            Down::Action(action) => return self.hear_action(id, client, action),
        }
        Ok(())
    }

    fn hear_action(&mut self, id: ConnId, client: usize, action: Action) -> Result<(), Broken> {
        let own = &mut self.clients[client];
        let refused = |reason: Reason| reason as u8 >= 0x80;
        let ack = match action {
            Action::Publish(out) => return self.hear_publish(id, client, &out),
            Action::Puback(pid, _) | Action::Pubcomp(pid, _) => {
                own.finished(pid);
                return Ok(());
            }
            Action::Pubrec(pid, reason) if refused(reason) => {
                own.finished(pid);
                return Ok(());
            }
            Action::Pubrec(pid, _) => {
                own.released(pid);
                Packet::Pubrel(pid)
            }
            Action::Pubrel(pid) => {
                own.received.remove(&pid);
                Packet::Pubcomp(pid)
            }
            Action::Close(_) => {
                (own.conn, own.up) = (None, false);
                if self.acts_left == 0 {
                    self.come_back();
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.acknowledge(id, ack);
        Ok(())
    }

    fn hear_publish(&mut self, id: ConnId, client: usize, out: &Outgoing) -> Result<(), Broken> {
        let new = match out.qos {
            Qos::AtMostOnce => true,
            Qos::AtLeastOnce => {
                self.acknowledge(id, Packet::Puback(out.pid));
                true
            }
            Qos::ExactlyOnce => {
                self.acknowledge(id, Packet::Pubrec(out.pid, true));
                self.clients[client].received.insert(out.pid)
            }
        };
        let (Some(app), Some((life, _))) = (app_of(&out.message.payload), self.model.current(id))
        else {
            return Ok(());
        };
        let zone = self.clients[client].persona.zone.is_some();
        if new && !(zone && out.message.handed && !from_store(out)) {
            self.count("messages taken");
            let persona = &self.clients[client].persona;
            let path = persona.shares().then_some(persona.filters[0]);
            self.model.ledger.taken(life, app, path)?;
        }
        Ok(())
    }

    fn acknowledge(&mut self, id: ConnId, packet: Packet) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.acks.push_back(packet);
            self.soon(3, id);
        }
    }

    fn answer(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.due[3] = false;
        for _ in 0..=self.dice.below(4) {
            let Some(ack) = self.conns.get_mut(&id).and_then(|conn| conn.acks.pop_front()) else {
                return;
            };
            self.send(id, Up::Packet(ack, None));
        }
        self.soon(3, id);
    }

    pub(super) fn new_conn(&mut self, client: usize) -> ConnId {
        self.last_conn += 1;
        let id = ConnId(self.last_conn);
        self.conns.insert(id, Conn::new(client));
        id
    }

    /// The broker dies with everything it has, and starts again.
    pub(super) fn restart(&mut self) {
        self.say(|| "the broker dies and starts again".to_owned());
        self.count("restarts");
        let mut settings = self.plan.settings.clone();
        settings.incarnation += self.last_conn + 1;
        self.core = Core::new(settings);
        self.core.filters.most = self.plan.in_router;
        self.model.restart();
        self.handshakes = Handshakes::default();
        self.zones = Zones::default();
        self.router = Router::default();
        (self.router_due, self.sweep_due, self.without) = (false, false, false);
        self.queue.clear();
        self.conns.clear();
        for client in &mut self.clients {
            (client.conn, client.up) = (None, false);
        }
        self.now = Moment::default();
    }

    pub(super) fn alive(&self) -> BTreeSet<LifeId> {
        self.model.lives.keys().copied().collect()
    }

    pub(super) fn version(&self, client: usize) -> Version {
        self.clients[client].persona.version
    }

    /// Whether a publish is a new message, with the life that wrote it, whether its zone gets it, and its id.
    pub(super) fn is_new(
        &mut self,
        life: LifeId,
        conn: ConnId,
        publish: &Publish,
    ) -> Option<(LifeId, bool, u16)> {
        let handed =
            self.model.zone_of(&publish.topic).is_some() && self.core.hands(&publish.topic);
        let full = handed && self.core.zone_full(publish);
        let limit = usize::from(self.plan.settings.limits.receive_maximum);
        let of_life = self.model.lives.get_mut(&life)?;
        let new = self.clients[of_life.client].persona.version == Version::V5;
        let Publish { pid, qos, dup, .. } = *publish;
        let room = of_life.incoming.contains_key(&pid) || of_life.counted(new) < limit;
        let known = of_life.incoming.get_mut(&pid).is_some_and(|incoming| {
            incoming.conn = conn;
            qos == Qos::ExactlyOnce || (incoming.withheld && dup)
        });
        let away = qos == Qos::AtLeastOnce && of_life.acked_away.remove(&pid);
        if full || (qos > Qos::AtMostOnce && (known || !room || (away && dup))) {
            return None;
        }
        if qos == Qos::ExactlyOnce || (handed && qos == Qos::AtLeastOnce) {
            let incoming = super::model::Incoming { withheld: handed, conn, stamp: None, qos };
            of_life.incoming.insert(pid, incoming);
        }
        Some((life, handed, pid))
    }
}

fn short(action: &Action) -> String {
    let Action::Publish(out) = action else { return format!("{action:?}") };
    let dup = if out.dup { " dup" } else { "" };
    let app = app_of(&out.message.payload);
    let Outgoing { message, qos, pid, .. } = out;
    format!("{app:?} q{} #{pid}{dup} {}, which is {}", *qos as u8, message.topic, message.order)
}

fn short_packet(packet: &Packet) -> String {
    let Packet::Publish(publish) = packet else { return format!("{packet:?}") };
    let dup = if publish.dup { " dup" } else { "" };
    let Publish { qos, pid, topic, payload, .. } = publish;
    format!("{:?} q{} #{pid}{dup} {topic}", app_of(payload), *qos as u8)
}
