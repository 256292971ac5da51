//! What outlives the broker: retained messages, sessions with their subscriptions, wills, and whether this site has
//! gateways.
//!
//! Every change of it is a [`Keep`]; a store that applies them in order has what [`Core::restore`] takes at the next
//! start. What a broker without a store would lose at its end is not told to anyone who has none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::retained::Full;
use super::session::{Incoming, Sub};
use super::{Core, LastWill, StoredWill, Timer};
use crate::access::{Guest, Reading, Rights};
use crate::message::{Message, SessionKey};
use crate::moment::Moment;
use crate::protocol::{Filter, Qos, RetainHandling, Version};

/// A change of what outlives the broker.
#[derive(Debug, Clone)]
pub enum Keep {
    /// The topic's retained message is this one now.
    Retained(Arc<Message>),
    /// The topic has no retained message any more.
    Cleared(Box<str>),
    /// There is a session, with this time to live.
    Session(Lasting),
    /// The client has no session any more, and so no subscriptions.
    SessionEnded(Arc<str>),
    /// The client's session has a subscription, new or changed, with this identifier.
    Subscribed(Arc<str>, Filter, Option<u32>),
    /// The client's session has no such subscription any more.
    Unsubscribed(Arc<str>, Box<str>),
    /// The client sleeps: these wait for it, and nothing else; these QoS 2 ids of its own are not released yet.
    Asleep(Arc<str>, Vec<Waiting>, Vec<u16>),
    /// The client is back; what it has sent since then is not kept.
    Awake(Arc<str>),
    /// The sleeping client's own QoS 2 publish with this id has been taken in now.
    Received(Arc<str>, u16),
    /// This waits for the client, new or as it is now.
    Waiting(Arc<str>, Waiting),
    /// The client has what waited for it under this number.
    Delivered(Arc<str>, u32),
    /// The client has this will, new or as it is now.
    Will(Box<LastWill>),
    /// The client has no will any more.
    WillOver(Arc<str>),
    /// A gateway of this site has been here.
    Gateways,
}

/// How long a session lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lasting {
    /// Client id.
    pub client: Arc<str>,
    /// Whose it is; none where there are no users.
    pub user: Option<Box<str>>,
    /// Seconds it outlives its connection; `u32::MAX` is for ever.
    pub expiry: u32,
    /// When it ends, if it sleeps and does not last for ever.
    pub ends_at: Option<Moment>,
}

/// What was kept of the broker's earlier lives.
#[derive(Debug, Default)]
pub struct Memory {
    /// Whether a gateway of this site has ever been here.
    pub gateways: bool,
    /// Retained messages.
    pub retained: Vec<StoredMessage>,
    /// Messages that wait for sessions.
    pub messages: Vec<StoredMessage>,
    /// Sessions, all asleep.
    pub sessions: Vec<StoredSession>,
    /// Last wills.
    pub wills: Vec<StoredWill>,
}

/// A message that was kept.
#[derive(Debug)]
pub struct StoredMessage {
    /// Its place in the order of an earlier life's messages; 0 if that is not known.
    pub order: u64,
    /// Topic name.
    pub topic: Box<str>,
    /// Payload.
    pub payload: Bytes,
    /// As published.
    pub qos: Qos,
    /// Encoded properties that travel on.
    pub properties: Box<[u8]>,
    /// What is left of its time, if that is limited.
    pub left: Option<Duration>,
}

/// A session that was kept; it sleeps.
#[derive(Debug)]
pub struct StoredSession {
    /// Client id.
    pub client: Box<str>,
    /// Whose it is; none where there were no users.
    pub user: Option<Box<str>>,
    /// Seconds it outlives its connection; `u32::MAX` is for ever.
    pub expiry: u32,
    /// What is left of its time; `None` if it was connected to the end, or lasts for ever.
    pub left: Option<Duration>,
    /// With the identifiers, the oldest first.
    pub subscriptions: Vec<(Filter, Option<u32>)>,
    /// What waits for it, in order; messages stand in [`Memory::messages`].
    pub waiting: Vec<StoredWaiting>,
    /// QoS 2 ids of the client that it has not released.
    pub received: Vec<u16>,
}

