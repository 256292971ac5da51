//! A door for tests: what a simulator or a fuzzer may see of a core's books, and the few things that it may set.
//! Compiled with the feature `testing` only, which no product crate asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::session::Session;
use super::{Core, Timer, room};
use crate::message::{ConnId, Message, SessionKey};
use crate::moment::Moment;
use crate::protocol::Publish;
use crate::router::FilterId;

/// The inside of a core.
#[must_use]
pub fn inside(core: &Core) -> Inside<'_> {
    Inside(core)
}

/// Bounds what the router may have: filters and topics.
pub fn bound_router(core: &mut Core, filters: usize, topics: usize) {
    core.filters.most = (filters, topics);
}

/// Ends a session at once, as its expiry would.
pub fn end_session(core: &mut Core, now: Moment, key: SessionKey) {
    core.end_session(now, key);
}

/// A view of a core.
#[derive(Debug, Clone, Copy)]
pub struct Inside<'c>(&'c Core);

/// A view of a session.
#[derive(Debug, Clone, Copy)]
pub struct InsideSession<'c> {
    key: SessionKey,
    session: &'c Session,
}

/// What a session's queue counts.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// Messages that count against the bound.
    pub counted: usize,
    /// Handshakes under way.
    pub inflight: usize,
    /// What the zone counts for deliveries that somebody waits for, in bytes.
    pub held: usize,
    /// Whether all sums are those of what is there.
    pub right: bool,
}

/// What zones count.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Bytes taken in and not acknowledged.
    pub bytes: usize,
    /// Publishes taken in and not acknowledged.
    pub taken: usize,
    /// Bytes of what waits for a zone's session.
    pub waiting: usize,
}

/// A view of a connection.
#[derive(Debug, Clone, Copy)]
pub struct InsideLink {
    /// Which.
    pub conn: ConnId,
    /// Whether the core ends it.
    pub closing: bool,
    /// Answers that were not pulled.
    pub answers: usize,
}

