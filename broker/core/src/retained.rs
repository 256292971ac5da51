//! Retained messages: the last one per topic that was published with RETAIN [MQTT-3.3.1-5].

mod planted;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use broker_settings::Limits;

use crate::message::Message;
use crate::moment::Moment;
use crate::packet::{Publish, topic};
use crate::site::is_own;

/// The store, in topic order.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    messages: BTreeMap<Box<str>, Arc<Message>>,
    bytes: usize,
    /// Messages of the broker's own, which are few and not counted.
    own: usize,
}

/// The store is full; the message was routed but not kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Retained {
    /// Sets or replaces, or clears if the payload is empty [MQTT-3.3.1-6].
    /// Tells whether anything changed.
    pub(crate) fn keep(&mut self, message: &Arc<Message>, limits: &Limits) -> Result<bool, Full> {
        let own = is_own(&message.topic);
        let weight = |message: &Message| if own { 0 } else { message.weight() };
        let old = self.messages.get(&message.topic).map(|old| weight(old));
        if planted::clears(message.payload.is_empty()) {
            self.messages.remove(&message.topic);
            self.bytes -= old.unwrap_or(0);
            self.own -= usize::from(own && old.is_some());
            return Ok(old.is_some());
        }
        let bytes = self.bytes - old.unwrap_or(0) + weight(message);
        let one_more = old.is_none() && self.len() >= limits.retained_messages;
        if !own && (one_more || bytes > limits.retained_bytes) {
            return Err(Full);
        }
        self.bytes = bytes;
        self.own += usize::from(own && old.is_none());
        self.messages.insert(message.topic.clone(), message.clone());
        Ok(true)
    }

    /// Whether there is room for a publish: in place of its topic's message, or as one more.
    pub(crate) fn admits(&self, publish: &Publish, limits: &Limits) -> bool {
        let old = self.messages.get(&publish.topic).map(|old| old.weight());
        publish.payload.is_empty()
            || ((old.is_some() || self.len() < limits.retained_messages)
                && self.bytes - old.unwrap_or(0) + publish.weight() <= limits.retained_bytes)
    }

    /// Messages, but for the broker's own.
    pub(crate) fn len(&self) -> usize {
        self.messages.len() - self.own
    }

    /// Bytes of those.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Every message, in topic order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Message>> {
        self.messages.values()
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
            .map(|(_, message)| message.clone())
            .collect();
        let (expired, live): (Vec<_>, Vec<_>) = found.into_iter().partition(|m| m.expired(now));
        for message in expired {
            self.messages.remove(&message.topic);
            self.bytes -= message.weight();
        }
        live
    }
}
