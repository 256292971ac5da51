//! Requests with answers: MQTT 5's Response Topic and Correlation Data, and patience.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::keep::random;
use crate::{Address, Closed, Delivery, Event, Events, Link, Options, Publish, Qos};

/// Asks and is answered. Clones share one connection; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct Requester {
    link: Link,
    reply_topic: Arc<str>,
    waiting: Waiting,
}

/// Finds the name of the request in the payload of its answer: an answer from a session that speaks 3.1.1 has no
/// Correlation Data.
pub type NameOf = fn(&[u8]) -> Option<String>;

/// How long to wait for an answer, and when to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The same request is sent again after each such time without an answer.
    pub every: Duration,
    /// After this the request has failed.
    pub within: Duration,
}

impl Default for Retry {
    /// Every second, for ten seconds: longer than a failover takes.
    fn default() -> Self {
        Self { every: Duration::from_secs(1), within: Duration::from_secs(10) }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The broker cannot be reached, or will not have us.
    Unreachable {
        /// The broker.
        address: String,
        /// What happened.
        reason: String,
    },
    /// Nobody answered in time.
    NoAnswer {
        /// Where the request was published.
        topic: String,
        /// How long an answer was awaited.
        within: Duration,
    },
    /// The requester's own connection was ended for good.
    Closed,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { reason, address } => {
                let address = if reason.contains(address.as_str()) {
                    String::new()
                } else {
                    format!(" (broker {address})")
                };
                write!(f, "{reason}{address}: is a broker running there? start one with hearth up")
            }
            Self::NoAnswer { topic, within } => write!(
                f,
                "no answer on {topic} within {} s: is a gateway running? try hearth status",
                within.as_secs_f32()
            ),
            Self::Closed => Closed.fmt(f),
        }
    }
}

impl std::error::Error for RequestError {}

impl From<Closed> for RequestError {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}

impl Requester {
    /// Connects and subscribes to a reply topic of its own, `hearth/reply/<client id>`, so that no
    /// answer can be missed. Later outages are bridged by connecting and asking again.
    ///
    /// `name_prefix` begins the client id, for people who look at the broker's log.
    ///
    /// # Errors
    /// When the broker cannot be reached, or refuses the connection or the reply topic.
    pub async fn connect(address: Address, name_prefix: &str) -> Result<Self, RequestError> {
        Self::connect_naming(address, name_prefix, |_| None).await
    }

    /// The same, where answers may come without Correlation Data: those to [`Self::request_by_name`] are found by
    /// what they carry.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_naming(
        address: Address,
        name_prefix: &str,
        name_of: NameOf,
    ) -> Result<Self, RequestError> {
        let unique = format!("{:016x}", random());
        let client_id = format!("{name_prefix}-{unique}");
        // Called by the client id, so that a broker can see that nobody else listens or answers there.
        let reply_topic = format!("hearth/reply/{client_id}");
        let mut options = Options::new(address, client_id);
        // Answers are at most as many as questions, and those are the caller's.
        options.receive_maximum = 1024;
        let shown = options.address.to_string();
        let filters = vec![(reply_topic.clone(), Qos::AtLeastOnce)];
        let (link, mut events) = Link::keep(options, filters);
        let unreachable = |reason| RequestError::Unreachable { address: shown.clone(), reason };
        loop {
            match events.next().await {
                Some(Event::Subscribed(granted)) => {
                    if let Some(Err(why)) = granted.into_iter().map(|one| one.outcome).next() {
                        return Err(unreachable(format!("cannot listen for answers: {why}")));
                    }
                    break;
                }
                Some(Event::Down(reason)) => return Err(unreachable(reason.text)),
                Some(Event::Up { .. } | Event::Message(_)) => {}
                None => return Err(RequestError::Closed),
            }
        }
        let waiting = Waiting::default();
        tokio::spawn(hand_out(events, waiting.clone(), name_of));
        Ok(Self { link, reply_topic: reply_topic.into(), waiting })
    }

    /// Publishes `payload` on `topic` until it is answered.
    ///
    /// The request may arrive several times; give it an `id` if it must not be carried out twice.
    /// Dropping the future gives the request up.
    ///
    /// # Errors
    /// When there is no answer within `retry.within`.
    pub async fn request(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        retry: Retry,
    ) -> Result<Delivery, RequestError> {
        self.request_by_name(&format!("{:016x}", random()), topic, payload, retry).await
    }

    /// The same under a name that no other request under way has; whoever answers may repeat it in the payload.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn request_by_name(
        &self,
        name: &str,
        topic: &str,
        payload: impl Into<Bytes>,
        retry: Retry,
    ) -> Result<Delivery, RequestError> {
        let (ticket, mut answer) = self.waiting.enter(Bytes::copy_from_slice(name.as_bytes()));
        let message = Publish::new(topic, payload)
            .response_topic(&*self.reply_topic)
            .correlation(ticket.key.clone());
        let end = Instant::now() + retry.within;
        let failed = || RequestError::NoAnswer { topic: topic.to_owned(), within: retry.within };
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(failed());
            }
            // A full queue must not make the caller wait longer than it wanted to.
            let send = timeout(left, self.link.publish(message.clone())).await;
            send.map_err(|_| failed())??;
            let pause = retry.every.min(end.saturating_duration_since(Instant::now()));
            match timeout(pause, &mut answer).await {
                Ok(Ok(delivery)) => return Ok(delivery),
                Ok(Err(_)) => return Err(RequestError::Closed),
                Err(_) => {}
            }
        }
    }

    /// The topic that answers come to: no other requester has the same.
    #[must_use]
    pub fn reply_topic(&self) -> &str {
        &self.reply_topic
    }

    /// Says DISCONNECT and ends the connection, for all clones.
    pub async fn close(self) {
        self.link.close().await;
    }
}

/// Gives each answer to the request that it belongs to. Ends with the connection.
async fn hand_out(mut events: Events, waiting: Waiting, name_of: NameOf) {
    while let Some(event) = events.next().await {
        match event {
            Event::Message(delivery) => {
                let named = || name_of(&delivery.payload).map(Bytes::from);
                let key = delivery.correlation.clone().or_else(named);
                let request = key.and_then(|key| waiting.leave(&key));
                match request {
                    // The request may have been given up in the meantime.
                    Some(request) => drop(request.send(delivery)),
                    // A request that was sent twice is answered twice.
                    None => tracing::debug!(topic = delivery.topic, "an answer nobody waits for"),
                }
            }
            Event::Down(reason) => tracing::warn!(%reason, "requests wait for the broker"),
            Event::Up { .. } | Event::Subscribed(_) => {}
        }
    }
    waiting.table().clear();
}

/// The requests under way, by their Correlation Data.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<HashMap<Bytes, oneshot::Sender<Delivery>>>>);

/// One request's place in the table, given back when it is dropped.
struct Ticket {
    key: Bytes,
    waiting: Waiting,
}

impl Waiting {
    fn enter(&self, key: Bytes) -> (Ticket, oneshot::Receiver<Delivery>) {
        let (sender, receiver) = oneshot::channel();
        self.table().insert(key.clone(), sender);
        (Ticket { key, waiting: self.clone() }, receiver)
    }

    fn leave(&self, key: &Bytes) -> Option<oneshot::Sender<Delivery>> {
        self.table().remove(key)
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Bytes, oneshot::Sender<Delivery>>> {
        // Nobody panics while holding it; if someone did, the table would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.waiting.leave(&self.key);
    }
}
