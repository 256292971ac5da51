//! The clients: they keep what the standard makes them keep over a lost connection, and send it again.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::dice::Dice;
use super::model::LifeId;
use super::model::{App, Told};
use super::plan::{LARGE, Persona};
use super::sent::Sent;
use crate::message::ConnId;
use crate::protocol::{Action, Connect, Packet, Properties, Publish, Qos};

/// What a client sends; with what it means.
pub(super) enum Up {
    Connect(Box<Connect>, Option<(Told, u32)>),
    Packet(Packet, Option<Told>),
}

/// What it hears.
pub(super) enum Down {
    Connack(bool),
    Action(Action),
}

/// One TCP connection: what is on its way in both directions.
pub(super) struct Conn {
    pub(super) client: usize,
    pub(super) up: VecDeque<Up>,
    pub(super) down: VecDeque<Down>,
    /// Packets that the broker could not take yet.
    pub(super) pending: VecDeque<Up>,
    /// Answers that the client has not sent yet.
    pub(super) acks: VecDeque<Packet>,
    /// The broker serves it.
    pub(super) open: bool,
    pub(super) cut: bool,
    /// What its CONNECT said.
    pub(super) receive_maximum: u16,
    pub(super) sent: Sent,
    /// An event of this kind is on its way: up, down, pull, acks.
    pub(super) due: [bool; 4],
}

pub(super) struct Client {
    pub(super) persona: Persona,
    pub(super) conn: Option<ConnId>,
    /// CONNACK has come.
    pub(super) up: bool,
    pub(super) sending: Vec<Sending>,
    /// QoS 2 ids whose PUBREL has not come, and of which session. A client that never saw the CONNACK which told it that
    /// its session is new still holds those of the one before; no broker can know that, so they count for nothing.
    pub(super) received: BTreeMap<u16, Option<LifeId>>,
    next_pid: u16,
}

#[derive(Clone)]
pub(super) struct Sending {
    pub(super) pid: u16,
    told: Told,
    released: bool,
}

impl Conn {
    pub(super) fn new(client: usize) -> Self {
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
    pub(super) fn new(persona: Persona) -> Self {
        Self {
            persona,
            conn: None,
            up: false,
            sending: Vec::new(),
            received: BTreeMap::new(),
            next_pid: 0,
        }
    }

    pub(super) fn pid(&mut self) -> u16 {
        loop {
            self.next_pid = self.next_pid % 40 + 1;
            if self.sending.iter().all(|sending| sending.pid != self.next_pid) {
                return self.next_pid;
            }
        }
    }

    pub(super) fn connect(&self, clean: bool) -> Connect {
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
            login: Default::default(),
            will: None,
        }
    }

    /// A new message of this client.
    pub(super) fn publish(&mut self, told: Told) -> Up {
        let pid = if told.qos == Qos::AtMostOnce { 0 } else { self.pid() };
        if pid > 0 {
            self.sending.push(Sending { pid, told: told.clone(), released: false });
        }
        publish(&told, pid, false)
    }

    /// What is sent after CONNACK: everything unfinished, in order [MQTT-4.4.0-1]; as new messages, if the session is
    /// gone.
    pub(super) fn resend(&mut self, present: bool) -> Vec<Up> {
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
    pub(super) fn finished(&mut self, pid: u16) {
        self.sending.retain(|sending| sending.pid != pid);
    }

    pub(super) fn released(&mut self, pid: u16) {
        for sending in self.sending.iter_mut().filter(|sending| sending.pid == pid) {
            sending.released = true;
        }
    }
}

pub(super) fn publish(told: &Told, pid: u16, dup: bool) -> Up {
    let packet = Packet::Publish(packet(told, pid, dup));
    Up::Packet(packet, Some(told.clone()))
}

pub(super) fn packet(told: &Told, pid: u16, dup: bool) -> Publish {
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
pub(super) fn app_of(payload: &[u8]) -> Option<App> {
    payload.first_chunk().map(|bytes| App(u32::from_be_bytes(*bytes)))
}

/// A delay in milliseconds.
pub(super) fn delay(dice: &mut Dice, lag: u64) -> u64 {
    if dice.chance(lag) { dice.between(0, 1000) } else { dice.between(0, 5) }
}
