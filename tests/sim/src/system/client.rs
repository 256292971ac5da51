//! A device or a person as an MQTT client: connections, packet ids, what is not acknowledged yet, and restarts.

use std::collections::VecDeque;

use broker_core::protocol::{Action, Filter, Packet, Qos, Reason, Version, Will};

use super::class::Class;
use super::hub::ONLY;
use super::lane::{Conn, Down, Up, Who};
use super::letters::Told;
use super::links::{connect, filter, publish};
use super::properties;
use super::world::{Event, MS, World};
use super::{claims, people};

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reports readings.
    Sensor,
    /// Is ordered, and obeys.
    Lamp,
    /// Reports that it is open, and is told to close by a rule.
    Door,
    /// Reports very much.
    Noise,
    /// Orders and asks.
    Person,
    /// Reads every state.
    Watcher,
}

/// What stays the same in all lives of a client.
#[derive(Clone, Debug)]
pub(crate) struct Persona {
    /// `zone/device`, or a name.
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) version: Version,
    /// Its session outlives its connections.
    pub(crate) kept: bool,
    /// At which it publishes reports and orders.
    pub(crate) qos: Qos,
    /// Its reports have ids.
    pub(crate) ids: bool,
    /// It does what it is told.
    pub(crate) obeys: bool,
}

/// A publish whose handshake is not finished.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) pid: u16,
    /// None for a word of its presence.
    pub(crate) letter: Option<usize>,
    released: bool,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) persona: Persona,
    pub(crate) conn: Option<u64>,
    /// The broker has let it in.
    pub(crate) up: bool,
    /// Unfinished, in the order in which they were sent.
    pub(crate) sent: Vec<Sent>,
    /// Letters that are to be sent.
    pub(crate) waiting: VecDeque<usize>,
    pub(crate) last_pid: u16,
    /// Numbers of the orders that it carried out.
    pub(crate) orders: Vec<u64>,
    /// When the present state was said, for a door that is open.
    pub(crate) opened: VecDeque<u64>,
    /// How many sessions it has had at the broker.
    pub(crate) sessions: u64,
    /// It has still to say that it is there.
    arrives: bool,
    /// The next connection begins anew.
    clean: bool,
}

/// Publishes that a client has under way at a time.
const WINDOW: usize = 20;

impl Client {
    pub(crate) const fn new(persona: Persona) -> Self {
        Self {
            persona,
            conn: None,
            up: false,
            sent: Vec::new(),
            waiting: VecDeque::new(),
            last_pid: 0,
            orders: Vec::new(),
            opened: VecDeque::new(),
            sessions: 0,
            arrives: false,
            clean: false,
        }
    }

    fn next_pid(&mut self) -> u16 {
        loop {
            self.last_pid = self.last_pid.wrapping_add(1).max(1);
            if self.sent.iter().all(|sent| sent.pid != self.last_pid) {
                return self.last_pid;
            }
        }
    }

    fn topic(&self, verb: &str) -> String {
        format!("home/{}/{verb}", self.persona.name)
    }

    const fn is_device(&self) -> bool {
        !matches!(self.persona.role, Role::Person | Role::Watcher)
    }

    fn filters(&self) -> Vec<Filter> {
        match self.persona.role {
            Role::Person => {
                vec![filter(format!("reply/{}/+", self.persona.name), Qos::AtLeastOnce)]
            }
            Role::Watcher => vec![filter("home/+/+/state".to_owned(), Qos::AtLeastOnce)],
            _ => vec![filter(self.topic("command"), Qos::AtLeastOnce)],
        }
    }
}

impl World {
    /// A client connects, unless it is connected.
    pub(crate) fn join(&mut self, at: usize) {
        if self.clients[at].conn.is_some() {
            return;
        }
        if !self.brokers[&ONLY].alive {
            let soon = self.dice.between(20, 200) * MS;
            return self.after(soon, Event::Join(at));
        }
        let client = &mut self.clients[at];
        let Persona { name, version, kept, .. } = client.persona.clone();
        let mut packet = connect(&name, version);
        let clean = std::mem::take(&mut client.clean);
        packet.clean = !kept || clean;
        packet.session_expiry = match (kept, version) {
            (false, _) => 0,
            (true, Version::V311) => u32::MAX,
            (true, Version::V5) => 3600,
        };
        if client.is_device() {
            let mut publish = publish(client.topic("status"), "offline", Qos::AtLeastOnce);
            publish.retain = true;
            packet.will = Some(Will { publish, delay: 0 });
        }
        let conn = self.connect(Conn::new(Who::Client(at), ONLY, 2000 * MS));
        let late = self.lateness_of_a_connect();
        let client = &mut self.clients[at];
        (client.conn, client.up) = (Some(conn), false);
        let time = self.now + late;
        self.hold_up(conn, time);
        self.send_up(conn, Up::Connect(Box::new(packet)));
        self.after(5000 * MS, Event::GivenUp(conn));
    }

