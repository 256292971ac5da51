//! Packets that nobody would send in this order, from clients that come, go, and take each other's names.
//!
//! Whatever they do: no panic; every queue within its bound; whoever breaks the protocol ends alone; and when all
//! are gone and their sessions at an end, nothing of them is left.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hearth_fuzz::{Random, count, runs, seed};

use broker_core::access::Guest;
use broker_core::protocol::{
    Action, Connect, Filter, Login, Packet, Properties, Publish, Qos, RetainHandling, Version,
    Will, topic,
};
use broker_core::router::{FilterId, Routed, RouterOp};
use broker_core::testing::{end_session, inside};
use broker_core::{ConnId, Core, Effects, Ended, Limits, Moment, Received, Settings};
use broker_sim::Kept;

/// Packets and other events in the life of one broker.
const LIFE: u64 = 2_000;

const CLIENTS: [&str; 6] = ["", "a", "b", "c", "hearth-home-zone-hall", "hearth-home-zone-porch"];
const TOPICS: [&str; 8] = [
    "t",
    "t/u",
    "$x",
    "home/hall/door/report",
    "home/hall/door/set",
    "home/porch/lamp/report",
    "home/attic/fan/set",
    "home/hall/door/state",
];
const FILTERS: [&str; 12] = [
    "t",
    "t/#",
    "+",
    "#",
    "home/+/+/report",
    "home/hall/+/report",
    "home/hall/+/set",
    "home/porch/+/report",
    "t/#/bad",
    "$share/g/t",
    "$share/g/+",
    "$share/+/t",
];

#[test]
fn no_sequence_of_packets_breaks_the_core() {
    let mut random = Random::new(seed("core"));
    let lives = runs(200_000) / LIFE;
    let mut taken = 0;
    for _ in 0..lives {
        let mut play = Play::new(Random::new(random.next()));
        for _ in 0..LIFE {
            taken += u64::from(play.event());
            play.check();
        }
        play.end();
    }
    count("client-sequences", lives * LIFE, taken);
}

fn small() -> Limits {
    Limits {
        sessions: 5,
        queue_messages: 20,
        queue_bytes: 2_000,
        inflight: 4,
        receive_maximum: 4,
        subscriptions: 6,
        wildcard_filters: 5,
        retained_messages: 4,
        retained_bytes: 300,
        zone_messages: 6,
        zone_qos0: 2,
        zone_bytes: 4_000,
        session_bytes: 12_000,
        waiting_bytes: 6_000,
        ..Limits::default()
    }
}

struct Play {
    random: Random,
    core: Core,
    now: Moment,
    open: Vec<ConnId>,
    /// Publishes that found no room, each its connection's next.
    waiting: Vec<(ConnId, Publish)>,
    last: u64,
    /// What the router has been given and has not given back.
    inside: VecDeque<RouterOp>,
    filters: Vec<(FilterId, Box<str>)>,
    kept: Kept,
}

impl Play {
    fn new(random: Random) -> Self {
        let core = Core::new(Settings { limits: small(), store: true, ..Settings::default() });
        let (open, waiting, filters) = (Vec::new(), Vec::new(), Vec::new());
        let inside = VecDeque::new();
        let (now, kept) = (Moment::default(), Kept::default());
        Self { random, core, now, open, waiting, last: 0, inside, filters, kept }
    }

    /// One event; whether the core took it.
    fn event(&mut self) -> bool {
        let span = self.random.next() % 200;
        self.now = self.now.after(Duration::from_millis(span));
        let taken = match self.random.below(24) {
            0..3 => self.connect(),
            3 if !self.open.is_empty() => {
                let conn = *self.random.one_of(&self.open);
                self.close(conn, Ended::Lost);
                true
            }
            4 => {
                self.core.tick(self.now);
                self.core.flush_window();
                true
            }
            5..10 => {
                self.route();
                true
            }
            _ => self.packet(),
        };
        self.carry_out();
        taken
    }