/// A message that waits for a session, by the message's order.
#[derive(Debug)]
pub struct StoredWaiting {
    /// Its number within the session.
    pub number: u32,
    /// The message's order.
    pub order: u64,
    /// The delivery's own QoS.
    pub qos: Qos,
    /// Whether it is sent with RETAIN.
    pub retain: bool,
    /// Whether it comes from the store of retained messages.
    pub stored: bool,
    /// Subscription identifiers.
    pub ids: Box<[u32]>,
    /// How far its handshake had come; none if it was not sent.
    pub sent: Option<Sent>,
}

/// A QoS 1 or 2 message that waits for a session which may outlive the broker.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Its number within the session, from 1.
    pub number: u32,
    /// The message itself.
    pub message: Arc<Message>,
    /// The delivery's own QoS.
    pub qos: Qos,
    /// Whether it is sent with RETAIN.
    pub retain: bool,
    /// Whether it comes from the store of retained messages.
    pub stored: bool,
    /// Subscription identifiers.
    pub ids: Box<[u32]>,
    /// How far its handshake has come; none if it was not sent.
    pub sent: Option<Sent>,
}

/// How far the handshake of a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its packet id.
    pub pid: u16,
    /// The client has it: what is missing is the PUBCOMP.
    pub released: bool,
}

/// What is kept, and what is not worth it.
#[derive(Debug)]
pub(super) struct Keeping {
    on: bool,
    /// `hearth/<site>/gateway/`: a gateway says ten times a second that it lives, and what an earlier life of the
    /// broker heard of that means nothing.
    heartbeats: String,
}

impl Keeping {
    pub(super) fn new(on: bool, site: &str) -> Self {
        Self { on, heartbeats: hearth_names::gateways(site) }
    }

    pub(super) fn wants(&self, topic: &str) -> bool {
        self.on && !topic.starts_with("$SYS/") && !topic.starts_with(&self.heartbeats)
    }
}

impl Core {
    /// Takes up what an earlier life left; `find` tells what a user may do now. Call it once, before the first
    /// connection.
    pub fn restore(
        &mut self,
        now: Moment,
        memory: Memory,
        find: impl Fn(Option<&str>) -> Option<Guest>,
    ) {
        if memory.gateways {
            self.zones.gateways_are_known();
        }
        // What is new is newer than all that was kept.
        self.order = memory.messages.iter().map(|message| message.order).max().unwrap_or(0);
        let messages = memory.messages.into_iter();
        let messages =
            messages.map(|stored| (stored.order, Arc::new(self.revive(now, stored, false))));
        let messages: HashMap<u64, Arc<Message>> = messages.collect();
        let mut left_out = 0;
        for stored in memory.retained {
            let message = Arc::new(self.revive(now, stored, true));
            left_out += usize::from(self.retained.keep(&message, &self.settings.limits).is_err());
        }
        if left_out > 0 {
            tracing::warn!(
                left_out,
                "retained messages of before are more than the limits allow now"
            );
        }
        let mut over = Vec::new();
        for session in memory.sessions {
            let client: Arc<str> = session.client.as_ref().into();
            match rights(&session, &client, &find) {
                Some(rights) => self.wake_up(now, session, rights, &messages),
                None => over.push(Keep::SessionEnded(client)),
            }
        }
        over.extend(self.restore_wills(now, memory.wills, find));
        self.effects.keep = over;
    }

    fn revive(&mut self, now: Moment, stored: StoredMessage, retain: bool) -> Message {
        let stamp = self.zones.zone_of(&stored.topic).is_some().then(|| self.zones.stamp());
        let message = Message {
            topic: stored.topic,
            payload: stored.payload,
            qos: stored.qos,
            retain,
            properties: stored.properties,
            expires: stored.left.map(|left| now.after(left)),
            publisher: None,
            order: if stored.order > 0 { stored.order } else { self.next_order() },
            stamp,
            handed: false,
            weighed: Default::default(),
        };
        message.weighed(&self.room.scales)
    }

