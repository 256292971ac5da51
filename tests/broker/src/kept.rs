//! A store in memory, to see what a core tells it.

use std::collections::BTreeMap;

use broker_core::{Core, Keep, Moment, Waiting};

/// A store in memory that says whatever was kept in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    gateways: bool,
    retained: BTreeMap<String, (String, Option<Moment>)>,
    sessions: BTreeMap<String, String>,
    subscriptions: BTreeMap<(String, String), String>,
    waiting: BTreeMap<(String, u32), (String, Option<Moment>)>,
    received: BTreeMap<String, Vec<u16>>,
    wills: BTreeMap<String, String>,
}

impl Kept {
    /// What a store has that was told all this.
    pub fn told(&mut self, changes: impl IntoIterator<Item = Keep>) {
        for change in changes {
            match change {
                Keep::Gateways => self.gateways = true,
                Keep::Will(last) => {
                    let words = format!("{:?} {:?} {:?}", last.user, last.will, last.due);
                    self.wills.insert(last.client.to_string(), words);
                }
                Keep::WillOver(client) => drop(self.wills.remove(&*client)),
                Keep::Retained(message) => {
                    let words = format!("{:?} {:?}", message.payload, message.qos);
                    self.retained.insert(message.topic.to_string(), (words, message.expires));
                }
                Keep::Cleared(topic) => drop(self.retained.remove(&*topic)),
                Keep::Session(lasting) => {
                    let client = lasting.client.to_string();
                    self.sessions.insert(client, format!("{lasting:?}"));
                }
                Keep::SessionEnded(client) => {
                    self.sessions.remove(&*client);
                    self.subscriptions.retain(|(whose, _), _| **whose != *client);
                    self.waiting.retain(|(whose, _), _| **whose != *client);
                    self.received.remove(&*client);
                }
                Keep::Asleep(client, waiting, received) => {
                    self.waiting.retain(|(whose, _), _| **whose != *client);
                    for waiting in waiting {
                        self.wait(&client, &waiting);
                    }
                    self.receive(&client, received);
                }
                Keep::Awake(client) => self.receive(&client, Vec::new()),
                Keep::Received(client, id) => {
                    let all = self.received.entry(client.to_string()).or_default();
                    all.push(id);
                    all.sort();
                }
                Keep::Waiting(client, waiting) => self.wait(&client, &waiting),
                Keep::Delivered(client, number) => {
                    self.waiting.remove(&(client.to_string(), number));
                }
                Keep::Subscribed(client, filter, id) => {
                    let words = format!("{:?} {} {id:?}", filter.qos, filter.no_local);
                    self.subscriptions.insert((client.to_string(), filter.path), words);
                }
                Keep::Unsubscribed(client, path) => {
                    self.subscriptions.remove(&(client.to_string(), path.into()));
                }
            }
        }
    }

    fn wait(&mut self, client: &str, waiting: &Waiting) {
        let Waiting { number, message, qos, retain, stored, ids, sent } = waiting;
        let order = message.order;
        let words = format!("{order} {qos:?} {retain} {stored} {ids:?} {sent:?}");
        self.waiting.insert((client.to_owned(), *number), (words, message.expires));
    }

    fn receive(&mut self, client: &str, received: Vec<u16>) {
        self.received.remove(client);
        if !received.is_empty() {
            self.received.insert(client.to_owned(), received);
        }
    }

    /// What has expired need not be told: the store sees by itself when its time is over.
    #[must_use]
    pub fn without_expired(mut self, now: Moment) -> Self {
        self.retained.retain(|_, (_, expires)| expires.is_none_or(|at| at > now));
        self.waiting.retain(|_, (_, expires)| expires.is_none_or(|at| at > now));
        self
    }

    /// What a store would have that began anew now.
    #[must_use]
    pub fn anew(core: &Core) -> Self {
        let mut kept = Self::default();
        kept.told(core.everything());
        kept
    }
}
