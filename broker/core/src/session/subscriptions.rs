//! What one session is subscribed to, and what that says about a message.

use std::collections::BTreeMap;

use super::planted;
use crate::access::{Reading, Rights};
use crate::id::{GroupId, SessionKey};
use crate::map::Map;
use crate::message::Message;
use crate::packet::{Qos, topic};
use crate::router::FilterId;

/// What a subscription costs beside its filter, which stands in two tables.
const SUBSCRIPTION: usize = 200;

/// Every subscription of a session.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    exact: Map<Box<str>, Sub>,
    /// In the order of their age.
    wild: Vec<Wild>,
    /// Shared ones, by `$share/<name>/<filter>`.
    shared: BTreeMap<Box<str>, GroupId>,
    /// What all of them cost.
    bytes: usize,
}

/// A subscription with wildcards.
#[derive(Debug)]
struct Wild {
    path: Box<str>,
    sub: Sub,
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sub {
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) id: Option<u32>,
    /// Whether some of what it matches is denied to the user.
    pub(crate) filtered: bool,
    /// Order of the first SUBSCRIBE; earlier messages do not belong to this subscription.
    pub(crate) since: u64,
    /// Its number, unless it is a zone's own.
    pub(crate) filter: Option<FilterId>,
}

/// How a message reached a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Exact,
    Router(FilterId),
    /// Straight into a zone's session.
    Zone,
}

/// A subscription that is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Exact(Box<str>),
    /// None if it was a zone's own.
    Wild(Option<FilterId>),
    Shared(GroupId),
}

/// All that a session's subscriptions say about one message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) ids: Box<[u32]>,
}

impl Subscriptions {
    /// Those that are looked at for every message, or stand for others: with wildcards, and shared ones.
    pub(crate) fn costly(&self) -> usize {
        self.wild.len() + self.shared.len()
    }

    /// What to deliver for a message that arrived on one way, or nothing if another way delivers it.
    ///
    /// Overlapping subscriptions give one copy with the highest QoS and all identifiers [MQTT-3.3.4-2, -4]. The
    /// oldest matching subscription's way delivers, so that a newer, faster way never overtakes it.
    pub(crate) fn pick(
        &self,
        message: &Message,
        me: SessionKey,
        rights: &Rights,
        via: Via,
    ) -> Option<Pick> {
        let mut oldest: Option<(u64, Via)> = None;
        let mut pick = Pick { qos: Qos::AtMostOnce, retain: false, ids: Box::default() };
        let mut ids = Vec::new();
        let exact = self.exact.get(&message.topic).map(|sub| (sub, Via::Exact));
        let wild = self.wild.iter().filter(|wild| topic::matches(&wild.path, &message.topic));
        let wild = wild.map(|wild| (&wild.sub, wild.sub.filter.map_or(Via::Zone, Via::Router)));
        for (sub, way) in exact.into_iter().chain(wild) {
            let own = planted::own(sub.no_local && message.publisher == Some(me));
            // What waited for a zone is older than the subscription that it waited for.
            if (sub.since > message.order && via != Via::Zone) || own {
                continue;
            }
            if sub.filtered && !rights.may_read(&message.topic) {
                continue;
            }
            if oldest.is_none_or(|(since, _)| sub.since < since) {
                oldest = Some((sub.since, way));
            }
            // Those with wildcards stand in the order of their age, so no older one follows.
            let other = way != Via::Exact && oldest.is_some_and(|(_, way)| way != via);
            if planted::another_way(other && via != Via::Zone) {
                return None;
            }
            pick.qos = pick.qos.max(sub.qos);
            pick.retain |= sub.retain_as_published && message.retain;
            ids.extend(sub.id);
        }
        let (_, way) = oldest?;
        if planted::another_way(via != Via::Zone && way != via) {
            return None;
        }
        pick.qos = planted::granted(pick.qos.min(message.qos), pick.qos);
        pick.ids = ids.into();
        Some(pick)
    }

    /// Whether any of them, but for shared ones, covers a topic.
    pub(crate) fn covers(&self, topic: &str) -> bool {
        self.exact.contains_key(topic)
            || self.wild.iter().any(|wild| topic::matches(&wild.path, topic))
    }

