//! What people do, and what becomes of it in the model.

use crate::Broken;
use crate::model::{App, LifeId, Told};
use crate::people::{Up, delay};
use crate::plan::{TOPICS, WILL_TOPIC};
use crate::sent::UnderWay;
use crate::world::{Event, World};
use broker_core::ConnId;
use broker_core::protocol::{Filter, Packet, Qos, RetainHandling, Version};
use broker_core::testing::inside;

impl World {
    /// One thing that somebody does.
    pub(crate) fn act(&mut self) -> Result<(), Broken> {
        if self.acts_left == 0 {
            return Ok(());
        }
        self.acts_left -= 1;
        let millis = if self.dice.percent(self.plan.gaps) {
            self.dice.between(1000, 9000)
        } else {
            self.dice.between(0, 60)
        };
        if self.plan.restarts && self.dice.percent(2) {
            self.restart();
            self.after(millis, Event::Act);
            return Ok(());
        }
        self.after(millis, Event::Act);
        let client = self.dice.below(self.clients.len());
        let Some(id) = self.clients[client].conn else {
            self.connect(client);
            return Ok(());
        };
        if self.dice.percent(self.plan.cuts) {
            self.cut(id);
            return Ok(());
        }
        if self.dice.percent(3) {
            self.count("takeovers");
            self.connect(client);
            return Ok(());
        }
        if !self.clients[client].up || self.clients[client].persona.zone.is_some() {
            return Ok(());
        }
        match self.dice.below(20) {
            0..=13 => self.publish(client, id),
            14..=16 => self.subscribe(client, id),
            17..=18 => self.unsubscribe(client, id),
            _ => self.say_goodbye(client, id),
        }
        Ok(())
    }

    /// A new connection, whether or not there is one already.
    fn connect(&mut self, client: usize) {
        let id = self.new_conn(client);
        let expiry = self.clients[client].persona.expiry;
        let clean = expiry == 0 || self.dice.percent(5);
        let mut connect = self.clients[client].connect(clean);
        if self.version(client) == Version::V311 {
            connect.session_expiry = if clean { 0 } else { u32::MAX };
        }
        if self.version(client) == Version::V5 && self.dice.percent(20) {
            connect.receive_maximum = 1;
        }
        let wills = self.clients[client].persona.wills;
        let will = self.dice.percent(wills).then(|| {
            let topic = self.dice.pick(&[WILL_TOPIC, "a/b"]);
            let told = self.message(client, topic);
            let old = self.version(client) == Version::V311;
            let delay = if old { 0 } else { self.dice.pick(&[0, 1, 5]) };
            let publish = super::people::packet(&told, 0, false);
            connect.will = Some(broker_core::protocol::Will { publish, delay });
            (told, delay)
        });
        let own = &mut self.clients[client];
        own.up = false;
        if let Some(old) = own.conn.replace(id) {
            let millis = delay(&mut self.dice, 50);
            self.after(millis, Event::Noticed(old));
        }
        self.send(id, Up::Connect(Box::new(connect), will));
    }

    /// CONNACK has come.
    pub(crate) fn begin(&mut self, id: ConnId, client: usize, present: bool) {
        self.clients[client].up = true;
        let again = self.clients[client].resend(present);
        let zone = self.clients[client].persona.zone.is_some();
        if !present || zone {
            for path in self.clients[client].persona.filters.clone() {
                if zone || self.dice.percent(70) {
                    self.subscribe_to(client, id, path);
                }
            }
        }
        for up in again {
            self.send(id, up);
        }
    }

    fn subscribe(&mut self, client: usize, id: ConnId) {
        let filters = self.clients[client].persona.filters.clone();
        if !filters.is_empty() {
            let path = self.dice.pick(&filters);
            self.subscribe_to(client, id, path);
        }
    }

