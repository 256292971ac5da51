//! From a message to the sessions that are subscribed to its topic.
//!
//! ```text
//!  message --> topics without wildcards -------------------> outboxes
//!          --> tree of filters ----------------------------> outboxes
//!          --> window --> router (outside) --> window -----> outboxes
//! ```

mod audience;
mod filters;
mod groups;
mod planted;
mod tree;
mod window;

use std::sync::Arc;

pub(crate) use audience::Way;
pub(crate) use groups::{Groups, inner};

use crate::id::{GroupId, SessionKey};
use crate::map::Map;
use crate::message::{Delivery, Message};
use crate::out::Effects;
use crate::outboxes::Outboxes;
use crate::packet::{Qos, Reason, topic};
use crate::router::{FilterId, Routed, RouterOp};
use crate::session::{Session, Sub, Via};
use crate::settings::Settings;
use audience::Audience;
use filters::Filters;
use window::Window;

/// All who are subscribed to something.
#[derive(Debug)]
pub(crate) struct Fanout {
    /// Subscribers of topics without wildcards.
    exact: Map<Box<str>, Audience>,
    /// Wildcard filters.
    filters: Filters,
    /// Who is subscribed to a wildcard filter now.
    watchers: Map<FilterId, Audience>,
    groups: Groups,
    window: Window,
}