    fn connect(&mut self) -> bool {
        self.last += 1;
        let conn = ConnId(self.last);
        let random = &mut self.random;
        let (version, will) = (version(random), random.once_in(2));
        let expiry = *random.one_of(&[0, 0, 1, 30, u32::MAX]);
        let will = will.then(|| Will { publish: publish(random, 0), delay: random.edge() as u32 });
        let connect = Connect {
            version,
            client_id: (*random.one_of(&CLIENTS)).to_owned(),
            login: Login::default(),
            clean: random.once_in(2),
            session_expiry: expiry,
            keep_alive: 0,
            receive_maximum: *random.one_of(&[1, 3, u16::MAX]),
            maximum_packet: *random.one_of(&[30, u32::MAX]),
            alias_maximum: *random.one_of(&[0, 2]),
            epoch: 0,
            will,
        };
        let accepted = self.core.connect(self.now, conn, connect, Guest::Anyone).is_ok();
        if accepted {
            self.open.push(conn);
        }
        accepted
    }

    fn packet(&mut self) -> bool {
        if self.open.is_empty() {
            return false;
        }
        let conn = *self.random.one_of(&self.open);
        let waiting = self.waiting.iter().position(|(of, _)| *of == conn);
        let packet = match waiting {
            Some(at) => Packet::Publish(self.waiting.remove(at).1),
            None => packet(&mut self.random),
        };
        let dismissed = self.dismissed();
        match self.core.receive(self.now, conn, packet) {
            Ok(Received::Done) => true,
            Ok(Received::Busy(publish)) => {
                self.waiting.push((conn, publish));
                true
            }
            Ok(Received::Goodbye(how)) => {
                self.close(conn, how);
                true
            }
            Err(_) => {
                assert_eq!(self.dismissed(), dismissed, "others suffer");
                self.close(conn, Ended::Lost);
                false
            }
        }
    }

    fn dismissed(&self) -> Vec<ConnId> {
        let closing = inside(&self.core).links().filter(|link| link.closing);
        let mut closing: Vec<_> = closing.map(|link| link.conn).collect();
        closing.sort();
        closing
    }

    fn close(&mut self, conn: ConnId, how: Ended) {
        self.core.closed(self.now, conn, how);
        self.open.retain(|other| *other != conn);
        self.waiting.retain(|(of, _)| *of != conn);
    }

    fn carry_out(&mut self) {
        self.inside.append(&mut std::mem::take(&mut self.core.effects().router).into());
        self.kept.told(std::mem::take(&mut self.core.effects().keep));
        let woken = std::mem::take(&mut self.core.effects().wake);
        for conn in woken {
            // Some clients do not read, or not now.
            if self.random.once_in(3) {
                continue;
            }
            let mut actions = Vec::new();
            self.core.pull(self.now, conn, 500, &mut actions);
            let closed = actions.iter().position(|action| matches!(action, Action::Close(_)));
            if let Some(at) = closed {
                assert_eq!(at, actions.len() - 1, "nothing comes after the reason: {actions:?}");
                self.close(conn, Ended::Lost);
            }
        }
        let Effects { router, wake, keep, complaints, requests } = self.core.effects();
        complaints.clear();
        requests.clear();
        if !(router.is_empty() && wake.is_empty() && keep.is_empty()) {
            self.carry_out();
        }
    }

    /// The router gives back what some of its input leads to, and now and then forgets some.
    fn route(&mut self) {
        for _ in 0..self.random.below(8) {
            let Some(op) = self.inside.pop_front() else { return };
            let routed = match op {
                RouterOp::Subscribe(id, path) => {
                    self.filters.push((id, path));
                    continue;
                }
                RouterOp::Fence(number) => vec![Routed::Fence(number)],
                RouterOp::Publish(message) => {
                    let (filters, topic) = (self.filters.iter(), &message.topic);
                    let matching = filters.filter(|(_, path)| topic::matches(path, topic));
                    matching.map(|(id, _)| Routed::Match(*id, message.order)).collect()
                }
            };
            if self.random.once_in(500) {
                let gap = self.filters.first().map(|(id, _)| Routed::Gap(*id));
                self.core.routed(&gap.into_iter().collect::<Vec<_>>());
            }
            self.core.routed(&routed);
        }
    }