    /// The subscription of this filter, unless it is a shared one.
    pub(crate) fn find(&self, filter: &str) -> Option<&Sub> {
        if topic::has_wildcard(filter) {
            self.wild.iter().find(|wild| &*wild.path == filter).map(|wild| &wild.sub)
        } else {
            self.exact.get(filter)
        }
    }

    /// Replaces a subscription that is there; the shared ones stand in their groups.
    pub(crate) fn change(&mut self, filter: &str, changed: Sub) {
        let found = if topic::has_wildcard(filter) {
            self.wild.iter_mut().find(|wild| &*wild.path == filter).map(|wild| &mut wild.sub)
        } else {
            self.exact.get_mut(filter)
        };
        if let Some(sub) = found {
            *sub = changed;
        }
    }

    /// Adds one without wildcards.
    pub(crate) fn add_exact(&mut self, path: Box<str>, sub: Sub) {
        self.bytes += cost(&path);
        self.exact.insert(path, sub);
    }

    /// Adds one with wildcards.
    pub(crate) fn add_wild(&mut self, path: Box<str>, sub: Sub) {
        self.bytes += cost(&path);
        self.wild.push(Wild { path, sub });
    }

    /// Adds a shared one, which stands in its group.
    pub(crate) fn add_shared(&mut self, path: &str, group: GroupId) {
        if self.shared.insert(path.into(), group).is_none() {
            self.bytes += cost(path);
        }
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, path: &str) -> Option<Ended> {
        let ended = if let Some(group) = self.shared.remove(path) {
            Ended::Shared(group)
        } else if let Some((path, _)) = self.exact.remove_entry(path) {
            Ended::Exact(path)
        } else {
            let at = self.wild.iter().position(|wild| &*wild.path == path)?;
            Ended::Wild(self.wild.remove(at).sub.filter)
        };
        self.bytes -= cost(path);
        Some(ended)
    }

    /// Takes all out.
    pub(crate) fn remove_all(self) -> impl Iterator<Item = Ended> {
        let exact = self.exact.into_keys().map(Ended::Exact);
        let wild = self.wild.into_iter().map(|wild| Ended::Wild(wild.sub.filter));
        exact.chain(wild).chain(self.shared.into_values().map(Ended::Shared))
    }

    /// Whether there is such a shared one.
    pub(crate) fn shares(&self, path: &str) -> bool {
        self.shared.contains_key(path)
    }

    /// Whether somebody with these rights may have every subscription; notes what of them is denied.
    pub(crate) fn suits(&mut self, rights: &Rights) -> bool {
        let mut keeps = |(filter, sub): (&str, &mut Sub)| {
            let reading = rights.may_subscribe(filter);
            sub.filtered = reading == Reading::Filtered;
            reading != Reading::Nothing
        };
        self.shared.keys().all(|filter| rights.may_subscribe(filter) != Reading::Nothing)
            && self.exact.iter_mut().map(|(filter, sub)| (&**filter, sub)).all(&mut keeps)
            && self.wild.iter_mut().map(|wild| (&*wild.path, &mut wild.sub)).all(keeps)
    }

    /// Those with wildcards.
    pub(crate) fn wild(&self) -> impl ExactSizeIterator<Item = &Sub> {
        self.wild.iter().map(|wild| &wild.sub)
    }

    /// Those that are not shared, each with its filter.
    pub(crate) fn unshared(&self) -> impl Iterator<Item = (&str, &Sub)> {
        let exact = self.exact.iter().map(|(path, sub)| (&**path, sub));
        exact.chain(self.wild.iter().map(|wild| (&*wild.path, &wild.sub)))
    }

    /// Those that are shared, each with its filter.
    pub(crate) fn shared(&self) -> impl ExactSizeIterator<Item = (&str, GroupId)> {
        self.shared.iter().map(|(path, group)| (&**path, *group))
    }

    pub(crate) fn len(&self) -> usize {
        self.exact.len() + self.wild.len() + self.shared.len()
    }

    /// What all of them cost, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(feature = "testing")]
    pub(crate) fn exact_len(&self) -> usize {
        self.exact.len()
    }
}

/// What a subscription costs, in bytes.
pub(crate) fn cost(path: &str) -> usize {
    SUBSCRIPTION + 2 * path.len()
}
