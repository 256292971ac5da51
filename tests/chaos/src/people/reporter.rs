//! A device that reports.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use super::{AGAIN, World};
use crate::ledger::{Fate, Message, Sort};
use crate::mqtt::{Connection, Hello, Packet, Publish, Version};

/// How a device reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habit {
    pub(crate) version: Version,
    pub(crate) qos: u8,
    /// Whether its reports have ids.
    pub(crate) named: bool,
    /// Whether it keeps its session. Such a device restarts at times. At QoS 1 it forgets what it sent and uses its
    /// packet ids again; at QoS 2 that would be a device's mistake (MQTT 4.3.3), so there it remembers.
    pub(crate) keeps: bool,
    /// Whether it says again in a new session what was not acknowledged in the one before.
    pub(crate) repeats: bool,
}

/// How many reports of a device may wait for their acknowledgements.
const WINDOW: usize = 8;

#[derive(Debug)]
pub(crate) struct Reporter {
    world: Arc<World>,
    hello: Hello,
    topic: String,
    place: u16,
    habit: Habit,
    port: u16,
    restart: Arc<Notify>,
    flights: VecDeque<Flight>,
    last_id: u16,
}

/// A report on its way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    value: u64,
    id: u16,
    /// At QoS 2: PUBREC has come.
    received: bool,
}

/// Why a conversation is over.
enum End {
    Lost,
    Restart,
    Done,
}

impl Reporter {
    pub(crate) fn new(
        world: Arc<World>,
        client: String,
        place: u16,
        habit: Habit,
        port: u16,
        restart: Arc<Notify>,
    ) -> Self {
        let topic = format!("home/{}/report", world.ledger.places[usize::from(place)]);
        let hello = Hello { version: habit.version, client, clean: !habit.keeps };
        let (flights, last_id) = (VecDeque::new(), 0);
        Self { world, hello, topic, place, habit, port, restart, flights, last_id }
    }

    pub(crate) async fn live(mut self) {
        loop {
            let Ok(connection) = Connection::open(self.port, &self.hello).await else {
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            match self.talk(connection).await {
                Ok(End::Done) => return,
                Ok(End::Restart) if self.habit.qos == 1 => {
                    self.forget();
                    self.last_id = 0;
                }
                Ok(End::Restart | End::Lost) | Err(_) => {}
            }
        }
    }

    async fn talk(&mut self, mut connection: Connection) -> io::Result<End> {
        self.take_up(&mut connection).await?;
        let mut pace = interval(self.world.pace);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let restart = self.restart.clone();
        loop {
            tokio::select! {
                packet = connection.next() => match packet {
                    Ok(packet) => self.hear(packet, &mut connection).await?,
                    Err(_) => return Ok(End::Lost),
                },
                () = restart.notified() => return Ok(End::Restart),
                _ = pace.tick() => {
                    if self.world.stops() {
                        if self.flights.is_empty() {
                            return Ok(End::Done);
                        }
                    } else if self.flights.len() < WINDOW {
                        self.say(&mut connection).await?;
                    }
                }
            }
        }
    }

    /// Goes on with what the connection before left open.
    async fn take_up(&mut self, connection: &mut Connection) -> io::Result<()> {
        if !connection.session {
            // An acknowledged one is done: the session that waited for its PUBREL is gone.
            self.flights.retain(|flight| !flight.received);
            if !self.habit.repeats {
                self.forget();
            }
        }
        for place in 0..self.flights.len() {
            let flight = self.flights[place];
            match (connection.session, flight.received) {
                (true, true) => connection.pubrel(flight.id).await?,
                (again, _) => self.send(flight, again, connection).await?,
            }
        }
        Ok(())
    }

    async fn say(&mut self, connection: &mut Connection) -> io::Result<()> {
        let Habit { qos, named, .. } = self.habit;
        let message = Message { place: self.place, sort: Sort::Report, qos, named };
        let value = self.world.ledger.add(message, self.world.home.broker_life());
        let flight = Flight { value, id: self.free_id(), received: false };
        if qos == 0 {
            self.world.ledger.closed(value, Fate::GivenUp);
        } else {
            self.flights.push_back(flight);
        }
        self.send(flight, false, connection).await
    }

    async fn send(
        &self,
        flight: Flight,
        again: bool,
        connection: &mut Connection,
    ) -> io::Result<()> {
        let Flight { value, id, .. } = flight;
        self.world.ledger.sent(value, again, self.world.home.broker_life());
        let payload = match self.habit.named {
            true => format!("{{\"state\":{value},\"id\":\"{value}\"}}"),
            false => value.to_string(),
        };
        let (topic, qos, payload) = (&self.topic, self.habit.qos, payload.as_bytes());
        let message = Publish { topic, payload, qos, id, dup: again, answer_to: None };
        connection.publish(&message).await
    }

    async fn hear(&mut self, packet: Packet, connection: &mut Connection) -> io::Result<()> {
        let (Packet::Puback { id, code } | Packet::Pubrec { id, code }) = packet else {
            if let Packet::Pubcomp { id } = packet {
                self.flights.retain(|flight| flight.id != id || !flight.received);
            }
            return Ok(());
        };
        let Some(flight) = self.flights.iter_mut().find(|flight| flight.id == id) else {
            return Ok(());
        };
        let value = flight.value;
        let refused = code >= 0x80;
        match refused {
            true => self.world.ledger.closed(value, Fate::Refused),
            false => self.world.ledger.acknowledged(value),
        }
        flight.received = true;
        if refused || self.habit.qos == 1 {
            self.flights.retain(|flight| flight.id != id);
            return Ok(());
        }
        connection.pubrel(id).await
    }

    /// The device has lost its memory.
    fn forget(&mut self) {
        for flight in self.flights.drain(..) {
            self.world.ledger.closed(flight.value, Fate::GivenUp);
        }
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id % 1000 + 1;
            if self.flights.iter().all(|flight| flight.id != self.last_id) {
                return self.last_id;
            }
        }
    }
}
