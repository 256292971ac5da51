//! A broker's process: its core, the router beside it, its file, and its ends of the connections.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use broker_core::access::Guest;
use broker_core::protocol::{Action, Packet, Reason};
use broker_core::{ConnId, Core, Ended, Incarnation, Limits, Memory, Moment, Received, Settings};

use super::file::File;
use super::lane::{Down, Up, Who, id};
use super::router::Router;
use super::world::{Event, MS, World};

/// Which broker; its number in the stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BrokerId(pub(crate) u16);

/// The broker of a home that has one.
pub(crate) const ONLY: BrokerId = BrokerId(1);

/// Bytes that a connection's task encodes ahead of the socket.
const WRITE_AHEAD: usize = 64 * 1024;
/// How often the window of routed messages is swept.
const SWEEP: u64 = 500 * MS;

pub(crate) struct Broker {
    id: BrokerId,
    pub(crate) core: Core,
    limits: Limits,
    pub(crate) router: Router,
    pub(crate) file: File,
    /// Another state of its file.
    pub(crate) backup: Option<File>,
    /// When this life began.
    pub(crate) born: u64,
    /// Which life of it; the number in the stamps is another.
    pub(crate) life: u64,
    /// None of its connections is served while it is dead.
    pub(crate) alive: bool,
    /// It stands still.
    pub(crate) paused: bool,
    /// Connections that are not read until the router has caught up.
    held_back: BTreeSet<u64>,
    /// When it wants to be woken, as far as that is planned.
    alarm: u64,
    sweeping: bool,
}

impl Broker {
    pub(crate) fn new(id: BrokerId, limits: Limits) -> Self {
        let settings = Settings { broker_id: id.0, limits: limits.clone(), ..Settings::default() };
        Self {
            id,
            core: Core::new(settings),
            limits,
            router: Router::default(),
            file: File::default(),
            backup: None,
            born: 0,
            life: 0,
            alive: false,
            paused: false,
            held_back: BTreeSet::new(),
            alarm: u64::MAX,
            sweeping: false,
        }
    }

    fn now(&self, now: u64) -> Moment {
        Moment(Duration::from_micros(now - self.born))
    }

    /// Begins another life from its file.
    fn start(&mut self, now: u64, incarnation: u64) {
        let settings = Settings {
            broker_id: self.id.0,
            incarnation: Incarnation(incarnation),
            store: true,
            limits: self.limits.clone(),
            ..Settings::default()
        };
        self.core = Core::new(settings);
        (self.born, self.alive, self.paused) = (now, true, false);
        self.life += 1;
        self.router = Router::default();
        self.held_back.clear();
        (self.alarm, self.sweeping) = (u64::MAX, false);
        let memory: Memory = self.file.load(now);
        self.core.restore(Moment::default(), memory, |_| Some(Guest::Anyone));
    }
}

impl World {
    pub(crate) fn broker(&mut self, id: BrokerId) -> &mut Broker {
        self.brokers.get_mut(&id).expect("a broker of this world")
    }

    pub(crate) fn start_broker(&mut self, id: BrokerId) {
        let (now, incarnation) = (self.now, self.dice.next() >> 16);
        self.note("broker starts", || id.0.into());
        self.broker(id).start(now, incarnation);
        self.settle(id);
    }

    /// It dies, and with it all of its connections; what it wrote within the last `lost` microseconds is gone.
    pub(crate) fn kill_broker(&mut self, id: BrokerId, lost: u64) {
        let now = self.now;
        self.note("broker dies", || id.0.into());
        let broker = self.broker(id);
        if !broker.alive {
            return;
        }
        broker.alive = false;
        broker.file.end(now, lost, broker.born);
        for conn in self.conns_of(id) {
            self.lose_at_broker(conn);
        }
    }

    pub(crate) fn conns_of(&self, id: BrokerId) -> Vec<u64> {
        let conns = self.conns.iter().filter(|(_, conn)| conn.broker == id);
        conns.map(|(number, _)| *number).collect()
    }

    /// Something for the broker has arrived.
    pub(crate) fn up(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.up.due = false;
        let broker = conn.broker;
        if !self.brokers[&broker].paused {
            self.read(number);
            self.settle(broker);
        }
    }

