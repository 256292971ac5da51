//! SUBSCRIBE and UNSUBSCRIBE.

use super::session::{Session, Sub};
use super::{Audience, Core, room, shared};
use crate::access::Reading;
use crate::message::{ConnId, Delivery, SessionKey};
use crate::moment::Moment;
use crate::mutant::mutant;
use crate::protocol::{Action, Filter, Reason, RetainHandling, codes_size, topic};
use crate::router::FilterId;

/// Reason code of an UNSUBACK for a filter that was not subscribed.
const NO_SUBSCRIPTION: u8 = 0x11;

/// Subscriptions of one session with wildcards. 512: each is looked at for every message that one of them matches.
const WILDCARDS: usize = 512;

/// How the messages of a filter come to its subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// From the map of topics, at once.
    Exact(Box<str>),
    /// From the tree of filters or through the router.
    Wild(FilterId),
}

/// What became of one filter of a SUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Granted {
    New,
    /// There before, with new options now.
    Again,
    /// Nothing is sent of what is retained [MQTT 5, 4.8.2].
    Shared,
}

impl Core {
    /// # Errors
    ///
    /// The reason to end the connection with.
    pub(super) fn subscribe(
        &mut self,
        now: Moment,
        conn: ConnId,
        key: SessionKey,
        (pid, id): (u16, Option<u32>),
        filters: Vec<Filter>,
    ) -> Result<(), Reason> {
        // [MQTT-3.8.3-4]
        if filters.iter().any(|filter| filter.no_local && shared::inner(&filter.path).is_some()) {
            return Err(Reason::Protocol);
        }
        let mut codes = Vec::with_capacity(filters.len());
        let mut granted = Vec::with_capacity(filters.len());
        for filter in filters {
            match self.subscribe_one(key, &filter, id) {
                Ok(how) => {
                    self.keep_subscription(key, &filter, id);
                    codes.push(filter.qos as u8);
                    granted.push((filter, how));
                }
                Err(reason) => codes.push(reason as u8),
            }
        }
        self.answer_codes(conn, key, codes.len(), Action::Suback(pid, codes));
        // What was held comes before the retained values of the same topics, which may be newer.
        self.release_held(key);
        for (filter, how) in granted {
            let wanted = match filter.retain_handling {
                _ if how == Granted::Shared => false,
                RetainHandling::Always => !mutant!(RetainedForNewOnly) || how == Granted::New,
                RetainHandling::IfNew => how == Granted::New,
                RetainHandling::Never => false,
            };
            if wanted {
                self.send_retained(now, key, &filter, id);
            }
        }
        self.effects.wake(conn);
        Ok(())
    }

    /// Adds or changes one subscription.
    pub(super) fn subscribe_one(
        &mut self,
        key: SessionKey,
        filter: &Filter,
        id: Option<u32>,
    ) -> Result<Granted, Reason> {
        let count = |core: &Self| core.sessions.get(&key).map_or(0, Session::subscriptions);
        let before = count(self);
        let granted = self.add_or_change(key, filter, id)?;
        if count(self) > before
            && let Some(session) = self.sessions.get_mut(&key)
        {
            session.filter_bytes += room::subscription(&filter.path);
            self.weigh_session(key);
        }
        Ok(granted)
    }

    fn add_or_change(
        &mut self,
        key: SessionKey,
        filter: &Filter,
        id: Option<u32>,
    ) -> Result<Granted, Reason> {
        let shared = shared::inner(&filter.path).transpose()?;
        if shared.is_none() && !topic::valid_filter(&filter.path) {
            return Err(Reason::Filter);
        }
        let since = self.next_order();
        let limit = self.settings.limits.subscriptions;
        let room = self.admits_filter(&filter.path);
        let session = self.sessions.get_mut(&key).ok_or(Reason::NotAuthorized)?;
        let reading = session.rights.may_subscribe(&filter.path);
        if reading == Reading::Nothing {
            tracing::info!(client = %session.client, filter = %filter.path, "may not subscribe to this filter");
            return Err(Reason::NotAuthorized);
        }
        let mut sub = Sub {
            qos: filter.qos,
            no_local: filter.no_local,
            retain_as_published: filter.retain_as_published,
            id,
            filtered: reading == Reading::Filtered,
            since,
            filter: None,
        };
        let known = session.shared.contains_key(&*filter.path);
        if !known && let Some(old) = session.find(&filter.path) {
            let changed = Sub { since: old.since, filter: old.filter, ..sub };
            if *old != changed {
                self.change(key, &filter.path, changed);
            }
            return Ok(Granted::Again);
        }
        if !known && (session.subscriptions() >= limit || !room) {
            return Err(Reason::Quota);
        }
        if let Some(inner) = shared {
            self.join(key, &filter.path, inner, sub)?;
            return Ok(Granted::Shared);
        }
        if topic::has_wildcard(&filter.path) && session.wild.len() >= WILDCARDS {
            return Err(Reason::Quota);
        }
        let own = |zone: &str| self.zones.is_own_filter(zone, &filter.path);
        if session.zone.as_deref().is_some_and(own) {
            session.wild.push((filter.path.as_str().into(), sub));
            return Ok(Granted::New);
        }
        let way = self.open_way(&filter.path)?;
        self.audience(&way).sessions.push(key);
        let session = self.sessions.get_mut(&key).ok_or(Reason::NotAuthorized)?;
        match way {
            Way::Exact(path) => {
                session.exact.insert(path, sub);
            }
            Way::Wild(id) => {
                sub.filter = Some(id);
                session.wild.push((filter.path.as_str().into(), sub));
            }
        }
        Ok(Granted::New)
    }

