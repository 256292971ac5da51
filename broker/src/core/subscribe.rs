//! SUBSCRIBE and UNSUBSCRIBE.

use super::session::Sub;
use super::{Core, RouterOp};
use crate::message::{ConnId, Delivery, Moment, SessionKey};
use crate::protocol::{Action, Filter, Reason, RetainHandling, topic};
use crate::router::FilterId;

/// Reason code of an UNSUBACK for a filter that was not subscribed.
const NO_SUBSCRIPTION: u8 = 0x11;

impl Core {
    pub(super) fn subscribe(
        &mut self,
        now: Moment,
        conn: ConnId,
        key: SessionKey,
        (pid, id): (u16, Option<u32>),
        filters: Vec<Filter>,
    ) {
        let mut codes = Vec::with_capacity(filters.len());
        let mut granted = Vec::with_capacity(filters.len());
        for filter in filters {
            match self.subscribe_one(key, &filter, id) {
                Ok(new) => {
                    codes.push(filter.qos as u8);
                    granted.push((filter, new));
                }
                Err(reason) => codes.push(reason as u8),
            }
        }
        self.answer(conn, Action::Suback(pid, codes));
        // What was held comes before the retained values of the same topics, which may be newer.
        self.release_held(key);
        for (filter, new) in granted {
            let wanted = match filter.retain_handling {
                RetainHandling::Always => true,
                RetainHandling::IfNew => new,
                RetainHandling::Never => false,
            };
            if wanted {
                self.send_retained(now, key, &filter, id);
            }
        }
        self.effects.wake.push(conn);
    }

    /// Adds or changes one subscription; tells whether it is new.
    fn subscribe_one(
        &mut self,
        key: SessionKey,
        filter: &Filter,
        id: Option<u32>,
    ) -> Result<bool, Reason> {
        if filter.path.starts_with("$share/") {
            return Err(Reason::Shared);
        }
        if !topic::valid_filter(&filter.path) {
            return Err(Reason::Filter);
        }
        let since = self.next_order();
        let limit = self.settings.limits.subscriptions;
        let session = self.sessions.get_mut(&key).ok_or(Reason::NotAuthorized)?;
        let mut sub = Sub {
            qos: filter.qos,
            no_local: filter.no_local,
            retain_as_published: filter.retain_as_published,
            id,
            since,
            filter: None,
        };
        if let Some(old) = session.find(&filter.path) {
            *old = Sub { since: old.since, filter: old.filter, ..sub };
            return Ok(false);
        }
        if session.subscriptions() >= limit {
            return Err(Reason::Quota);
        }
        if !topic::has_wildcard(&filter.path) {
            session.exact.insert(filter.path.as_str().into(), sub);
            self.exact.entry(filter.path.as_str().into()).or_default().push(key);
            return Ok(true);
        }
        let direct = session
            .zone
            .as_deref()
            .is_some_and(|zone| self.zones.is_own_filter(zone, &filter.path));
        if !direct {
            sub.filter = Some(self.watch(key, &filter.path)?);
        }
        if let Some(session) = self.sessions.get_mut(&key) {
            session.wild.push((filter.path.as_str().into(), sub));
        }
        Ok(true)
    }

    /// Adds a session to a wildcard filter in the router.
    fn watch(&mut self, key: SessionKey, path: &str) -> Result<FilterId, Reason> {
        if let Some(&id) = self.filters.get(path) {
            self.watchers.entry(id).or_default().push(key);
            return Ok(id);
        }
        if self.filters.len() >= self.settings.limits.wildcard_filters {
            return Err(Reason::Quota);
        }
        let id = FilterId(self.next_filter);
        self.next_filter += 1;
        self.filters.insert(path.into(), id);
        self.watchers.insert(id, vec![key]);
        self.effects.router.push(RouterOp::Subscribe(id, path.into()));
        Ok(id)
    }

    fn send_retained(&mut self, now: Moment, key: SessionKey, filter: &Filter, id: Option<u32>) {
        for message in self.retained.matching(&filter.path, now) {
            let own = filter.no_local && message.publisher == Some(key);
            if own {
                continue;
            }
            let qos = message.qos.min(filter.qos);
            let ids = id.into_iter().collect();
            self.give(key, Delivery { message, qos, retain: true, stored: true, ids, hold: None });
        }
    }

    pub(super) fn unsubscribe(
        &mut self,
        conn: ConnId,
        key: SessionKey,
        pid: u16,
        filters: &[String],
    ) {
        let codes = filters.iter().map(|path| self.unsubscribe_one(key, path)).collect();
        self.answer(conn, Action::Unsuback(pid, codes));
    }

    fn unsubscribe_one(&mut self, key: SessionKey, path: &str) -> u8 {
        let Some(session) = self.sessions.get_mut(&key) else { return NO_SUBSCRIPTION };
        if session.exact.remove(path).is_some() {
            self.forget_exact(path, key);
            return 0;
        }
        let Some(at) = session.wild.iter().position(|(filter, _)| &**filter == path) else {
            return NO_SUBSCRIPTION;
        };
        let (_, sub) = session.wild.remove(at);
        if let Some(id) = sub.filter {
            self.forget_wild(id, key);
        }
        0
    }

    pub(super) fn forget_exact(&mut self, path: &str, key: SessionKey) {
        if let Some(sessions) = self.exact.get_mut(path) {
            sessions.retain(|&other| other != key);
            if sessions.is_empty() {
                self.exact.remove(path);
            }
        }
    }

    pub(super) fn forget_wild(&mut self, id: FilterId, key: SessionKey) {
        let Some(sessions) = self.watchers.get_mut(&id) else { return };
        sessions.retain(|&other| other != key);
        if !sessions.is_empty() {
            return;
        }
        // The filter stays in the router, which keeps its log for ever anyway. Taking it out while a
        // message for it is under way leaves a stale read request behind (rumqttd 0.20), and every
        // message twice once somebody subscribes to it again.
        self.watchers.remove(&id);
    }
}