    /// The broker reads as far as it may.
    fn read(&mut self, number: u64) {
        let now = self.now;
        loop {
            let Some(conn) = self.conns.get_mut(&number) else { return };
            if !conn.broker_has_it || conn.up.held || conn.unread.is_some() {
                return;
            }
            let broker = self.brokers.get_mut(&conn.broker).expect("a broker of this world");
            if broker.core.crowded() {
                broker.held_back.insert(number);
                return;
            }
            let Some(item) = conn.up.take(now) else { break };
            self.take(number, item);
        }
        self.plan_up(number);
    }

    fn take(&mut self, number: u64, item: Up) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let broker = self.brokers.get_mut(&conn.broker).expect("a broker of this world");
        let now = broker.now(self.now);
        match item {
            Up::Gone => self.close_at_broker(number, Ended::Lost),
            Up::Connect(connect) => {
                let result = broker.core.connect(now, id(number), *connect, Guest::Anyone);
                match result {
                    Ok(connected) => {
                        conn.accepted = true;
                        conn.behind = true;
                        if let Who::Client(client) = conn.who {
                            let client = &mut self.clients[client];
                            client.sessions += u64::from(!connected.session_present);
                            conn.session = client.sessions;
                        }
                        self.send_down(number, Down::Welcome(connected.session_present));
                    }
                    Err(reason) => {
                        self.send_down(number, Down::Refused(reason));
                        self.close_at_broker(number, Ended::Lost);
                    }
                }
            }
            Up::Packet(packet) => {
                self.note_packet(number, "broker reads", &packet);
                self.give(number, packet);
            }
        }
    }

    fn give(&mut self, number: u64, packet: Packet) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let broker = self.brokers.get_mut(&conn.broker).expect("a broker of this world");
        let now = broker.now(self.now);
        match broker.core.receive(now, id(number), packet) {
            Ok(Received::Done) => {}
            Ok(Received::Busy(publish)) => {
                conn.unread = Some(publish);
                self.reach.publishers_waited = true;
            }
            Ok(Received::Goodbye(how)) => self.close_at_broker(number, how),
            Err(reason) => {
                self.note("broker ends connection", || format!("{number}: {reason}").into());
                self.close_at_broker(number, Ended::Lost);
                self.send_down(number, Down::Action(Action::Close(reason)));
            }
        }
    }

    /// The broker's end is over; what it has said so far goes out.
    fn close_at_broker(&mut self, number: u64, how: Ended) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if !std::mem::replace(&mut conn.broker_has_it, false) {
            return;
        }
        conn.up.clear();
        conn.unread = None;
        let broker = self.brokers.get_mut(&conn.broker).expect("a broker of this world");
        let now = broker.now(self.now);
        broker.core.closed(now, id(number), how);
        self.send_down(number, Down::Gone);
        self.forget_if_over(number);
    }

    /// The broker finds out that nobody is there any more.
    pub(crate) fn lose_at_broker(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        let broker = conn.broker;
        if self.brokers[&broker].alive {
            self.close_at_broker(number, Ended::Lost);
            return self.settle(broker);
        }
        conn.broker_has_it = false;
        conn.up.clear();
        conn.down.clear();
        self.send_down(number, Down::Gone);
        self.forget_if_over(number);
    }

    /// Carries out what the core of a broker asks for, and what follows from that.
    pub(crate) fn settle(&mut self, at: BrokerId) {
        let mut woken = VecDeque::new();
        loop {
            let now = self.now;
            let broker = self.brokers.get_mut(&at).expect("a broker of this world");
            if !broker.alive {
                return;
            }
            let effects = broker.core.effects();
            let wake = std::mem::take(&mut effects.wake);
            let router = std::mem::take(&mut effects.router);
            let keep = std::mem::take(&mut effects.keep);
            if !keep.is_empty() {
                broker.file.put(now, broker.born, keep);
            }
            for op in router {
                broker.router.put(op);
            }
            for ConnId(conn) in wake {
                if woken.back() != Some(&conn) {
                    woken.push_back(conn);
                }
            }
            if !broker.core.crowded() && !broker.held_back.is_empty() {
                woken.extend(std::mem::take(&mut broker.held_back));
            }
            let Some(conn) = woken.pop_front() else { break };
            self.attend(conn);
        }
        self.plan_broker(at);
    }

    /// The task of a connection was woken.
    fn attend(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if let Some(publish) = conn.unread.take() {
            self.give(number, Packet::Publish(publish));
            if self.conns.get(&number).is_some_and(|conn| conn.unread.is_none()) {
                self.plan_up(number);
            }
        } else if conn.up.len() > 0 {
            self.plan_up(number);
        }
        self.pull(number);
    }

    /// Takes what the core has for a client, as far as there is room on the way.
    pub(crate) fn pull(&mut self, number: u64) {
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if !conn.broker_has_it || !conn.accepted {
            return;
        }
        let free = self.plan.bounds.pipe.saturating_sub(conn.down.len());
        let room = if free > 0 { WRITE_AHEAD.min(free * 200) } else { 0 };
        let broker = self.brokers.get_mut(&conn.broker).expect("a broker of this world");
        let now = broker.now(self.now);
        let mut actions = Vec::new();
        let behind = broker.core.pull(now, id(number), room, &mut actions);
        conn.behind = behind || room == 0;
        for action in actions {
            let closes = matches!(action, Action::Close(_));
            let who = self.conns.get(&number).map(|conn| conn.who.clone());
            if let (Some(Who::Client(client)), Action::Puback(pid, _)) = (who, &action) {
                self.is_settled(client, *pid);
            }
            self.send_down(number, Down::Action(action));
            if closes {
                return self.close_at_broker(number, Ended::Lost);
            }
        }
    }

    fn plan_broker(&mut self, at: BrokerId) {
        let now = self.now;
        let broker = self.brokers.get_mut(&at).expect("a broker of this world");
        let life = broker.life;
        let due = broker.core.next_deadline().map(|at| broker.born + at.0.as_micros() as u64 + 1);
        let tick = due.filter(|due| *due < broker.alarm);
        if let Some(due) = tick {
            broker.alarm = due;
        }
        let works = !broker.router.is_idle() && !std::mem::replace(&mut broker.router.due, true);
        let sweeps = broker.core.window_in_use() && !std::mem::replace(&mut broker.sweeping, true);
        if let Some(due) = tick {
            self.at(due.max(now + 1), Event::Tick(at, life));
        }
        if works {
            let soon = self.dice.between(20, 200.max(self.plan.net.delay / 4));
            self.after(soon, Event::Router(at, life));
        }
        if sweeps {
            self.after(SWEEP, Event::Sweep(at, life));
        }
    }

    /// Something of this life of a broker is due.
    fn of_life(&mut self, at: BrokerId, life: u64, event: fn(BrokerId, u64) -> Event) -> bool {
        let broker = self.broker(at);
        if broker.life != life || !broker.alive {
            return false;
        }
        if broker.paused {
            // It stands still, and does it when it goes on.
            self.after(5 * MS, event(at, life));
            return false;
        }
        true
    }

    pub(crate) fn tick_broker(&mut self, at: BrokerId, life: u64) {
        if self.of_life(at, life, Event::Tick) {
            let now = self.now;
            let broker = self.broker(at);
            broker.alarm = u64::MAX;
            let moment = broker.now(now);
            broker.core.tick(moment);
            self.settle(at);
        }
    }

    pub(crate) fn route(&mut self, at: BrokerId, life: u64) {
        if self.of_life(at, life, Event::Router) {
            let broker = self.brokers.get_mut(&at).expect("a broker of this world");
            broker.router.due = false;
            let out = broker.router.work(&mut self.dice);
            broker.core.routed(&out);
            self.settle(at);
        }
    }

    pub(crate) fn sweep(&mut self, at: BrokerId, life: u64) {
        if self.of_life(at, life, Event::Sweep) {
            let broker = self.broker(at);
            broker.sweeping = false;
            broker.core.flush_window();
            self.settle(at);
        }
    }

    /// A broker that stood still goes on: it finds all that has come meanwhile, in whatever order between connections.
    pub(crate) fn resume_broker(&mut self, at: BrokerId, life: u64) {
        let broker = self.broker(at);
        if broker.life != life || !std::mem::replace(&mut broker.paused, false) {
            return;
        }
        for number in self.conns_of(at) {
            self.plan_up(number);
        }
        self.settle(at);
    }

    /// A packet of a device or a person, for people.
    fn note_packet(&mut self, number: u64, kind: &str, packet: &Packet) {
        if let Who::Client(client) = self.conns[&number].who {
            let name = self.clients[client].persona.name.clone();
            self.note(kind, || format!("{name} on {number}: {packet:?}").into());
        }
    }

    /// Why a client was not let in, for people.
    pub(crate) fn note_refused(&mut self, number: u64, reason: Reason) {
        self.note("refused", || format!("{number}: {reason}").into());
    }
}
