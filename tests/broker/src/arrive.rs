//! What reaches the broker: packets of its clients, and the ends of connections.

use crate::model::{LifeId, Told};
use crate::people::{Down, Up, app_of};
use crate::world::World;
use crate::{Broken, broken};
use broker_core::ConnId;
use broker_core::protocol::{Packet, Publish, Qos};
use broker_core::testing::inside;
use broker_core::{Ended, Received};

impl World {
    /// The broker reads some packets of a connection.
    pub(crate) fn read(&mut self, id: ConnId) -> Result<(), Broken> {
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

    pub(crate) fn take(&mut self, id: ConnId, up: Up) -> Result<(), Broken> {
        match up {
            Up::Connect(connect, will) => self.take_connect(id, &connect, will),
            Up::Packet(packet, told) => self.take_packet(id, packet, told),
        }
    }

    fn take_connect(
        &mut self,
        id: ConnId,
        connect: &broker_core::protocol::Connect,
        will: Option<(Told, u32)>,
    ) -> Result<(), Broken> {
        let Some(conn) = self.conns.get_mut(&id) else { return Ok(()) };
        conn.open = true;
        conn.receive_maximum = connect.receive_maximum;
        let client = conn.client;
        let persona = self.clients[client].persona.clone();
        let expected = self.model.connect(self.now, id, (client, &persona), connect, will);
        let connected =
            self.core.connect(self.now, id, connect.clone(), broker_core::access::Guest::Anyone);
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

    pub(crate) fn push_down(&mut self, id: ConnId, down: Down) {
        if let Some(conn) = self.conns.get_mut(&id)
            && !conn.cut
        {
            conn.down.push_back(down);
            self.soon(1, id);
        }
    }

    pub(crate) fn take_packet(
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
        let before = inside(&self.core).last_stamp().0;
        match self.core.receive(self.now, id, packet) {
            Ok(Received::Done) => {
                if let (Some((life, handed, pid)), Some(told)) = (came, told) {
                    self.model.publish(self.now, life, &told, handed);
                    let stamp = inside(&self.core).last_stamp().0;
                    if handed && stamp > before {
                        self.zones.came(told.app);
                        self.zones.waits(told.app, stamp, (life, pid));
                        self.withhold(life, pid, stamp);
                    } else if handed && told.qos == Qos::AtMostOnce {
                        self.zones.came(told.app);
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

    pub(crate) fn withhold(&mut self, life: LifeId, pid: u16, stamp: u64) {
        if let Some(life) = self.model.lives.get_mut(&life)
            && let Some(incoming) = life.incoming.get_mut(&pid)
        {
            incoming.stamp = Some(stamp);
        }
    }

    /// A connection ends for the broker.
    pub(crate) fn close(&mut self, id: ConnId, how: Ended) -> Result<(), Broken> {
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
}

fn short_packet(packet: &Packet) -> String {
    let Packet::Publish(publish) = packet else { return format!("{packet:?}") };
    let dup = if publish.dup { " dup" } else { "" };
    let Publish { qos, pid, topic, payload, .. } = publish;
    format!("{:?} q{} #{pid}{dup} {topic}", app_of(payload), *qos as u8)
}
