//! One client's session: what it is subscribed to, what it still has to get, what it sent [MQTT-4.1].

mod aliases;
mod ids;
mod incoming;
mod kept;
mod outbox;
mod planted;
mod subscriptions;

use std::sync::Arc;

pub(crate) use aliases::Aliases;
pub(crate) use incoming::{Arrival, Incoming, Print, Terms};
#[cfg(feature = "testing")]
pub use outbox::QueueBooks;
pub(crate) use outbox::{Acked, Next, Offer, Outbox, WAITING};
pub(crate) use subscriptions::{Ended, Sub, Subscriptions, Via, cost};

use crate::access::{Payer, Rights};
use crate::id::{ConnId, SessionKey};
use crate::message::Message;
use crate::moment::Moment;
use crate::packet::{Publish, Version, Will, response_topic};
use crate::shares::Amount;
use subscriptions::Pick;

/// What a session costs beside its texts, about: tables, timers, an empty queue.
const SESSION: usize = 1024;

/// One client's session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Arc<str>,
    /// What its user may do now.
    pub(crate) rights: Rights,
    /// On whose account it goes.
    pub(crate) payer: Payer,
    /// The zone whose messages this session takes, if its client id says so.
    pub(crate) zone: Option<Box<str>>,
    pub(crate) conn: Option<ConnId>,
    /// The epoch of the gateway that is connected.
    pub(crate) epoch: u64,
    pub(crate) version: Version,
    /// Seconds the session outlives its connection; `u32::MAX` is for ever.
    pub(crate) expiry: u32,
    pub(crate) ends_at: Option<Moment>,
    /// When its last connection ended; of a session of an earlier life, when this one began.
    pub(crate) away_since: Option<Moment>,
    /// Whether it outlives the broker.
    pub(crate) kept: bool,
    pub(crate) will: LastWords,
    pub(crate) outbox: Outbox,
    /// Handshakes the client allows at a time.
    pub(crate) window: usize,
    /// Largest packet that the client takes, in bytes.
    pub(crate) largest: usize,
    /// Of the connection that there is now.
    pub(crate) aliases: Option<Box<Aliases>>,
    pub(crate) incoming: Incoming,
    pub(crate) subscriptions: Subscriptions,
    /// Whether a publish that was refused has been logged.
    pub(crate) refusal_logged: bool,
    /// It could not keep what it was promised, takes nothing more and ends with the next tick.
    pub(crate) doomed: bool,
    /// Whatever comes out of the router from up to here, the session has had already.
    pub(crate) settled: u64,
    /// What it was when it was last weighed.
    pub(crate) weighed: Amount,
    /// What waited for it when that was last weighed, in bytes.
    pub(crate) waits: usize,
}

/// A session's last will, and what is to become of it.
#[derive(Debug, Default)]
pub(crate) struct LastWords {
    pub(crate) will: Option<Will>,
    /// When it is published, if its client does not come back.
    pub(crate) due: Option<Moment>,
    /// Whether the store has it.
    pub(crate) kept: bool,
    /// The broker ended while its client was there, which may come back: then it was never gone.
    pub(crate) left_with_broker: bool,
}

impl Session {
    pub(crate) fn new(
        client: Arc<str>,
        (rights, payer): (Rights, Payer),
        zone: Option<Box<str>>,
        version: Version,
    ) -> Self {
        Self {
            client,
            rights,
            payer,
            zone,
            conn: None,
            epoch: 0,
            version,
            expiry: 0,
            ends_at: None,
            away_since: None,
            kept: false,
            will: LastWords::default(),
            outbox: Outbox::default(),
            window: 0,
            largest: 0,
            aliases: None,
            incoming: Incoming::default(),
            subscriptions: Subscriptions::default(),
            refusal_logged: false,
            doomed: false,
            settled: 0,
            weighed: Amount::default(),
            waits: 0,
        }
    }

    /// What a new session costs, in bytes.
    pub(crate) fn cost(client: &str) -> usize {
        SESSION + 2 * client.len()
    }

    /// What it is, without what waits for it.
    pub(crate) fn amount(&self) -> Amount {
        let will = self.will.will.as_ref().map_or(0, |will| will.publish.weight());
        let handshakes = self.incoming.weight();
        let bytes = Self::cost(&self.client) + will + self.subscriptions.bytes() + handshakes;
        Amount { count: 1, bytes, filters: self.subscriptions.costly() }
    }

    /// What its subscriptions say about a message; `me` is its own key.
    pub(crate) fn pick(&self, message: &Message, me: SessionKey, via: Via) -> Option<Pick> {
        self.subscriptions.pick(message, me, &self.rights, via)
    }

    /// Whether its client may publish this. A refusal is logged once per connection, so that none fills the log.
    pub(crate) fn permits(&mut self, publish: &Publish) -> bool {
        if permitted(&mut self.rights, publish) {
            return true;
        }
        if !std::mem::replace(&mut self.refusal_logged, true) {
            tracing::info!(client = %self.client, topic = %publish.topic, "may not publish this; further refusals are not logged");
        }
        false
    }

    /// Whether its client may have this will now.
    pub(crate) fn permits_will(&mut self, will: &Publish) -> bool {
        let permitted = permitted(&mut self.rights, will);
        if permitted {
            tracing::info!(client = %self.client, topic = %will.topic, "publishes the last will");
        } else {
            tracing::info!(client = %self.client, topic = %will.topic, "may no longer have its last will");
        }
        permitted
    }
}

/// Whether a publish is within somebody's rights: its topic, and where it asks an answer to be sent. Whoever answers
/// has rights of its own, and must not be made to publish where the one who asks may not.
pub(crate) fn permitted(rights: &mut Rights, publish: &Publish) -> bool {
    rights.may_publish(&publish.topic)
        && (publish.properties.forwarded.is_empty()
            || rights.are_all()
            || response_topic(&publish.properties.forwarded)
                .is_none_or(|topic| rights.may_publish(topic)))
}
