//! One run: the core, its router, connections and clients on one thread in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::dice::Dice;
use crate::model::{LifeId, Model, Told};
use crate::people::{Client, Conn, Up, delay};
use crate::plan::Plan;
use crate::router::Router;
use crate::sent::{Handshakes, Zones};
use crate::{Broken, broken};
use broker_core::ConnId;
use broker_core::Moment;
use broker_core::protocol::{Publish, Qos, Version};
use broker_core::router::RouterOp;
use broker_core::testing::{bound_router, inside};
use broker_core::{Core, Ended};

/// Events of one run. A run takes some thousands; more means that something never comes to rest.
const MOST: u64 = 50_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
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

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) dice: Dice,
    pub(crate) core: Core,
    pub(crate) now: Moment,
    queue: BTreeMap<(Moment, u64), Event>,
    events: u64,
    pub(crate) conns: BTreeMap<ConnId, Conn>,
    pub(crate) clients: Vec<Client>,
    router: Router,
    router_due: bool,
    sweep_due: bool,
    /// No gateway has come.
    without: bool,
    pub(crate) model: Model,
    pub(crate) handshakes: Handshakes,
    pub(crate) zones: Zones,
    /// Every message there was, by its number; and who wrote it.
    pub(crate) told: Vec<(Told, usize)>,
    pub(crate) acts_left: u64,
    last_conn: u64,
    trace: Option<Vec<String>>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::new(&mut dice);
        let mut core = Core::new(plan.settings.clone());
        bound_router(&mut core, plan.in_router.0, plan.in_router.1);
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

    pub(crate) fn into_trace(self) -> Vec<String> {
        self.trace.unwrap_or_default()
    }

    /// Plays until everything has come to rest.
    pub(crate) fn play(&mut self) -> Result<(), Broken> {
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

    pub(crate) fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>9.3} {}", self.now.0.as_secs_f64(), line()));
        }
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// After so many milliseconds.
    pub(crate) fn after(&mut self, millis: u64, event: Event) {
        self.events += 1;
        let at = self.now.after(Duration::from_millis(millis));
        self.queue.insert((at, self.events), event);
    }

    pub(crate) fn soon(&mut self, kind: usize, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if std::mem::replace(&mut conn.due[kind], true) {
            return;
        }
        let event = [Event::Up(id), Event::Down(id), Event::Pull(id), Event::Acks(id)][kind];
        let millis = delay(&mut self.dice, self.plan.lag);
        self.after(millis, event);
    }

    pub(crate) fn send(&mut self, id: ConnId, up: Up) {
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
    pub(crate) fn settle(&mut self) -> Result<(), Broken> {
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
        if inside(&self.core).does_without_gateways() && !std::mem::replace(&mut self.without, true)
        {
            self.release(|_| true);
            self.zones.nobody_comes();
        }
        self.a_session_ends_early_only_if_it_was_full()?;
        self.note_sessions_that_ended_at_once();
        self.queues_and_counters_are_right()
    }

    pub(crate) fn new_conn(&mut self, client: usize) -> ConnId {
        self.last_conn += 1;
        let id = ConnId(self.last_conn);
        self.conns.insert(id, Conn::new(client));
        id
    }

    /// The broker dies with everything it has, and starts again.
    pub(crate) fn restart(&mut self) {
        self.say(|| "the broker dies and starts again".to_owned());
        self.count("restarts");
        let mut settings = self.plan.settings.clone();
        settings.incarnation.0 += self.last_conn + 1;
        self.core = Core::new(settings);
        bound_router(&mut self.core, self.plan.in_router.0, self.plan.in_router.1);
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

    pub(crate) fn alive(&self) -> BTreeSet<LifeId> {
        self.model.lives.keys().copied().collect()
    }

    pub(crate) fn version(&self, client: usize) -> Version {
        self.clients[client].persona.version
    }

    /// Whether a publish is a new message, with the life that wrote it, whether its zone gets it, and its id.
    pub(crate) fn is_new(
        &mut self,
        life: LifeId,
        conn: ConnId,
        publish: &Publish,
    ) -> Option<(LifeId, bool, u16)> {
        let handed = self.model.zone_of(&publish.topic).is_some()
            && inside(&self.core).goes_to_zone(&publish.topic);
        let full = handed && inside(&self.core).zone_is_full(publish);
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
