//! Retained messages: the last one per topic that was published with RETAIN [MQTT-3.3.1-5].

mod planted;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use broker_settings::Limits;

use crate::access::Payer;
use crate::message::Message;
use crate::moment::Moment;
use crate::packet::{Publish, topic};
use crate::shares::{Amount, Shares, open_to};
use crate::site::is_own;

/// The store, in topic order.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    messages: BTreeMap<Box<str>, Entry>,
    /// What whose messages are, but for the broker's own, which are few and not counted.
    shares: Shares,
}

#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    payer: Payer,
}

/// The store is full, or its publisher's part of it; the message was routed but not kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Retained {
    /// Sets or replaces, or clears if the payload is empty [MQTT-3.3.1-6].
    /// Tells whether anything changed.
    pub(crate) fn keep(
        &mut self,
        message: &Arc<Message>,
        payer: Payer,
        limits: &Limits,
    ) -> Result<bool, Full> {
        if planted::clears(message.payload.is_empty()) {
            return Ok(self.remove(&message.topic));
        }
        let own = is_own(&message.topic);
        if !own && !self.has_room(&message.topic, &payer, message.weight(), limits) {
            return Err(Full);
        }
        self.put(message, payer);
        Ok(true)
    }

    /// Takes up a message of an earlier life. Its publisher may have more than its part by now; nothing is lost by
    /// that.
    pub(crate) fn restore(
        &mut self,
        message: &Arc<Message>,
        payer: Payer,
        limits: &Limits,
    ) -> Result<(), Full> {
        if !self.has_room(&message.topic, &Payer::House, message.weight(), limits) {
            return Err(Full);
        }
        self.put(message, payer);
        Ok(())
    }

    /// Whether there is room for a publish: in place of its topic's message, or as one more.
    pub(crate) fn admits(&self, publish: &Publish, payer: &Payer, limits: &Limits) -> bool {
        publish.payload.is_empty() || self.has_room(&publish.topic, payer, publish.weight(), limits)
    }

    fn has_room(&self, topic: &str, payer: &Payer, weight: usize, limits: &Limits) -> bool {
        let old = self.messages.get(topic).map(|old| (&old.payer, amount(&old.message)));
        let (count, bytes) = (limits.retained_messages, limits.retained_bytes);
        let (new, all) = (one(weight), self.shares.all());
        let less = old.map_or(0, |(_, old)| old.bytes);
        (old.is_some() || all.count < open_to(payer, count, limits))
            && (weight <= less || all.bytes - less + weight <= open_to(payer, bytes, limits))
            && self.shares.admits((payer, new), old, Amount { count, bytes, filters: 0 }, limits)
    }

    fn put(&mut self, message: &Arc<Message>, payer: Payer) {
        self.remove(&message.topic);
        self.shares.change(None, Some((&payer, amount(message))));
        let entry = Entry { message: message.clone(), payer };
        self.messages.insert(message.topic.clone(), entry);
    }

    fn remove(&mut self, topic: &str) -> bool {
        let Some(old) = self.messages.remove(topic) else { return false };
        self.shares.change(Some((&old.payer, amount(&old.message))), None);
        true
    }

    /// Messages, but for the broker's own.
    pub(crate) fn len(&self) -> usize {
        self.shares.all().count
    }

    /// Bytes of those.
    pub(crate) fn bytes(&self) -> usize {
        self.shares.all().bytes
    }

    /// Every message, in topic order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.messages.values().map(|entry| &entry.message)
    }

    /// Every message that a filter covers, in topic order. Expired ones are let go on the way.
    pub(crate) fn matching(&mut self, filter: &str, now: Moment) -> Vec<Arc<Message>> {
        let prefix = topic::literal_prefix(filter);
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let found: Vec<_> = self
            .messages
            .range::<str, _>(from)
            .take_while(|(topic, _)| topic.starts_with(prefix))
            .filter(|(topic, _)| topic::matches(filter, topic))
            .map(|(_, entry)| entry.message.clone())
            .collect();
        let (expired, live): (Vec<_>, Vec<_>) = found.into_iter().partition(|m| m.expired(now));
        for message in expired {
            self.remove(&message.topic);
        }
        live
    }
}

fn amount(message: &Message) -> Amount {
    if is_own(&message.topic) { Amount::default() } else { one(message.weight()) }
}

fn one(bytes: usize) -> Amount {
    Amount { count: 1, bytes, filters: 0 }
}