    fn wake_up(
        &mut self,
        now: Moment,
        stored: StoredSession,
        rights: Rights,
        messages: &HashMap<u64, Arc<Message>>,
    ) {
        if self.sessions.len() >= self.settings.limits.sessions {
            return tracing::warn!(client = %stored.client, "a session of before is one too many for the limits now");
        }
        let client: Arc<str> = stored.client.into();
        let key = self.new_session(&client, Version::V5, rights);
        let seconds = stored.expiry;
        // One that was connected to the end has its whole time before it: nobody knows when the broker died.
        let left = stored.left.unwrap_or(Duration::from_secs(seconds.into()));
        let ends_at = (seconds < u32::MAX).then(|| now.after(left));
        if let Some(session) = self.sessions.get_mut(&key) {
            session.expiry = seconds;
            session.ends_at = ends_at;
            session.kept = true;
            for pid in stored.received {
                session.set_incoming(pid, Some(Incoming::Received(None)));
            }
            let waiting = stored.waiting.into_iter();
            let waiting = waiting.filter_map(|waiting| waiting.with(messages)).collect();
            session.outbox.restore(waiting, self.settings.incarnation);
        }
        self.weigh_session(key);
        self.timers.extend(ends_at.map(|at| (at, Timer::SessionEnds(key))));
        for (filter, id) in stored.subscriptions {
            if let Err(reason) = self.subscribe_one(key, &filter, id) {
                tracing::warn!(%client, filter = %filter.path, %reason, "a subscription of before is refused now");
            }
        }
    }

    /// All that is kept, for a store that begins anew.
    pub fn everything(&self) -> Vec<Keep> {
        let gateways = self.zones.has_gateways().then_some(Keep::Gateways);
        let retained = self.retained.all().filter(|message| self.keeping.wants(&message.topic));
        let mut all: Vec<Keep> = gateways.into_iter().collect();
        all.extend(retained.cloned().map(Keep::Retained));
        for (&key, session) in self.sessions.iter().filter(|(_, session)| session.kept) {
            all.push(Keep::Session(session.lasting()));
            all.extend(self.subscriptions_of(key));
            all.push(session.asleep(session.outbox.kept()));
        }
        all.extend(self.sessions.values().filter_map(|session| session.last_will()));
        all
    }

    /// Every subscription of a session, the oldest first.
    fn subscriptions_of(&self, key: SessionKey) -> Vec<Keep> {
        let Some(session) = self.sessions.get(&key) else { return Vec::new() };
        let wild = session.wild.iter().map(|(path, sub)| (path, sub));
        let shared = session.shared.iter();
        let shared = shared.filter_map(|(path, id)| Some((path, self.membership(*id, key)?)));
        let mut all: Vec<_> = session.exact.iter().chain(wild).chain(shared).collect();
        all.sort_by_key(|(_, sub)| sub.since);
        all.into_iter().map(|(path, sub)| subscribed(&session.client, path, sub)).collect()
    }

    /// Keeps a retained message, or clears the topic's; tells the store.
    pub(super) fn retain(&mut self, message: &Arc<Message>) {
        match self.retained.keep(message, &self.settings.limits) {
            Err(Full) => {
                tracing::warn!(topic = %message.topic, "the store of retained messages is full; delivered but not kept");
            }
            Ok(changed) if changed && self.keeping.wants(&message.topic) => {
                self.effects.keep.push(if message.payload.is_empty() {
                    Keep::Cleared(message.topic.clone())
                } else {
                    Keep::Retained(message.clone())
                });
            }
            Ok(_) => {}
        }
    }

    /// A gateway has come; from now on this is known for good.
    pub(super) fn keep_gateways(&mut self) {
        if self.keeping.on {
            self.effects.keep.push(Keep::Gateways);
        }
    }