    fn subscribe_to(&mut self, client: usize, id: ConnId, path: &str) {
        let new = self.version(client) == Version::V5;
        let persona = self.clients[client].persona.clone();
        let filter = Filter {
            path: path.to_owned(),
            qos: persona.qos(&mut self.dice),
            no_local: new && !persona.shares() && self.dice.percent(20),
            retain_as_published: new && self.dice.percent(30),
            retain_handling: match self.dice.below(4) {
                0 if new => RetainHandling::IfNew,
                1 if new => RetainHandling::Never,
                _ => RetainHandling::Always,
            },
        };
        let number = (new && self.dice.percent(50)).then(|| self.dice.between(1, 300) as u32);
        let pid = self.clients[client].pid();
        let packet = Packet::Subscribe { pid, id: number, filters: vec![filter] };
        self.send(id, Up::Packet(packet, None));
    }

    fn unsubscribe(&mut self, client: usize, id: ConnId) {
        let filters = self.clients[client].persona.filters.clone();
        if !filters.is_empty() {
            let path = self.dice.pick(&filters).to_owned();
            let pid = self.clients[client].pid();
            self.send(id, Up::Packet(Packet::Unsubscribe { pid, filters: vec![path] }, None));
        }
    }

    fn publish(&mut self, client: usize, id: ConnId) {
        let most = usize::from(self.plan.settings.limits.receive_maximum);
        let persona = &self.clients[client].persona;
        let full = self.clients[client].sending.len()
            >= if persona.version == Version::V5 { most } else { 12 };
        let topic = if persona.reports && self.dice.percent(40) {
            self.dice.pick(&["home/hall/d/report", "home/hall/d/set", "home/den/d/report"])
        } else {
            self.dice.pick(&TOPICS)
        };
        let mut told = self.message(client, topic);
        if full {
            told.qos = Qos::AtMostOnce;
        }
        // An old client can only be thrown out with what its zone cannot take, and would come again with it.
        told.large &= self.version(client) == Version::V5 || !topic.starts_with("home/");
        let up = self.clients[client].publish(told);
        self.send(id, up);
    }

