//! What a store is told, and what the next life makes of it.

use std::collections::BTreeMap;

use super::*;

/// A store in memory that says whatever was kept in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::core) struct Ledger {
    gateways: bool,
    retained: BTreeMap<String, (String, Option<Moment>)>,
    sessions: BTreeMap<String, String>,
    subscriptions: BTreeMap<(String, String), String>,
}

impl Ledger {
    /// What a store has that was told all this.
    pub(in crate::core) fn told(&mut self, changes: impl IntoIterator<Item = Keep>) {
        for change in changes {
            match change {
                Keep::Gateways => self.gateways = true,
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

    /// What has expired need not be told: the store sees by itself when its time is over.
    pub(in crate::core) fn without_expired(mut self, now: Moment) -> Self {
        self.retained.retain(|_, (_, expires)| expires.is_none_or(|at| at > now));
        self
    }

    /// What a store would have that began anew now.
    pub(in crate::core) fn anew(core: &Core) -> Self {
        let mut ledger = Self::default();
        ledger.told(core.everything());
        ledger
    }
}

fn keeping() -> Bench {
    bench(|settings| settings.data_dir = Some("somewhere".into()))
}

/// The next life of a broker that kept everything, `seconds` later.
fn next_life(bench: &Bench, seconds: u64) -> Bench {
    let mut memory = Memory::default();
    let left = |at: Moment| at.0.saturating_sub(bench.now.0 + Duration::from_secs(seconds));
    for kept in bench.core.everything() {
        match kept {
            Keep::Gateways => memory.gateways = true,
            Keep::Retained(message) => memory.retained.push(StoredMessage {
                topic: message.topic.clone(),
                payload: message.payload.clone(),
                qos: message.qos,
                properties: message.properties.clone(),
                left: message.expires.map(left),
            }),
            Keep::Session(lasting) => memory.sessions.push(StoredSession {
                client: (*lasting.client).into(),
                expiry: lasting.expiry,
                left: lasting.ends_at.map(left),
                subscriptions: Vec::new(),
            }),
            Keep::Subscribed(client, filter, id) => {
                let session = memory.sessions.iter_mut().find(|s| *s.client == *client).unwrap();
                session.subscriptions.push((filter, id));
            }
            other => panic!("{other:?} is not part of everything"),
        }
    }
    let mut next = keeping();
    next.core.restore(next.now, memory);
    next
}

#[test]
fn the_next_life_serves_a_sleeping_session_as_if_nothing_had_happened() {
    let mut first = keeping();
    let (sleeper, _) = first.open(kept("sleeper", 100));
    for path in ["a/+", "b", "$share/g/c"] {
        first.subscribe(sleeper, path);
    }
    first.send(sleeper, Packet::Unsubscribe { pid: 2, filters: vec!["b".to_owned()] });
    first.core.closed(first.now, sleeper, Ended::Lost);
    let mut second = next_life(&first, 60);
    let (other, _) = second.open(connect("other"));
    for topic in ["a/1", "b", "c"] {
        second.send(other, Packet::Publish(publish(topic, "x", Qos::AtLeastOnce, 1)));
    }
    second.pull(other);
    let (sleeper, present) = second.open(kept("sleeper", 100));
    assert!(present);
    assert_eq!(second.pull(sleeper), ["c x q1 #1", "a/1 x q1 #2"]);
    second.core.closed(second.now, sleeper, Ended::Lost);
    second.later(101);
    assert!(!second.open(kept("sleeper", 100)).1, "it has had its time");
}

#[test]
fn the_time_of_a_session_goes_on_while_the_broker_is_dead() {
    let mut first = keeping();
    let (asleep, _) = first.open(kept("asleep", 100));
    first.open(kept("connected", 100));
    first.core.closed(first.now, asleep, Ended::Lost);
    let mut second = next_life(&first, 60);
    // Nobody knows how long the other one had been without a broker.
    second.later(41);
    let present = ["asleep", "connected"].map(|id| second.open(kept(id, 100)).1);
    assert_eq!(present, [false, true]);
}

#[test]
fn what_is_kept_of_a_gateway_is_only_that_there_is_one() {
    let mut first = keeping();
    let (gateway, _) = first.open(kept("hearth-home-zone-hall", 600));
    first.subscribe(gateway, "home/hall/+/report");
    let beat = publish("hearth/home/gateway/1/status", "alive", Qos::AtMostOnce, 0);
    first.send(gateway, Packet::Publish(Publish { retain: true, ..beat }));
    let mut ledger = Ledger::default();
    ledger.told(std::mem::take(&mut first.core.effects().keep));
    assert_eq!(ledger, Ledger { gateways: true, ..Ledger::default() });
    // Its next life waits for them, however long they take.
    let mut second = next_life(&first, 0);
    let (device, _) = second.open(connect("device"));
    second
        .send(device, Packet::Publish(publish("home/hall/door/report", "ON", Qos::AtLeastOnce, 1)));
    second.later(3600);
    assert_eq!(second.pull(device), [] as [&str; 0], "it is told nothing that may not be true");
}