    /// A session has begun, or how long it lasts has changed.
    ///
    /// A zone's session is not kept. All that is in it is unacknowledged, so its publishers have it too; and a zone
    /// without a session is announced, which finds an owner also if the gateways began anew meanwhile.
    pub(super) fn keep_session(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key).filter(|_| self.keeping.on) else { return };
        let was = session.kept;
        session.kept = session.expiry > 0 && session.zone.is_none();
        if session.kept {
            self.effects.keep.push(Keep::Session(session.lasting()));
            if !was {
                let subscriptions = self.subscriptions_of(key);
                self.effects.keep.extend(subscriptions);
            }
        } else if was {
            self.effects.keep.push(Keep::SessionEnded(session.client.clone()));
        }
    }

    /// The client is gone and its session stays: all that waits in it is kept from now on.
    pub(super) fn keep_asleep(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key).filter(|session| session.kept) else {
            return;
        };
        let waiting = session.outbox.number_all();
        self.effects.keep.push(session.asleep(waiting));
    }

    /// The client is back. What waited for it is kept until it has it, what comes now is not.
    pub(super) fn keep_awake(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get(&key).filter(|session| session.kept) else { return };
        self.effects.keep.push(Keep::Awake(session.client.clone()));
    }

    /// A sleeping session has been given a message.
    pub(super) fn keep_waiting(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key).filter(|session| session.kept) else {
            return;
        };
        if let Some(waiting) = session.outbox.number_last() {
            self.effects.keep.push(Keep::Waiting(session.client.clone(), waiting));
        }
    }

    /// A QoS 2 publish has been taken in. One of a client that is connected it can ask for.
    pub(super) fn keep_received(&mut self, key: SessionKey, pid: u16) {
        let Some(session) = self.sessions.get(&key) else { return };
        if session.kept && session.conn.is_none() {
            self.effects.keep.push(Keep::Received(session.client.clone(), pid));
        }
    }

    /// A client may have taken something of what was kept for it.
    pub(super) fn keep_progress(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let Some((done, changed)) = session.outbox.progress() else { return };
        if !session.kept {
            return;
        }
        let client = &session.client;
        let changed = changed.into_iter().map(|waiting| Keep::Waiting(client.clone(), waiting));
        self.effects.keep.extend(changed);
        let done = done.into_iter().map(|number| Keep::Delivered(client.clone(), number));
        self.effects.keep.extend(done);
    }

    pub(super) fn keep_subscription(&mut self, key: SessionKey, filter: &Filter, id: Option<u32>) {
        let Some(session) = self.sessions.get(&key).filter(|session| session.kept) else { return };
        self.effects.keep.push(Keep::Subscribed(session.client.clone(), filter.clone(), id));
    }

    pub(super) fn forget_subscription(&mut self, key: SessionKey, path: &str) {
        let Some(session) = self.sessions.get(&key).filter(|session| session.kept) else { return };
        self.effects.keep.push(Keep::Unsubscribed(session.client.clone(), path.into()));
    }
}

impl super::session::Session {
    fn lasting(&self) -> Lasting {
        Lasting {
            client: self.client.clone(),
            user: self.rights.user().map(Into::into),
            expiry: self.expiry,
            ends_at: self.ends_at,
        }
    }

    fn asleep(&self, waiting: Vec<Waiting>) -> Keep {
        let received = self.received().filter(|_| self.conn.is_none());
        Keep::Asleep(self.client.clone(), waiting, received.collect())
    }
}

impl StoredWaiting {
    fn with(self, messages: &HashMap<u64, Arc<Message>>) -> Option<Waiting> {
        let Self { number, order, qos, retain, stored, ids, sent } = self;
        let message = messages.get(&order)?.clone();
        Some(Waiting { number, message, qos, retain, stored, ids, sent })
    }
}

/// What the user of a session may do now; none if the session is none of his any more, which is so as well when he may
/// no longer have one of its subscriptions.
fn rights(
    session: &StoredSession,
    client: &Arc<str>,
    find: impl Fn(Option<&str>) -> Option<Guest>,
) -> Option<Rights> {
    let rights = Rights::new(find(session.user.as_deref())?, client.clone()).ok()?;
    let mut filters = session.subscriptions.iter().map(|(filter, _)| &filter.path);
    filters.all(|path| rights.may_subscribe(path) != Reading::Nothing).then_some(rights)
}

fn subscribed(client: &Arc<str>, path: &str, sub: &Sub) -> Keep {
    let filter = Filter {
        path: path.to_owned(),
        qos: sub.qos,
        no_local: sub.no_local,
        retain_as_published: sub.retain_as_published,
        retain_handling: RetainHandling::Never,
    };
    Keep::Subscribed(client.clone(), filter, sub.id)
}
