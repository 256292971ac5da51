//! A broker's file: what outlives the broker, some milliseconds after it was told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use broker_core::protocol::Filter;
use broker_core::{
    Keep, LastWill, Lasting, Memory, Message, Moment, StoredMessage, StoredSession, StoredWaiting,
    StoredWill, Waiting,
};

/// What is told is in the file after so many microseconds at most; the present batch, and the one before it.
const BEHIND: u64 = 40_000;

/// The file, and what is on its way into it.
#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    rows: Rows,
    /// With the time at which it was told.
    desk: VecDeque<(u64, Keep)>,
}

#[derive(Clone, Debug, Default)]
struct Rows {
    gateways: bool,
    retained: BTreeMap<Box<str>, Row>,
    sessions: BTreeMap<Arc<str>, Session>,
    wills: BTreeMap<Arc<str>, (LastWill, Option<u64>)>,
}

/// A message, with the time at which it expires on the clock of the world.
#[derive(Clone, Debug)]
struct Row(Arc<Message>, Option<u64>);

#[derive(Clone, Debug)]
struct Session {
    lasting: Lasting,
    ends: Option<u64>,
    filters: Vec<(Filter, Option<u32>)>,
    waiting: BTreeMap<u32, (Waiting, Option<u64>)>,
    received: Vec<u16>,
}

impl File {
    /// Takes what the core wants kept. Its moments count from `born`.
    pub(crate) fn put(&mut self, now: u64, born: u64, keep: Vec<Keep>) {
        self.desk.extend(keep.into_iter().map(|keep| (now, keep)));
        self.write(now, BEHIND, born);
    }

    /// The broker dies: what was told within the last `lost` microseconds is gone.
    pub(crate) fn end(&mut self, now: u64, lost: u64, born: u64) {
        self.write(now, lost.min(BEHIND), born);
        self.desk.clear();
    }

    fn write(&mut self, now: u64, behind: u64, born: u64) {
        while let Some((_, keep)) = self.desk.pop_front_if(|(told, _)| *told + behind <= now) {
            self.rows.apply(keep, born);
        }
    }

    /// What the next life finds.
    pub(crate) fn load(&self, now: u64) -> Memory {
        self.rows.load(now)
    }
}

impl Rows {
    fn apply(&mut self, keep: Keep, born: u64) {
        let time = |at: Moment| born + at.0.as_micros() as u64;
        match keep {
            Keep::Retained(message) => {
                let expires = message.expires.map(time);
                self.retained.insert(message.topic.clone(), Row(message, expires));
            }
            Keep::Cleared(topic) => drop(self.retained.remove(&topic)),
            Keep::Session(lasting) => {
                let ends = lasting.ends_at.map(time);
                let session = self.sessions.entry(lasting.client.clone());
                let session = session.or_insert_with(|| Session {
                    lasting: lasting.clone(),
                    ends,
                    filters: Vec::new(),
                    waiting: BTreeMap::new(),
                    received: Vec::new(),
                });
                (session.lasting, session.ends) = (lasting, ends);
            }
            Keep::SessionEnded(client) => drop(self.sessions.remove(&client)),
            Keep::Subscribed(client, filter, id) => {
                let Some(session) = self.sessions.get_mut(&client) else { return };
                match session.filters.iter_mut().find(|(known, _)| known.path == filter.path) {
                    Some(known) => *known = (filter, id),
                    None => session.filters.push((filter, id)),
                }
            }
            Keep::Unsubscribed(client, path) => {
                if let Some(session) = self.sessions.get_mut(&client) {
                    session.filters.retain(|(filter, _)| *filter.path != *path);
                }
            }
            Keep::Asleep(client, waiting, received) => {
                let Some(session) = self.sessions.get_mut(&client) else { return };
                let waiting = waiting.into_iter().map(|one| {
                    let expires = one.message.expires.map(time);
                    (one.number, (one, expires))
                });
                (session.waiting, session.received) = (waiting.collect(), received);
            }
            Keep::Awake(client) => {
                if let Some(session) = self.sessions.get_mut(&client) {
                    session.received.clear();
                }
            }
            Keep::Received(client, id) => {
                if let Some(session) = self.sessions.get_mut(&client) {
                    session.received.push(id);
                }
            }
            Keep::Waiting(client, one) => {
                if let Some(session) = self.sessions.get_mut(&client) {
                    let expires = one.message.expires.map(time);
                    session.waiting.insert(one.number, (one, expires));
                }
            }
            Keep::Delivered(client, number) => {
                if let Some(session) = self.sessions.get_mut(&client) {
                    session.waiting.remove(&number);
                }
            }
            Keep::Will(last) => {
                let due = last.due.map(time);
                self.wills.insert(last.client.clone(), (*last, due));
            }
            Keep::WillOver(client) => drop(self.wills.remove(&client)),
            Keep::Gateways => self.gateways = true,
        }
    }

    fn load(&self, now: u64) -> Memory {
        let left = |until: &Option<u64>| {
            until.map(|until| Duration::from_micros(until.saturating_sub(now)))
        };
        let alive = |until: &Option<u64>| until.is_none_or(|until| until > now);
        let retained = self.retained.values().filter(|row| alive(&row.1));
        let retained = retained.map(|Row(message, until)| stored(message, 0, left(until)));
        let sessions = self.sessions.values().filter(|session| alive(&session.ends));
        let waiting = || sessions.clone().flat_map(|session| session.waiting.values());
        let messages: BTreeMap<u64, StoredMessage> = waiting()
            .filter(|(_, until)| alive(until))
            .map(|(one, until)| {
                let order = one.message.order;
                (order, stored(&one.message, order, left(until)))
            })
            .collect();
        Memory {
            gateways: self.gateways,
            retained: retained.collect(),
            messages: messages.into_values().collect(),
            sessions: sessions.clone().map(|session| session.load(left(&session.ends))).collect(),
            wills: self
                .wills
                .values()
                .map(|(last, due)| StoredWill {
                    client: (&*last.client).into(),
                    user: last.user.clone(),
                    will: last.will.clone(),
                    left: left(due),
                })
                .collect(),
        }
    }
}

impl Session {
    fn load(&self, left: Option<Duration>) -> StoredSession {
        let waiting = self.waiting.values().map(|(one, _)| StoredWaiting {
            number: one.number,
            order: one.message.order,
            qos: one.qos,
            retain: one.retain,
            stored: one.stored,
            ids: one.ids.clone(),
            sent: one.sent,
        });
        StoredSession {
            client: (&*self.lasting.client).into(),
            user: self.lasting.user.clone(),
            expiry: self.lasting.expiry,
            left,
            subscriptions: self.filters.clone(),
            waiting: waiting.collect(),
            received: self.received.clone(),
        }
    }
}

fn stored(message: &Message, order: u64, left: Option<Duration>) -> StoredMessage {
    StoredMessage {
        order,
        topic: message.topic.clone(),
        payload: message.payload.clone(),
        qos: message.qos,
        properties: message.properties.clone(),
        left,
        owner: message.owner.as_deref().map(Into::into),
    }
}