impl Fanout {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            exact: Map::default(),
            filters: Filters::new(settings),
            watchers: Map::default(),
            groups: Groups::default(),
            window: Window::default(),
        }
    }

    /// Sends a message to everyone who is subscribed, or lets the router find out who is.
    pub(crate) fn send(&mut self, message: &Arc<Message>, boxes: &mut Outboxes<'_>) {
        if let Some(audience) = self.exact.get(&message.topic) {
            tell(audience, &mut self.groups, message, Via::Exact, boxes);
        }
        if self.watchers.is_empty() {
            return;
        }
        let matching = self.filters.matching(&message.topic);
        for filter in matching.filters {
            if let Some(audience) = self.watchers.get(&filter) {
                tell(audience, &mut self.groups, message, Via::Router(filter), boxes);
            }
        }
        if matching.routed {
            let fence = self.window.push(message.clone());
            let router = &mut boxes.effects().router;
            router.push(RouterOp::Publish(message.clone()));
            router.extend(fence.map(RouterOp::Fence));
        }
    }

    /// Takes what came out of the router.
    pub(crate) fn routed(&mut self, batch: &[Routed], boxes: &mut Outboxes<'_>) {
        for &routed in batch {
            match routed {
                Routed::Match(filter, order) => {
                    let Some(message) = self.window.pass(filter, order) else {
                        self.lost(filter, boxes);
                        continue;
                    };
                    if let Some(audience) = self.watchers.get(&filter) {
                        tell(audience, &mut self.groups, message, Via::Router(filter), boxes);
                    }
                }
                Routed::Gap(filter) => self.lost(filter, boxes),
                Routed::Fence(number) => {
                    let next = self.window.returned(number);
                    boxes.effects().router.extend(next.map(RouterOp::Fence));
                }
            }
        }
    }

    /// Delivers to one session what is still inside the router for it. Before its subscriptions change, so that every
    /// message is delivered as they were when it came; `order` is the last one so far.
    pub(crate) fn settle(&self, key: SessionKey, order: u64, boxes: &mut Outboxes<'_>) {
        let Some(session) = boxes.sessions.get(key) else { return };
        let wild = session.subscriptions.wild().filter_map(|sub| sub.filter);
        let filters: Vec<FilterId> = wild.filter(|&id| self.filters.is_routed(id)).collect();
        let settled = session.settled;
        if planted::nothing_inside(filters.is_empty() || settled == order) {
            return;
        }
        for message in self.window.after(settled) {
            for &filter in &filters {
                if self.window.passed(filter) < message.order {
                    boxes.deliver(key, message, Via::Router(filter));
                }
            }
        }
        if let Some(session) = boxes.sessions.get_mut(key) {
            session.settled = order;
        }
    }

    /// Makes room for subscribers of a filter.
    ///
    /// # Errors
    ///
    /// There are as many wildcard filters as there may be.
    pub(crate) fn open(
        &mut self,
        path: &str,
        most: usize,
        effects: &mut Effects,
    ) -> Result<Way, Reason> {
        if !topic::has_wildcard(path) {
            return Ok(Way::Exact(path.into()));
        }
        let (id, op) = self.filters.open(path, most)?;
        effects.router.extend(op);
        Ok(Way::Wild(id))
    }

    /// A session gets what comes on a way.
    pub(crate) fn add(&mut self, way: &Way, key: SessionKey) {
        self.audience(way).sessions.push(key);
    }

    /// A session gets no more of what comes on a way.
    pub(crate) fn remove(&mut self, way: &Way, key: SessionKey) {
        self.audience(way).sessions.retain(|&other| other != key);
        self.close(way);
    }

    /// Adds a session to the group of a path, or changes its subscription there.
    ///
    /// # Errors
    ///
    /// As for [`Fanout::open`].
    pub(crate) fn join(
        &mut self,
        key: SessionKey,
        path: &str,
        sub: Sub,
        most: usize,
        effects: &mut Effects,
    ) -> Result<GroupId, Reason> {
        let id = match self.groups.find(path) {
            Some(id) => id,
            None => {
                let id = self.groups.number();
                let filter = inner(path).ok_or(Reason::Filter)??;
                let way = self.open(filter, most, effects)?;
                self.audience(&way).groups.push(id);
                self.groups.begin(id, path, way, sub.since);
                id
            }
        };
        self.groups.add(id, key, sub);
        Ok(id)
    }

    /// Takes a session out of a group.
    pub(crate) fn leave(&mut self, key: SessionKey, id: GroupId) {
        if let Some(way) = self.groups.remove(id, key) {
            self.audience(&way).groups.retain(|&other| other != id);
            self.close(&way);
        }
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Gives to other members of their groups what a session cannot deliver any more.
    pub(crate) fn share_again(&mut self, orphans: Vec<Delivery>, boxes: &mut Outboxes<'_>) {
        self.groups.share_again(orphans, boxes);
    }

    /// Whether publishers should not be read further, because the router is behind.
    pub(crate) fn crowded(&self) -> bool {
        self.window.crowded()
    }

    /// Messages inside the router.
    pub(crate) fn inside(&self) -> usize {
        self.window.len()
    }

    /// Whether messages are inside that no fence will let go.
    pub(crate) fn needs_fence(&self) -> bool {
        self.window.needs_fence()
    }

    /// A fence with this number goes into the router.
    pub(crate) fn fence(&mut self, number: u64) -> RouterOp {
        RouterOp::Fence(self.window.fenced(number))
    }

    /// The router outran its log: whoever was promised QoS 1 or 2 is told by the end of the session.
    fn lost(&self, filter: FilterId, boxes: &mut Outboxes<'_>) {
        let Some(audience) = self.watchers.get(&filter) else { return };
        let promised = |session: &Session| {
            let mut wild = session.subscriptions.wild();
            wild.any(|sub| sub.filter == Some(filter) && sub.qos > Qos::AtMostOnce)
        };
        for &key in &audience.sessions {
            if let Some(session) = boxes.sessions.get(key)
                && promised(session)
            {
                tracing::warn!(client = %session.client, "messages were lost in the router's log");
                boxes.doom(key);
            }
        }
    }

    fn audience(&mut self, way: &Way) -> &mut Audience {
        match way {
            Way::Exact(path) => self.exact.entry(path.clone()).or_default(),
            Way::Wild(id) => self.watchers.entry(*id).or_default(),
        }
    }

    /// Forgets a way that nobody uses any more.
    fn close(&mut self, way: &Way) {
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

/// Gives a message to an audience.
fn tell(
    audience: &Audience,
    groups: &mut Groups,
    message: &Arc<Message>,
    via: Via,
    boxes: &mut Outboxes<'_>,
) {
    for &key in &audience.sessions {
        boxes.deliver(key, message, via);
    }
    for &id in &audience.groups {
        groups.share(id, message, boxes);
    }
}

#[cfg(feature = "testing")]
impl Fanout {
    pub(crate) fn bound_router(&mut self, filters: usize, topics: usize) {
        self.filters.bound(filters, topics);
    }

    pub(crate) fn wildcard_filters(&self) -> usize {
        self.filters.len()
    }

    pub(crate) fn routed_filters(&self) -> impl Iterator<Item = (&str, FilterId)> {
        self.filters.routed()
    }

    pub(crate) fn exact_subscribers(&self) -> usize {
        self.exact.values().map(|audience| audience.sessions.len()).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.watchers.is_empty() && self.groups.is_empty()
    }

    /// An audience that is empty, or has members that are not there.
    pub(crate) fn stray(&self, is_there: impl Fn(SessionKey) -> bool) -> Option<String> {
        let stray = self.exact.values().chain(self.watchers.values()).find(|audience| {
            audience.is_empty()
                || !audience.sessions.iter().all(|key| is_there(*key))
                || !audience.groups.iter().all(|group| self.groups.contains(*group))
        });
        stray.map(|audience| format!("{audience:?}"))
    }
}