    fn message(&mut self, client: usize, topic: &str) -> Told {
        let new = self.version(client) == Version::V5;
        let retain = self.dice.percent(20);
        let told = Told {
            app: App(self.told.len() as u32),
            topic: topic.to_owned(),
            qos: self.dice.pick(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce]),
            retain,
            expiry: (new && self.dice.percent(self.plan.expiring)).then(|| self.dice.pick(&[1, 4])),
            large: self.dice.percent(self.plan.large),
            empty: retain && self.dice.percent(20),
        };
        self.told.push((told.clone(), client));
        Told { large: told.large && !told.empty, ..told }
    }

    fn say_goodbye(&mut self, client: usize, id: ConnId) {
        let with_will = self.version(client) == Version::V5 && self.dice.percent(30);
        let goodbye = Packet::Disconnect { with_will, session_expiry: None };
        self.send(id, Up::Packet(goodbye, None));
        let own = &mut self.clients[client];
        (own.conn, own.up) = (None, false);
    }

    /// What was sent may have arrived up to any point; what was on its way to the client has not.
    fn cut(&mut self, id: ConnId) {
        self.say(|| format!("{id:?} is cut"));
        self.count("cuts");
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let client = conn.client;
        let arrives = self.dice.below(conn.up.len() + 1);
        conn.up.truncate(arrives);
        conn.down.clear();
        conn.acks.clear();
        conn.cut = true;
        let own = &mut self.clients[client];
        (own.conn, own.up) = (None, false);
        let millis = delay(&mut self.dice, 30) + delay(&mut self.dice, 30);
        self.after(millis, Event::Noticed(id));
    }

    /// The faults are over: whoever has a session comes back, and so do the gateways.
    pub(crate) fn come_back(&mut self) {
        for client in 0..self.clients.len() {
            let kept = self.model.of_client.contains_key(&client);
            let own = &self.clients[client];
            if own.conn.is_none() && (kept || own.persona.zone.is_some()) {
                let id = self.new_conn(client);
                let mut connect = self.clients[client].connect(false);
                if self.version(client) == Version::V311 {
                    connect.session_expiry = u32::MAX;
                }
                let own = &mut self.clients[client];
                (own.conn, own.up) = (Some(id), false);
                self.send(id, Up::Connect(Box::new(connect), None));
            }
        }
    }

    /// What a packet means, before the core takes it; a publish is told if it is a new message.
    pub(crate) fn foresee(
        &mut self,
        life: LifeId,
        id: ConnId,
        packet: &Packet,
        _told: Option<&Told>,
    ) -> Option<(LifeId, bool, u16)> {
        match packet {
            Packet::Publish(publish) => return self.is_new(life, id, publish),
            Packet::Pubrel(pid) => {
                let of_life = self.model.lives.get_mut(&life)?;
                if of_life.incoming.get(pid).is_some_and(|incoming| !incoming.withheld) {
                    of_life.incoming.remove(pid);
                }
            }
            Packet::Puback(pid, _) | Packet::Pubcomp(pid) => {
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.sent.done(*pid);
                }
                let done = self.handshakes.done(life, *pid);
                let qos = match packet {
                    Packet::Puback(..) => Qos::AtLeastOnce,
                    _ => Qos::ExactlyOnce,
                };
                self.a_group_has(life, done, qos);
                self.zone_has(life, done.and_then(|done| done.stamp));
            }
            Packet::Pubrec(pid, _) => {
                let received = self.handshakes.received(life, *pid);
                self.zone_has(life, received.and_then(|received| received.stamp));
            }
            Packet::Subscribe { id: number, filters, .. } => {
                self.model.subscribe(self.now, life, filters, *number);
            }
            Packet::Unsubscribe { filters, .. } => self.model.unsubscribe(life, filters),
            Packet::Connect(_) | Packet::Pingreq | Packet::Disconnect { .. } => {}
        }
        None
    }

    fn a_group_has(&mut self, life: LifeId, done: Option<UnderWay>, qos: Qos) {
        let client = self.model.lives.get(&life).map(|life| life.client);
        let persona = client.map(|client| &self.clients[client].persona);
        if let (Some(done), Some(persona)) = (done, persona.filter(|persona| persona.shares())) {
            self.model.ledger.acknowledged(life, done.app, persona.filters[0], qos);
        }
    }

    /// A zone's session acknowledges: the writer's handshake goes on.
    fn zone_has(&mut self, life: LifeId, stamp: Option<u64>) {
        let zone = self.model.lives.get(&life).and_then(|life| life.zone);
        let Some(stamp) = stamp.filter(|_| zone.is_some()) else { return };
        self.zones.acked(stamp);
        self.count("reports acknowledged by their zone");
        self.release(|of| of == stamp);
    }

    /// Acknowledgements that were withheld go out.
    pub(crate) fn release(&mut self, which: impl Fn(u64) -> bool) {
        for of_life in self.model.lives.values_mut() {
            let waits = |(&pid, incoming): (&u16, &super::model::Incoming)| {
                incoming.stamp.filter(|_| incoming.withheld).is_some_and(&which).then_some(pid)
            };
            let pids: Vec<u16> = of_life.incoming.iter().filter_map(waits).collect();
            for pid in pids {
                let Some(incoming) = of_life.incoming.get_mut(&pid) else { continue };
                if incoming.qos == Qos::ExactlyOnce {
                    incoming.withheld = false;
                    continue;
                }
                if of_life.conn != Some(incoming.conn) {
                    of_life.acked_away.insert(pid);
                }
                of_life.incoming.remove(&pid);
            }
        }
    }

    /// Large reports that the core has refused meanwhile.
    pub(crate) fn note_refusals(&mut self) {
        let owed = self.zones.owed.iter();
        let large: Vec<u64> = owed
            .filter(|(_, app)| self.told[app.0 as usize].0.large)
            .map(|(&stamp, _)| stamp)
            .collect();
        for of_life in self.model.lives.values_mut() {
            let name = self.clients[of_life.client].persona.name.as_str();
            let Some(session) = inside(&self.core).session_of(name) else { continue };
            of_life.incoming.retain(|&pid, incoming| {
                let Some(stamp) = incoming.stamp.filter(|stamp| large.contains(stamp)) else {
                    return true;
                };
                let waits = session.is_incoming(pid);
                if !waits {
                    self.zones.refused(stamp);
                }
                waits
            });
        }
    }
}