    fn check(&self) {
        let (inside, limits) = (inside(&self.core), small());
        let sessions = inside.sessions().count();
        assert!(sessions <= limits.sessions && inside.clients() == sessions);
        let (links, paused) = (inside.links().count(), inside.paused().len());
        assert!(links == self.open.len() && paused <= self.open.len());
        // A session's end and its will, and one announcement.
        assert!(inside.timers() <= 2 * sessions + 1);
        for session in inside.sessions() {
            assert!(session.filters().count() <= limits.subscriptions);
            // A session of MQTT 3.1.1 may have more that are received and not released, also for MQTT 5 after it.
            assert!(session.withheld() <= usize::from(limits.receive_maximum));
        }
        for link in inside.links() {
            // A client that reads no answers is not read either; here all send on.
            assert!(link.answers <= 2 * LIFE as usize);
        }
        assert!(inside.sessions_are_weighed_right());
        self.check_kept();
        let connected = inside.sessions().filter(|session| session.is_connected()).count();
        assert_eq!(inside.connected(), connected);
        assert!(self.core.reading().retained <= limits.retained_messages);
        assert!(inside.wildcard_filters() <= limits.wildcard_filters);
        let subscribed: usize = inside.sessions().map(|session| session.exact_filters()).sum();
        assert_eq!(inside.exact_subscribers(), subscribed);
    }

    /// A store that was told every change has what one has that begins anew. A long comparison, so not always.
    fn check_kept(&self) {
        if self.last.is_multiple_of(8) {
            let kept = self.kept.clone().without_expired(self.now);
            assert_eq!(kept, Kept::anew(&self.core).without_expired(self.now));
        }
    }

    /// Everyone goes, every session ends, and nothing is left but what is meant to stay.
    fn end(&mut self) {
        for conn in self.open.clone() {
            self.close(conn, Ended::Lost);
            self.carry_out();
        }
        while let Some(at) = inside(&self.core).next_end() {
            self.now = self.now.max(at);
            self.core.tick(self.now);
            self.carry_out();
        }
        // Those that are kept for ever.
        let lasting: Vec<_> = inside(&self.core).sessions().map(|session| session.key()).collect();
        for key in lasting {
            end_session(&mut self.core, self.now, key);
        }
        self.carry_out();
        assert!(inside(&self.core).is_empty());
        assert_eq!(inside(&self.core).next_end(), None);
    }
}

fn version(random: &mut Random) -> Version {
    if random.once_in(2) { Version::V311 } else { Version::V5 }
}

fn qos(random: &mut Random) -> Qos {
    *random.one_of(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce])
}

/// A publish; its id is near those of others, so that handshakes meet.
fn publish(random: &mut Random, pid: u16) -> Publish {
    let qos = qos(random);
    let size = *random.one_of(&[0, 1, 9, 90, 900]);
    Publish {
        dup: qos > Qos::AtMostOnce && random.once_in(4),
        qos,
        retain: random.once_in(4),
        pid: if qos == Qos::AtMostOnce { 0 } else { pid },
        topic: (*random.one_of(&TOPICS)).into(),
        payload: Bytes::from(vec![b'x'; size]),
        properties: Properties {
            expiry: random.once_in(6).then(|| random.edge() as u32),
            ..Properties::default()
        },
    }
}

fn packet(random: &mut Random) -> Packet {
    let pid = 1 + random.below(9) as u16;
    match random.below(16) {
        0 => Packet::Subscribe {
            pid,
            id: random.once_in(2).then_some(7),
            filters: (0..=random.below(3)).map(|_| filter(random)).collect(),
        },
        1 if random.once_in(2) => {
            let path = (*random.one_of(&FILTERS)).to_owned();
            Packet::Unsubscribe { pid, filters: vec![path] }
        }
        1 => Packet::Pingreq,
        2 if random.once_in(4) => Packet::Disconnect {
            with_will: random.once_in(2),
            session_expiry: random.once_in(2).then(|| random.edge() as u32),
        },
        3 => Packet::Puback(pid, None),
        4 => Packet::Puback(pid, Some(broker_core::protocol::Reason::PayloadFormat)),
        5 | 6 => Packet::Pubrec(pid, random.once_in(2)),
        7 | 8 => Packet::Pubrel(pid),
        9 | 10 => Packet::Pubcomp(pid),
        _ => Packet::Publish(publish(random, pid)),
    }
}

fn filter(random: &mut Random) -> Filter {
    Filter {
        path: (*random.one_of(&FILTERS)).to_owned(),
        qos: qos(random),
        no_local: random.once_in(5),
        retain_as_published: random.once_in(2),
        retain_handling: *random.one_of(&[
            RetainHandling::Always,
            RetainHandling::IfNew,
            RetainHandling::Never,
        ]),
    }
}