    /// Something that the broker said is here.
    pub(crate) fn client_hears(&mut self, at: usize, conn: u64, item: Down) {
        if self.clients[at].conn != Some(conn) {
            return;
        }
        let name = self.clients[at].persona.name.clone();
        self.note("client reads", || format!("{name} on {conn}: {item:?}").into());
        match item {
            Down::Welcome(present) => self.welcome(at, conn, present),
            Down::Refused(reason) => self.note_refused(conn, reason),
            Down::Gone => {
                let client = &mut self.clients[at];
                (client.conn, client.up) = (None, false);
                let soon = if self.calm { 20 * MS } else { self.dice.tail(1000, 400_000) };
                self.after(soon, Event::Join(at));
            }
            Down::Action(action) => self.client_acts(at, conn, action),
        }
    }

    fn client_acts(&mut self, at: usize, conn: u64, action: Action) {
        match action {
            Action::Publish(outgoing) => {
                if outgoing.qos == Qos::AtLeastOnce {
                    self.send_up(conn, Up::Packet(Packet::Puback(outgoing.pid, None)));
                }
                people::hear(self, at, &outgoing);
            }
            Action::Puback(pid, reason) => self.answered(at, pid, reason),
            Action::Pubrec(pid, reason) => {
                if (reason as u8) < 0x80 {
                    let client = &mut self.clients[at];
                    let unreleased = |sent: &&mut Sent| sent.pid == pid && !sent.released;
                    let first = client.sent.iter_mut().find(unreleased);
                    let letter = first.and_then(|sent| {
                        sent.released = true;
                        sent.letter
                    });
                    self.send_up(conn, Up::Packet(Packet::Pubrel(pid)));
                    if let Some(letter) = letter {
                        self.told(letter, reason);
                    }
                } else {
                    self.answered(at, pid, reason);
                }
            }
            Action::Pubcomp(pid, _) => {
                self.clients[at].sent.retain(|sent| sent.pid != pid);
                self.write_letters(at);
            }
            Action::Pubrel(_)
            | Action::Suback(..)
            | Action::Unsuback(..)
            | Action::Pingresp
            | Action::Close(_) => {}
        }
    }

    /// The broker acknowledges a publish; that may yet be lost.
    pub(crate) fn is_settled(&mut self, at: usize, pid: u16) {
        let sent = self.clients[at].sent.iter().find(|sent| sent.pid == pid);
        if let Some(letter) = sent.and_then(|sent| sent.letter) {
            self.letters.all[letter].settled = true;
        }
    }

    /// The handshake of a publish is over.
    fn answered(&mut self, at: usize, pid: u16, reason: Reason) {
        let client = &mut self.clients[at];
        let Some(place) = client.sent.iter().position(|sent| sent.pid == pid) else { return };
        let sent = client.sent.remove(place);
        if let Some(letter) = sent.letter {
            self.told(letter, reason);
        }
        self.write_letters(at);
    }

    /// A client learns what became of what it said.
    fn told(&mut self, at: usize, reason: Reason) {
        let letter = &mut self.letters.all[at];
        if (reason as u8) < 0x80 {
            letter.told = Told::Taken;
            return claims::what_is_acknowledged(self, at);
        }
        letter.told = Told::Refused;
        self.reach.refused_by_broker |= reason == Reason::Quota;
        // An owner refuses for good: its reasons say what is wrong with the request.
        let for_good =
            matches!(reason, Reason::PayloadFormat | Reason::Topic | Reason::NotAuthorized);
        if for_good {
            claims::what_is_refused_for_good(self, at);
        } else if !letter.is_nonsense {
            // It was told to try again, and does so: as something new, but it is known that the first was not taken.
            let client = letter.client;
            self.letters.comes_late(at);
            self.clients[client].waiting.push_back(at);
        }
    }

    fn welcome(&mut self, at: usize, conn: u64, present: bool) {
        let client = &mut self.clients[at];
        client.up = true;
        let pid = client.next_pid();
        let filters = client.filters();
        self.send_up(conn, Up::Packet(Packet::Subscribe { pid, id: None, filters }));
        self.resume_handshakes(at, conn, present);
        self.clients[at].arrives = self.clients[at].is_device();
        self.write_letters(at);
    }

    fn say_of_presence(&mut self, at: usize, conn: u64) {
        let client = &mut self.clients[at];
        let pid = client.next_pid();
        client.sent.push(Sent { pid, letter: None, released: false });
        let mut packet = publish(client.topic("status"), "online", Qos::AtLeastOnce);
        (packet.pid, packet.retain) = (pid, true);
        self.send_up(conn, Up::Packet(Packet::Publish(packet)));
    }

