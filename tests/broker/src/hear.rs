//! What the broker says: it is checked as it leaves, and again as a client hears it.

use crate::Broken;
use crate::model::{App, LifeId};
use crate::people::{Down, Up, app_of};
use crate::sent::from_store;
use crate::world::{Event, World};
use broker_core::ConnId;
use broker_core::Ended;
use broker_core::protocol::{Action, Outgoing, Packet, Qos, Reason};

/// Messages on their way to a client before the broker waits for it.
const AHEAD: usize = 8;

impl World {
    /// What the broker's task of a connection does when it is woken.
    pub(crate) fn pull(&mut self, id: ConnId) -> Result<(), Broken> {
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
        let window = conn.receive_maximum.min(self.plan.settings.limits.inflight);
        conn.sent.publish(persona, window, out)?;
        let empty = App(u32::MAX);
        let app = app_of(&out.message.payload).unwrap_or(empty);
        self.handshakes.publish(life, app, out)?;
        if app == empty || out.message.topic.starts_with("hearth/home/broker/") {
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
    pub(crate) fn hear(&mut self, id: ConnId) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        conn.due[1] = false;
        let client = conn.client;
        let eager = self.clients[client].persona.eager;
        if self.acts_left > 0 && !self.dice.percent(eager) {
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
                self.acknowledge(id, Packet::Puback(out.pid, None));
                true
            }
            Qos::ExactlyOnce => {
                self.acknowledge(id, Packet::Pubrec(out.pid, true));
                let life = self.model.hearer(id);
                self.clients[client].received.insert(out.pid, life) != Some(life)
            }
        };
        let (Some(app), Some(life)) = (app_of(&out.message.payload), self.model.hearer(id)) else {
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

    pub(crate) fn answer(&mut self, id: ConnId) {
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
}

fn short(action: &Action) -> String {
    let Action::Publish(out) = action else { return format!("{action:?}") };
    let dup = if out.dup { " dup" } else { "" };
    let app = app_of(&out.message.payload);
    let Outgoing { message, qos, pid, .. } = out;
    format!("{app:?} q{} #{pid}{dup} {}, which is {}", *qos as u8, message.topic, message.order)
}
