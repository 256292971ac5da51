//! The clients: they keep what the standard makes them keep over a lost connection, and send it again.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::dice::Dice;
use crate::model::LifeId;
use crate::model::{App, Told};
use crate::plan::{LARGE, Persona};
use crate::sent::Sent;
use broker_core::ConnId;
use broker_core::protocol::{Action, Connect, Packet, Properties, Publish, Qos};

/// What a client sends; with what it means.
pub(crate) enum Up {
    Connect(Box<Connect>, Option<(Told, u32)>),
    Packet(Packet, Option<Told>),
}

/// What it hears.
pub(crate) enum Down {
    Connack(bool),
    Action(Action),
}

/// One TCP connection: what is on its way in both directions.
pub(crate) struct Conn {
    pub(crate) client: usize,
    pub(crate) up: VecDeque<Up>,
    pub(crate) down: VecDeque<Down>,
    /// Packets that the broker could not take yet.
    pub(crate) pending: VecDeque<Up>,
    /// Answers that the client has not sent yet.
    pub(crate) acks: VecDeque<Packet>,
    /// The broker serves it.
    pub(crate) open: bool,
    pub(crate) cut: bool,
    /// What its CONNECT said.
    pub(crate) receive_maximum: u16,
    pub(crate) sent: Sent,
    /// An event of this kind is on its way: up, down, pull, acks.
    pub(crate) due: [bool; 4],
}

pub(crate) struct Client {
    pub(crate) persona: Persona,
    pub(crate) conn: Option<ConnId>,
    /// CONNACK has come.
    pub(crate) up: bool,
    pub(crate) sending: Vec<Sending>,
    /// QoS 2 ids whose PUBREL has not come, and of which session. A client that never saw the CONNACK which told it
    /// that its session is new still holds those of the one before; no broker can know that, so they count for nothing.
    pub(crate) received: BTreeMap<u16, Option<LifeId>>,
    next_pid: u16,
}

#[derive(Clone)]
pub(crate) struct Sending {
    pub(crate) pid: u16,
    told: Told,
    released: bool,
}

impl Conn {
    pub(crate) fn new(client: usize) -> Self {
        Self {
            client,
            up: VecDeque::new(),
            down: VecDeque::new(),
            pending: VecDeque::new(),
            acks: VecDeque::new(),
            open: false,
            cut: false,
            receive_maximum: 0,
            sent: Sent::default(),
            due: [false; 4],
        }
    }
}

impl Client {
    pub(crate) fn new(persona: Persona) -> Self {
        Self {
            persona,
            conn: None,
            up: false,
            sending: Vec::new(),
            received: BTreeMap::new(),
            next_pid: 0,
        }
    }

    pub(crate) fn pid(&mut self) -> u16 {
        loop {
            self.next_pid = self.next_pid % 40 + 1;
            if self.sending.iter().all(|sending| sending.pid != self.next_pid) {
                return self.next_pid;
            }
        }
    }

    pub(crate) fn connect(&self, clean: bool) -> Connect {
        let persona = &self.persona;
        Connect {
            version: persona.version,
            client_id: persona.name.clone(),
            clean,
            session_expiry: persona.expiry,
            keep_alive: 0,
            receive_maximum: persona.receive_maximum,
            maximum_packet: persona.maximum_packet,
            alias_maximum: persona.alias_maximum,
            epoch: 0,
            login: Default::default(),
            will: None,
        }
    }

    /// A new message of this client.
    pub(crate) fn publish(&mut self, told: Told) -> Up {
        let pid = if told.qos == Qos::AtMostOnce { 0 } else { self.pid() };
        if pid > 0 {
            self.sending.push(Sending { pid, told: told.clone(), released: false });
        }
        publish(&told, pid, false)
    }

    /// What is sent after CONNACK: everything unfinished, in order [MQTT-4.4.0-1]; as new messages, if the session is
    /// gone.
    pub(crate) fn resend(&mut self, present: bool) -> Vec<Up> {
        if present {
            let again = |sending: &Sending| match sending.released {
                true => Up::Packet(Packet::Pubrel(sending.pid), None),
                false => publish(&sending.told, sending.pid, true),
            };
            return self.sending.iter().map(again).collect();
        }
        self.received.clear();
        let unfinished = std::mem::take(&mut self.sending);
        let left = unfinished.into_iter().filter(|sending| !sending.released);
        left.map(|sending| self.publish(sending.told)).collect()
    }

    /// PUBACK, or a PUBREC that refuses, or PUBCOMP.
    pub(crate) fn finished(&mut self, pid: u16) {
        self.sending.retain(|sending| sending.pid != pid);
    }

    pub(crate) fn released(&mut self, pid: u16) {
        for sending in self.sending.iter_mut().filter(|sending| sending.pid == pid) {
            sending.released = true;
        }
    }
}

pub(crate) fn publish(told: &Told, pid: u16, dup: bool) -> Up {
    let packet = Packet::Publish(packet(told, pid, dup));
    Up::Packet(packet, Some(told.clone()))
}

pub(crate) fn packet(told: &Told, pid: u16, dup: bool) -> Publish {
    let App(app) = told.app;
    let mut payload = if told.empty { Vec::new() } else { app.to_be_bytes().to_vec() };
    if told.large {
        payload.resize(LARGE, 0);
    }
    Publish {
        dup: dup && pid > 0,
        qos: told.qos,
        retain: told.retain,
        pid,
        topic: told.topic.as_str().into(),
        payload: Bytes::from(payload),
        properties: Properties { expiry: told.expiry, ..Properties::default() },
    }
}

/// Which message a payload is.
pub(crate) fn app_of(payload: &[u8]) -> Option<App> {
    payload.first_chunk().map(|bytes| App(u32::from_be_bytes(*bytes)))
}

/// A delay in milliseconds.
pub(crate) fn delay(dice: &mut Dice, lag: u64) -> u64 {
    if dice.percent(lag) { dice.between(0, 1000) } else { dice.between(0, 5) }
}
