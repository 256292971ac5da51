//! All sessions, by key and by client id, and what they may hold together.

mod budget;

use std::sync::Arc;

use broker_settings::Limits;

use crate::access::{Payer, Rights};
use crate::id::{ConnId, SessionKey};
use crate::map::Map;
use crate::packet::{Connect, Version};
use crate::session::{Session, cost};
use crate::shares::{Amount, Shares, open_to};
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
    /// What sessions are: ids, filters, wills.
    shares: Shares,
    /// What waits for them.
    queues: Shares,
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
        (rights, payer): (Rights, Payer),
        zone: Option<Box<str>>,
        version: Version,
    ) -> SessionKey {
        let key = self.next_key();
        self.last = key.0;
        self.all.insert(key, Session::new(client.clone(), (rights, payer), zone, version));
        self.clients.insert(client.clone(), key);
        key
    }

    /// Takes a session out.
    pub(crate) fn end(&mut self, key: SessionKey) -> Option<Session> {
        let session = self.all.remove(&key)?;
        self.clients.remove(&session.client);
        self.connected -= usize::from(session.conn.is_some());
        self.shares.change(Some((&session.payer, session.weighed)), None);
        self.queues.change(Some((&session.payer, bytes(session.waits))), None);
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
            let now = session.amount();
            let before = std::mem::replace(&mut session.weighed, now);
            let payer = &session.payer;
            self.shares.change(Some((payer, before)), Some((payer, now)));
        }
        self.weigh_queue(key);
    }

    /// Brings the account up to date after something has come into a session's queue or gone out of it.
    pub(crate) fn weigh_queue(&mut self, key: SessionKey) {
        let Some(session) = self.all.get_mut(&key) else { return };
        let now = session.outbox.weight();
        let before = std::mem::replace(&mut session.waits, now);
        if before != now {
            let payer = &session.payer;
            self.queues.change(Some((payer, bytes(before))), Some((payer, bytes(now))));
        }
    }

    /// A session goes on another account from now on.
    pub(crate) fn pay(&mut self, key: SessionKey, payer: Payer) {
        if let Some(session) = self.all.get_mut(&key)
            && session.payer != payer
        {
            let before = std::mem::replace(&mut session.payer, payer);
            let weighed = session.weighed;
            self.shares.change(Some((&before, weighed)), Some((&session.payer, weighed)));
            let waits = bytes(session.waits);
            self.queues.change(Some((&before, waits)), Some((&session.payer, waits)));
        }
    }

    /// Whether there is one more session for this payer, whatever its budget.
    pub(crate) fn has_place(&self, payer: &Payer, limits: &Limits) -> bool {
        self.len() < open_to(payer, limits.sessions, limits)
    }

    /// Whether there is room for a CONNECT: its will, and its session if that is new.
    pub(crate) fn admits(
        &self,
        connect: &Connect,
        (client, payer): (&str, &Payer),
        new: bool,
        limits: &Limits,
    ) -> bool {
        let session = if new { Session::cost(client) } else { 0 };
        let will = connect.will.as_ref().map_or(0, |will| will.publish.weight());
        let count = usize::from(new);
        self.has_room(payer, Amount { count, bytes: session + will, filters: 0 }, limits)
    }

    /// Whether there is room for another subscription of a session, which has wildcards or not.
    pub(crate) fn admits_filter(
        &self,
        payer: &Payer,
        path: &str,
        wild: bool,
        limits: &Limits,
    ) -> bool {
        let filters = usize::from(wild);
        self.has_room(payer, Amount { count: 0, bytes: cost(path), filters }, limits)
    }

    /// Whether there is room for another handshake of a session's client.
    pub(crate) fn admits_handshake(&self, key: SessionKey, limits: &Limits) -> bool {
        self.get(key).is_none_or(|session| {
            let bytes = session.incoming.cost_of_another();
            let more = Amount { bytes, ..Amount::default() };
            bytes == 0 || self.has_room(&session.payer, more, limits)
        })
    }

    /// Counts the handshakes of a session's client after there are more or fewer.
    pub(crate) fn count_handshakes(&mut self, key: SessionKey) {
        if self.all.get_mut(&key).is_some_and(|session| session.incoming.count()) {
            self.weigh(key);
        }
    }

    fn has_room(&self, payer: &Payer, more: Amount, limits: &Limits) -> bool {
        let (count, bytes) = (limits.sessions, limits.session_bytes);
        let whole = Amount { count, bytes, filters: limits.wildcard_filters };
        self.shares.all().bytes + more.bytes <= open_to(payer, bytes, limits)
            && self.shares.admits((payer, more), None, whole, limits)
    }

    /// What messages are weighed on.
    pub(crate) fn scales(&self) -> &Scales {
        self.budget.scales()
    }

    /// Bytes that may wait for a session: no more than are free of all, and of its user's and its role's budgets, where
    /// `elsewhere` have bounds of their own: those retained, and those held for zones.
    pub(crate) fn free(&mut self, key: SessionKey, elsewhere: usize, limits: &Limits) -> usize {
        let all = &self.all;
        let waiting = || all.values().map(|session| session.outbox.outstanding()).sum();
        let Some(session) = all.get(&key) else { return 0 };
        let whole = limits.waiting_bytes;
        let most = open_to(&session.payer, whole, limits);
        let own = self.queues.room(&session.payer, session.waits, whole, limits);
        self.budget.free(elsewhere, most, waiting).min(own)
    }

    /// Whether what all sessions are weighs what their sum says.
    #[cfg(feature = "testing")]
    pub(crate) fn are_weighed_right(&self) -> bool {
        let right = |session: &Session| {
            let unshared = session.subscriptions.unshared().map(|(path, _)| cost(path));
            let shared = session.subscriptions.shared().map(|(path, _)| cost(path));
            let filters: usize = unshared.chain(shared).sum();
            session.subscriptions.bytes() == filters && session.weighed == session.amount()
        };
        let bytes: usize = self.all.values().map(|session| session.weighed.bytes).sum();
        let all = self.shares.all();
        self.all.values().all(right)
            && bytes == all.bytes
            && self.len() == all.count
            && self.queues_are_weighed_right()
    }

    #[cfg(feature = "testing")]
    fn queues_are_weighed_right(&self) -> bool {
        let waits: usize = self.all.values().map(|session| session.waits).sum();
        let right = |session: &Session| session.waits == session.outbox.weight();
        self.all.values().all(right) && waits == self.queues.all().bytes
    }

    /// How many client ids have a session.
    #[cfg(feature = "testing")]
    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }
}

fn bytes(bytes: usize) -> Amount {
    Amount { bytes, ..Amount::default() }
}