impl<'c> Inside<'c> {
    /// Every session, in no order.
    pub fn sessions(self) -> impl Iterator<Item = InsideSession<'c>> {
        self.0.sessions.iter().map(|(&key, session)| InsideSession { key, session })
    }

    /// The session of a client id.
    #[must_use]
    pub fn session_of(self, client: &str) -> Option<InsideSession<'c>> {
        let key = *self.0.clients.get(client)?;
        self.0.sessions.get(&key).map(|session| InsideSession { key, session })
    }

    /// How many client ids have a session.
    #[must_use]
    pub fn clients(self) -> usize {
        self.0.clients.len()
    }

    /// How many sessions have a connection, as the core counts.
    #[must_use]
    pub fn connected(self) -> usize {
        self.0.connected
    }

    /// Every connection.
    pub fn links(self) -> impl Iterator<Item = InsideLink> {
        self.0.links.iter().map(|(&conn, link)| InsideLink {
            conn,
            closing: link.close.is_some(),
            answers: link.answers.len(),
        })
    }

    /// Connections that are not read, because their last packet found no room.
    #[must_use]
    pub fn paused(self) -> &'c BTreeSet<ConnId> {
        &self.0.paused
    }

    /// What zones count.
    #[must_use]
    pub fn held(self) -> Held {
        self.0.zones.books()
    }

    /// The number of the last stamp.
    #[must_use]
    pub fn stamps(self) -> u64 {
        self.0.zones.stamps()
    }

    /// Whether no gateway has come, and the core does without.
    #[must_use]
    pub fn does_without_gateways(self) -> bool {
        self.0.zones.does_without()
    }

    /// Whether a publish to this topic goes to a zone, and its acknowledgement is withheld.
    #[must_use]
    pub fn goes_to_zone(self, topic: &str) -> bool {
        self.0.hands(topic)
    }

    /// Whether the zone of a publish has no room for it.
    #[must_use]
    pub fn zone_is_full(self, publish: &Publish) -> bool {
        self.0.zone_full(publish)
    }

    /// Whether what all sessions are weighs what their sum says.
    #[must_use]
    pub fn sessions_are_weighed_right(self) -> bool {
        let right = |session: &Session| {
            let filters: usize = InsideSession { key: SessionKey(0), session }
                .filters()
                .map(room::subscription)
                .sum();
            session.filter_bytes == filters && session.weighed == session.bytes()
        };
        let weighed: usize = self.0.sessions.values().map(|session| session.weighed).sum();
        self.0.sessions.values().all(right) && weighed == self.0.room.sessions
    }

    /// Timers that are set.
    #[must_use]
    pub fn timers(self) -> usize {
        self.0.timers.len()
    }

    /// When a session ends or a will is due next.
    #[must_use]
    pub fn next_end(self) -> Option<Moment> {
        let mut timers = self.0.timers.iter();
        timers.find(|(_, timer)| *timer != Timer::Announce).map(|(at, _)| *at)
    }

    /// Wildcard filters that somebody is subscribed to.
    #[must_use]
    pub fn wildcard_filters(self) -> usize {
        self.0.filters.len()
    }

    /// Filters that the router has.
    pub fn routed_filters(self) -> impl Iterator<Item = (&'c str, FilterId)> {
        self.0.filters.routed()
    }

    /// Every retained message, in topic order.
    pub fn retained(self) -> impl Iterator<Item = &'c Arc<Message>> {
        self.0.retained.all()
    }

    /// Subscriptions without wildcards, as their topics know them.
    #[must_use]
    pub fn exact_subscribers(self) -> usize {
        self.0.exact.values().map(|audience| audience.sessions.len()).sum()
    }

    /// Whether every topic and filter has subscribers, and only such as there are; none if all is well.
    #[must_use]
    pub fn stray_audience(self) -> Option<String> {
        let core = self.0;
        let stray = core.exact.values().chain(core.watchers.values()).find(|audience| {
            audience.is_empty()
                || !audience.sessions.iter().all(|key| core.sessions.contains_key(key))
                || !audience.groups.iter().all(|group| core.groups.contains_key(group))
        });
        stray.map(|audience| format!("{audience:?}"))
    }

    /// Whether no session, client, connection, subscription or group is left.
    #[must_use]
    pub fn is_empty(self) -> bool {
        let core = self.0;
        core.sessions.is_empty()
            && core.clients.is_empty()
            && core.links.is_empty()
            && core.groups.is_empty()
            && core.group_ids.is_empty()
            && core.exact.is_empty()
            && core.watchers.is_empty()
            && core.paused.is_empty()
    }
}

impl<'c> InsideSession<'c> {
    /// Its key.
    #[must_use]
    pub fn key(self) -> SessionKey {
        self.key
    }

    /// Its client id.
    #[must_use]
    pub fn client(self) -> &'c Arc<str> {
        &self.session.client
    }

    /// Whether its client is connected.
    #[must_use]
    pub fn is_connected(self) -> bool {
        self.session.conn.is_some()
    }

    /// Whether it could not keep what it was promised and ends.
    #[must_use]
    pub fn is_doomed(self) -> bool {
        self.session.doomed
    }

    /// Whether it is a zone's session.
    #[must_use]
    pub fn is_of_zone(self) -> bool {
        self.session.zone.is_some()
    }

    /// What its queue counts.
    #[must_use]
    pub fn queue(self) -> Queue {
        self.session.outbox.books()
    }

    /// Every filter that it is subscribed to.
    pub fn filters(self) -> impl Iterator<Item = &'c str> {
        let Session { exact, wild, shared, .. } = self.session;
        let paths = exact.keys().chain(wild.iter().map(|(path, _)| path)).chain(shared.keys());
        paths.map(|path| &**path)
    }

    /// Subscriptions without wildcards.
    #[must_use]
    pub fn exact_filters(self) -> usize {
        self.session.exact.len()
    }

    /// Publishes of its client whose acknowledgement is withheld.
    #[must_use]
    pub fn withheld(self) -> usize {
        self.session.withheld()
    }

    /// Whether a publish of its client with this packet id is not finished.
    #[must_use]
    pub fn is_incoming(self, pid: u16) -> bool {
        self.session.incoming(pid).is_some()
    }
}