    /// What was not finished on an earlier connection goes on, or is said anew where there is no session any more.
    fn resume_handshakes(&mut self, at: usize, conn: u64, present: bool) {
        let life = self.brokers[&ONLY].life;
        let client = &mut self.clients[at];
        client.sent.retain(|sent| sent.letter.is_some() && (present || !sent.released));
        for sent in self.clients[at].sent.clone() {
            let Some(letter) = sent.letter else { continue };
            if sent.released {
                self.send_up(conn, Up::Packet(Packet::Pubrel(sent.pid)));
                continue;
            }
            let known = &self.letters.all[letter];
            // Nothing tells a publish whose acknowledgement was lost from another one, at QoS 1.
            let lost = known.settled && self.clients[at].persona.qos == Qos::AtLeastOnce;
            let same = self.conns.get(&conn).map(|conn| conn.session) == known.session;
            if !same || lost || known.broker_life != Some(life) {
                self.letters.may_repeat(letter);
            }
            self.reach.resent += 1;
            self.send_letter(conn, sent.pid, letter, present);
        }
    }

    /// Sends what waits, as far as it may.
    pub(crate) fn write_letters(&mut self, at: usize) {
        let window = WINDOW.min(usize::from(self.plan.bounds.limits.receive_maximum));
        loop {
            let client = &mut self.clients[at];
            let Some(conn) = client.conn.filter(|_| client.up) else { return };
            if client.sent.len() >= window {
                return;
            }
            if std::mem::take(&mut client.arrives) {
                self.say_of_presence(at, conn);
                continue;
            }
            let Some(letter) = client.waiting.pop_front() else { return };
            if client.persona.qos == Qos::AtMostOnce {
                self.letters.all[letter].told = Told::Forgotten;
                self.send_letter(conn, 0, letter, false);
                continue;
            }
            let pid = client.next_pid();
            client.sent.push(Sent { pid, letter: Some(letter), released: false });
            self.send_letter(conn, pid, letter, false);
        }
    }

    fn send_letter(&mut self, conn: u64, pid: u16, at: usize, dup: bool) {
        let life = self.brokers[&ONLY].life;
        let session = self.conns.get(&conn).map(|conn| conn.session);
        let letter = &mut self.letters.all[at];
        letter.broker_life.get_or_insert(life);
        letter.session = letter.session.or(session);
        let persona = &self.clients[letter.client].persona;
        let mut packet = publish(letter.topic.clone(), letter.payload.clone(), persona.qos);
        (packet.pid, packet.dup) = (pid, dup);
        if let Some(topic) = letter.response.as_ref().filter(|_| persona.version == Version::V5) {
            packet.properties.forwarded = properties::response_topic(topic);
        }
        self.send_up(conn, Up::Packet(Packet::Publish(packet)));
    }

    /// Something at QoS 0, if there is a connection.
    pub(crate) fn publish_once(
        &mut self,
        at: usize,
        topic: String,
        payload: String,
        response: Option<&str>,
    ) -> bool {
        let client = &self.clients[at];
        let Some(conn) = client.conn.filter(|_| client.up) else { return false };
        let mut packet = publish(topic, payload, Qos::AtMostOnce);
        if let Some(topic) = response.filter(|_| client.persona.version == Version::V5) {
            packet.properties.forwarded = properties::response_topic(topic);
        }
        self.send_up(conn, Up::Packet(Packet::Publish(packet)));
        true
    }

    /// The program of a client ends, and is started again. What it remembered of its handshakes is gone, unless it
    /// keeps them in a file.
    pub(crate) fn restart_client(&mut self, at: usize) {
        let reuses = self.plan.reuses_ids;
        self.note("client restarts", || at.into());
        let client = &mut self.clients[at];
        let exactly_once = client.persona.qos == Qos::ExactlyOnce;
        let forgets = !client.persona.kept || reuses || exactly_once;
        if forgets {
            for letter in client.sent.drain(..).filter_map(|sent| sent.letter) {
                if self.letters.all[letter].told == Told::Nothing {
                    self.letters.all[letter].told = Told::Forgotten;
                }
            }
        }
        let client = &mut self.clients[at];
        // A client that has lost its QoS 2 handshakes must not go on with a session.
        client.clean = exactly_once;
        if reuses {
            client.last_pid = 0;
        }
        if let Some(conn) = client.conn.take() {
            client.up = false;
            self.client_leaves(conn);
        }
        // Whoever is away for longer finds orders that were given long ago.
        let longest = if self.plan.classes.has(Class::Expiry) { 3_000_000 } else { 400_000 };
        let soon = self.dice.tail(1000, longest);
        self.after(soon, Event::Join(at));
    }
}
