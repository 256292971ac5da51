//! A door for tests: what a simulator or a fuzzer may see of a core's books, and the few things that it may set.
//! Compiled with the feature `testing` only, which no product crate asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Core;
use crate::access::Payer;
use crate::id::{ConnId, SessionKey, Stamp};
use crate::lifecycle;
use crate::message::Message;
use crate::moment::Moment;
use crate::out::Timer;
use crate::packet::{Publish, Version};
use crate::rooms::Rooms;
use crate::router::FilterId;
use crate::session::Session;
use crate::zones::OVERHEAD;

pub use crate::session::QueueBooks;
pub use crate::zones::HeldBooks;

/// The inside of a core.
#[must_use]
pub fn inside(core: &Core) -> Inside<'_> {
    Inside(&core.rooms)
}

/// Bounds what the router may have: filters and topics.
pub fn bound_router(core: &mut Core, filters: usize, topics: usize) {
    core.rooms.fanout.bound_router(filters, topics);
}

/// Ends a session at once, as its expiry would.
pub fn end_session(core: &mut Core, now: Moment, key: SessionKey) {
    lifecycle::end_session(&mut core.rooms, now, key);
}

/// A view of a core.
#[derive(Debug, Clone, Copy)]
pub struct Inside<'c>(&'c Rooms);

/// A view of a session.
#[derive(Debug, Clone, Copy)]
pub struct InsideSession<'c> {
    key: SessionKey,
    session: &'c Session,
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
    /// Every session, the oldest first.
    pub fn sessions(self) -> impl Iterator<Item = InsideSession<'c>> {
        let mut all: Vec<_> = self.0.sessions.iter().collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all.into_iter().map(|(key, session)| InsideSession { key, session })
    }

    /// The session of a client id.
    #[must_use]
    pub fn session_of(self, client: &str) -> Option<InsideSession<'c>> {
        let key = self.0.sessions.of_client(client)?;
        self.0.sessions.get(key).map(|session| InsideSession { key, session })
    }

    /// How many client ids have a session.
    #[must_use]
    pub fn clients(self) -> usize {
        self.0.sessions.clients()
    }

    /// How many sessions have a connection, as the core counts.
    #[must_use]
    pub fn connected(self) -> usize {
        self.0.sessions.connected()
    }

    /// Every connection.
    pub fn links(self) -> impl Iterator<Item = InsideLink> {
        let views = self.0.out.links.views();
        views.map(|(conn, closing, answers)| InsideLink { conn, closing, answers })
    }

    /// Connections that are not read, because their last packet found no room.
    #[must_use]
    pub fn paused(self) -> &'c BTreeSet<ConnId> {
        self.0.out.links.paused()
    }

    /// What zones count.
    #[must_use]
    pub fn held(self) -> HeldBooks {
        self.0.zones.books()
    }

    /// The last stamp.
    #[must_use]
    pub fn last_stamp(self) -> Stamp {
        self.0.zones.last_stamp()
    }

    /// Whether no gateway has come, and the core does without.
    #[must_use]
    pub fn does_without_gateways(self) -> bool {
        self.0.zones.does_without()
    }

    /// Whether a publish to this topic goes to a zone, and its acknowledgement is withheld.
    #[must_use]
    pub fn goes_to_zone(self, topic: &str) -> bool {
        self.0.zones.route(topic, &self.0.sessions).is_held()
    }

    /// Whether a publish goes to a zone that has no room for it.
    #[must_use]
    pub fn zone_is_full(self, publish: &Publish) -> bool {
        let route = self.0.zones.route(&publish.topic, &self.0.sessions);
        let limits = &self.0.settings.limits;
        // Nobody here makes up more zones than one user may.
        self.0.zones.full(publish, route, &Payer::Anyone, limits)
    }

    /// Whether what all sessions are weighs what their sum says.
    #[must_use]
    pub fn sessions_are_weighed_right(self) -> bool {
        self.0.sessions.are_weighed_right()
    }

    /// Timers that are set.
    #[must_use]
    pub fn timers(self) -> usize {
        self.0.out.timers.all().count()
    }

    /// When a session ends or a will is due next.
    #[must_use]
    pub fn next_end(self) -> Option<Moment> {
        let mut timers = self.0.out.timers.all();
        timers.find(|(_, timer)| *timer != Timer::Announce).map(|(at, _)| *at)
    }

    /// Wildcard filters that somebody is subscribed to.
    #[must_use]
    pub fn wildcard_filters(self) -> usize {
        self.0.fanout.wildcard_filters()
    }

    /// Filters that the router has.
    pub fn routed_filters(self) -> impl Iterator<Item = (&'c str, FilterId)> {
        self.0.fanout.routed_filters()
    }

    /// Every retained message, in topic order.
    pub fn retained(self) -> impl Iterator<Item = &'c Arc<Message>> {
        self.0.retained.all()
    }

    /// Subscriptions without wildcards, as their topics know them.
    #[must_use]
    pub fn exact_subscribers(self) -> usize {
        self.0.fanout.exact_subscribers()
    }

    /// A topic or filter without subscribers, or with such as are not there; none if all is well.
    #[must_use]
    pub fn stray_audience(self) -> Option<String> {
        self.0.fanout.stray(|key| self.0.sessions.get(key).is_some())
    }

    /// Whether no session, connection, subscription or group is left.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.sessions().count() + self.clients() + self.links().count() + self.paused().len() == 0
            && self.0.fanout.is_empty()
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
    pub fn queue(self) -> QueueBooks {
        self.session.outbox.books()
    }

    /// What its zone counts for what somebody waits for in its queue, in bytes.
    #[must_use]
    pub fn held_bytes(self) -> usize {
        let queue = self.queue();
        queue.held_bytes + queue.held * OVERHEAD
    }

    /// Every filter that it is subscribed to.
    pub fn filters(self) -> impl Iterator<Item = &'c str> {
        let subscriptions = &self.session.subscriptions;
        let unshared = subscriptions.unshared().map(|(path, _)| path);
        unshared.chain(subscriptions.shared().map(|(path, _)| path))
    }

    /// Subscriptions without wildcards.
    #[must_use]
    pub fn exact_filters(self) -> usize {
        self.session.subscriptions.exact_len()
    }

    /// Publishes of its client whose acknowledgement is withheld.
    #[must_use]
    pub fn withheld(self) -> usize {
        self.session.incoming.counted(Version::V311)
    }

    /// Whether a publish of its client with this packet id is not finished.
    #[must_use]
    pub fn is_incoming(self, pid: u16) -> bool {
        self.session.incoming.contains(pid)
    }
}
