//! All sessions, by key and by client id, and what they may hold together.

mod budget;

use std::sync::Arc;

use broker_settings::Limits;

use crate::access::Rights;
use crate::id::{ConnId, SessionKey};
use crate::map::Map;
use crate::packet::{Connect, Version};
use crate::session::{Session, cost};
use crate::weight::Scales;
use budget::Budget;

/// The table of sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    all: Map<SessionKey, Session>,
    clients: Map<Arc<str>, SessionKey>,
    /// Sessions with a connection.
    connected: usize,
    last: u64,
    budget: Budget,
}

impl Sessions {
    pub(crate) fn get(&self, key: SessionKey) -> Option<&Session> {
        self.all.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: SessionKey) -> Option<&mut Session> {
        self.all.get_mut(&key)
    }

    pub(crate) fn of_client(&self, client: &str) -> Option<SessionKey> {
        self.clients.get(client).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn connected(&self) -> usize {
        self.connected
    }

    /// The key that the next session gets.
    pub(crate) fn next_key(&self) -> SessionKey {
        SessionKey(self.last + 1)
    }

    /// Every session, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionKey, &Session)> {
        self.all.iter().map(|(&key, session)| (key, session))
    }

    /// Every session, in no order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (SessionKey, &mut Session)> {
        self.all.iter_mut().map(|(&key, session)| (key, session))
    }

    /// Begins a session. It weighs nothing until it is weighed.
    pub(crate) fn begin(
        &mut self,
        client: &Arc<str>,
        rights: Rights,
        zone: Option<Box<str>>,
        version: Version,
    ) -> SessionKey {
        let key = self.next_key();
        self.last = key.0;
        self.all.insert(key, Session::new(client.clone(), rights, zone, version));
        self.clients.insert(client.clone(), key);
        key
    }

    /// Takes a session out.
    pub(crate) fn end(&mut self, key: SessionKey) -> Option<Session> {
        let session = self.all.remove(&key)?;
        self.clients.remove(&session.client);
        self.connected -= usize::from(session.conn.is_some());
        self.budget.weigh(session.weighed, 0);
        Some(session)
    }

    /// Notes the connection of a session that has none.
    pub(crate) fn attach(&mut self, key: SessionKey, conn: ConnId) {
        if let Some(session) = self.all.get_mut(&key) {
            session.conn = Some(conn);
            self.connected += 1;
        }
    }

    /// Takes the connection from a session.
    pub(crate) fn detach(&mut self, key: SessionKey) -> Option<ConnId> {
        let was = self.all.get_mut(&key)?.conn.take();
        self.connected -= usize::from(was.is_some());
        was
    }

    /// Brings the sum up to date after a session has changed.
    pub(crate) fn weigh(&mut self, key: SessionKey) {
        if let Some(session) = self.all.get_mut(&key) {
            let bytes = session.bytes();
            let before = std::mem::replace(&mut session.weighed, bytes);
            self.budget.weigh(before, bytes);
        }
    }

    /// Whether there is room for a CONNECT: its will, and its session if that is new.
    pub(crate) fn admits(
        &self,
        connect: &Connect,
        client: &str,
        new: bool,
        limits: &Limits,
    ) -> bool {
        let session = if new { Session::cost(client) } else { 0 };
        let will = connect.will.as_ref().map_or(0, |will| will.publish.weight());
        self.budget.sessions() + session + will <= limits.session_bytes
    }

    /// Whether there is room for another subscription.
    pub(crate) fn admits_filter(&self, path: &str, limits: &Limits) -> bool {
        self.budget.sessions() + cost(path) <= limits.session_bytes
    }

    /// What messages are weighed on.
    pub(crate) fn scales(&self) -> &Scales {
        self.budget.scales()
    }

    /// Bytes that may still wait for sessions, where `elsewhere` have bounds of their own: those retained, and those held
    /// for zones.
    pub(crate) fn free(&mut self, elsewhere: usize, limits: &Limits) -> usize {
        let all = &self.all;
        let waiting = || all.values().map(|session| session.outbox.outstanding()).sum();
        self.budget.free(elsewhere, limits.waiting_bytes, waiting)
    }

    /// Whether what all sessions are weighs what their sum says.
    #[cfg(feature = "testing")]
    pub(crate) fn are_weighed_right(&self) -> bool {
        let right = |session: &Session| {
            let unshared = session.subscriptions.unshared().map(|(path, _)| cost(path));
            let shared = session.subscriptions.shared().map(|(path, _)| cost(path));
            let filters: usize = unshared.chain(shared).sum();
            session.subscriptions.bytes() == filters && session.weighed == session.bytes()
        };
        let weighed: usize = self.all.values().map(|session| session.weighed).sum();
        self.all.values().all(right) && weighed == self.budget.sessions()
    }

    /// How many client ids have a session.
    #[cfg(feature = "testing")]
    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }
}