    fn change(&mut self, key: SessionKey, path: &str, changed: Sub) {
        self.settle_routed(key);
        if let Some(old) = self.sessions.get_mut(&key).and_then(|session| session.find(path)) {
            *old = changed;
        }
    }

    /// Makes room for subscribers of a filter.
    pub(super) fn open_way(&mut self, path: &str) -> Result<Way, Reason> {
        if !topic::has_wildcard(path) {
            return Ok(Way::Exact(path.into()));
        }
        let (id, op) = self.filters.open(path, self.settings.limits.wildcard_filters)?;
        self.effects.router.extend(op);
        Ok(Way::Wild(id))
    }

    pub(super) fn audience(&mut self, way: &Way) -> &mut Audience {
        match way {
            Way::Exact(path) => self.exact.entry(path.clone()).or_default(),
            Way::Wild(id) => self.watchers.entry(*id).or_default(),
        }
    }

    fn send_retained(&mut self, now: Moment, key: SessionKey, filter: &Filter, id: Option<u32>) {
        for message in self.retained.matching(&filter.path, now) {
            let own = filter.no_local && message.publisher == Some(key);
            let readable = |session: &Session| session.rights.may_read(&message.topic);
            if own || !self.sessions.get(&key).is_some_and(readable) {
                continue;
            }
            let qos = message.qos.min(filter.qos);
            let ids = id.into_iter().collect();
            self.give(
                key,
                Delivery {
                    message,
                    qos,
                    retain: true,
                    stored: true,
                    ids,
                    hold: None,
                    group: None,
                    kept: 0,
                },
            );
        }
    }

    pub(super) fn unsubscribe(
        &mut self,
        conn: ConnId,
        key: SessionKey,
        pid: u16,
        filters: &[String],
    ) {
        let mut codes = Vec::with_capacity(filters.len());
        for path in filters {
            let code = self.unsubscribe_one(key, path);
            codes.push(code);
            if code == Reason::Normal as u8
                && let Some(session) = self.sessions.get_mut(&key)
            {
                session.filter_bytes -= room::subscription(path);
            }
            self.forget_subscription(key, path);
        }
        self.weigh_session(key);
        self.answer_codes(conn, key, codes.len(), Action::Unsuback(pid, codes));
    }

    /// Answers, or ends the connection if its client takes no packet as large [MQTT-3.1.2-24].
    fn answer_codes(&mut self, conn: ConnId, key: SessionKey, codes: usize, answer: Action) {
        let largest = self.sessions.get(&key).map_or(usize::MAX, |session| session.largest);
        if codes_size(codes) > largest {
            return self.end_connection(conn, Reason::TooLarge);
        }
        self.answer(conn, answer);
    }

    fn unsubscribe_one(&mut self, key: SessionKey, path: &str) -> u8 {
        let Some(session) = self.sessions.get_mut(&key) else { return NO_SUBSCRIPTION };
        if let Some(group) = session.shared.remove(path) {
            self.leave(key, group);
            return Reason::Normal as u8;
        }
        if session.find(path).is_none() {
            return NO_SUBSCRIPTION;
        }
        self.settle_routed(key);
        let Some(session) = self.sessions.get_mut(&key) else { return NO_SUBSCRIPTION };
        if session.exact.remove(path).is_some() {
            self.forget(&Way::Exact(path.into()), key);
            return Reason::Normal as u8;
        }
        let Some(at) = session.wild.iter().position(|(filter, _)| &**filter == path) else {
            return NO_SUBSCRIPTION;
        };
        let (_, sub) = session.wild.remove(at);
        if let Some(id) = sub.filter {
            self.forget(&Way::Wild(id), key);
        }
        Reason::Normal as u8
    }

    pub(super) fn forget(&mut self, way: &Way, key: SessionKey) {
        self.audience(way).sessions.retain(|&other| other != key);
        self.close_way(way);
    }

    /// Forgets a way that nobody uses any more.
    pub(super) fn close_way(&mut self, way: &Way) {
        if !self.audience(way).is_empty() {
            return;
        }
        match way {
            Way::Exact(path) => drop(self.exact.remove(path)),
            Way::Wild(id) => {
                self.watchers.remove(id);
                self.filters.close(*id);
            }
        }
    }
}
