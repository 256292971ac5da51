//! Shared subscriptions, `$share/<name>/<filter>` [MQTT 5, 4.8.2]: one member of the group gets a message. MQTT 3.1.1
//! clients may use them too, as with other brokers.
//!
//! A message goes to the connected member with room that has least to do; if nobody is connected, a sleeping
//! session of the group keeps it. What a session that has ended was never sent, and QoS 1 that it did not
//! acknowledge, goes to another member. QoS 2 that it was sent must not [MQTT-4.8.2-5].

use std::num::NonZeroU64;
use std::sync::Arc;

use super::audience::Way;
use crate::id::{GroupId, SessionKey};
use crate::map::Map;
use crate::message::{Delivery, Message};
use crate::outboxes::Outboxes;
use crate::packet::{Qos, Reason, topic};
use crate::session::Sub;
use crate::sessions::Sessions;

/// All groups, by number and by path.
#[derive(Debug)]
pub(crate) struct Groups {
    ids: Map<Box<str>, GroupId>,
    groups: Map<GroupId, Group>,
    last: NonZeroU64,
}

/// All who share a name and a filter.
#[derive(Debug)]
struct Group {
    /// With `$share/` and the name.
    path: Box<str>,
    way: Way,
    /// Order of the first SUBSCRIBE; earlier messages do not belong to the group, later ones to any member.
    since: u64,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    key: SessionKey,
    sub: Sub,
    /// The last message it got; among equals the one who waited longest is next.
    served: u64,
}

/// Who gets a message, and as which subscription says.
struct Chosen {
    key: SessionKey,
    sub: Sub,
}

/// The filter inside a shared subscription; `None` for an ordinary one.
///
/// # Errors
///
/// It is malformed, too long or too deep, or is itself a shared one.
pub(crate) fn inner(path: &str) -> Option<Result<&str, Reason>> {
    let inner = topic::shared(path)?.ok().map(|(_, filter)| filter);
    let valid = |filter: &&str| !filter.starts_with(topic::SHARE) && topic::valid_filter(filter);
    Some(inner.filter(valid).ok_or(Reason::Filter))
}

impl Default for Groups {
    fn default() -> Self {
        Self { ids: Map::default(), groups: Map::default(), last: NonZeroU64::MIN }
    }
}

impl Groups {
    /// The group of a path, with `$share/` and the name.
    pub(super) fn find(&self, path: &str) -> Option<GroupId> {
        self.ids.get(path).copied()
    }

    /// A number for a new group.
    pub(super) fn number(&mut self) -> GroupId {
        self.last = self.last.saturating_add(1);
        GroupId(self.last)
    }

    /// Begins a group without members, whose messages come on this way.
    pub(super) fn begin(&mut self, id: GroupId, path: &str, way: Way, since: u64) {
        self.ids.insert(path.into(), id);
        self.groups.insert(id, Group { path: path.into(), way, since, members: Vec::new() });
    }

    /// Adds a session to a group, or changes its subscription.
    pub(super) fn add(&mut self, id: GroupId, key: SessionKey, sub: Sub) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        match group.members.iter_mut().find(|member| member.key == key) {
            Some(member) => member.sub = sub,
            None => group.members.push(Member { key, sub, served: 0 }),
        }
    }

    /// Takes a session out of a group; the last one ends it, and its way is given back.
    pub(super) fn remove(&mut self, id: GroupId, key: SessionKey) -> Option<Way> {
        let group = self.groups.get_mut(&id)?;
        group.members.retain(|member| member.key != key);
        if !group.members.is_empty() {
            return None;
        }
        let group = self.groups.remove(&id)?;
        self.ids.remove(&group.path);
        Some(group.way)
    }

    /// A session's subscription in a group.
    pub(crate) fn membership(&self, id: GroupId, key: SessionKey) -> Option<&Sub> {
        let mut members = self.groups.get(&id)?.members.iter();
        members.find(|member| member.key == key).map(|member| &member.sub)
    }

    /// Gives a message to one member.
    pub(super) fn share(&mut self, id: GroupId, message: &Arc<Message>, boxes: &mut Outboxes<'_>) {
        if self.groups.get(&id).is_none_or(|group| group.since > message.order) {
            return;
        }
        let Some(chosen) = self.choose(id, message, boxes.sessions) else { return };
        let delivery = Delivery { group: Some(id), ..Delivery::new(message.clone()) };
        boxes.give(chosen.key, chosen.fitted(delivery));
    }

    /// What another member may get instead of a session that ended or sleeps. Nobody is given more than fits: what
    /// finds no room is lost with the session that ended, and its client learns that it has.
    pub(crate) fn share_again(&mut self, orphans: Vec<Delivery>, boxes: &mut Outboxes<'_>) {
        for orphan in orphans {
            let Some(id) = orphan.group else { continue };
            let Some(chosen) = self.choose(id, &orphan.message, boxes.sessions) else { continue };
            let delivery = Delivery { kept: 0, ..orphan };
            boxes.give_if_it_fits(chosen.key, chosen.fitted(delivery));
        }
    }

    /// Whether a connected member could take over what a sleeping one was not sent yet.
    pub(crate) fn anyone_awake(&self, id: GroupId, sessions: &Sessions) -> bool {
        let members = self.groups.get(&id).map(|group| &group.members);
        members
            .into_iter()
            .flatten()
            .any(|member| sessions.get(member.key).is_some_and(|session| session.conn.is_some()))
    }

    fn choose(&mut self, id: GroupId, message: &Message, sessions: &Sessions) -> Option<Chosen> {
        let members = self.groups.get_mut(&id)?.members.iter_mut();
        let candidates = members.filter_map(|member| {
            let session = sessions.get(member.key)?;
            let keeps = session.conn.is_some() || member.sub.qos.min(message.qos) > Qos::AtMostOnce;
            let denied = member.sub.filtered && !session.rights.may_read(&message.topic);
            if session.doomed || denied || !keeps {
                return None;
            }
            let busy = session.outbox.outstanding();
            let rank = (session.conn.is_none(), busy >= session.window, busy, member.served);
            Some((rank, member))
        });
        let (_, member) = candidates.min_by_key(|(rank, _)| *rank)?;
        member.served = message.order;
        Some(Chosen { key: member.key, sub: member.sub.clone() })
    }
}

impl Chosen {
    /// A delivery as the subscription says.
    fn fitted(&self, delivery: Delivery) -> Delivery {
        let message = &delivery.message;
        Delivery {
            qos: self.sub.qos.min(message.qos),
            retain: self.sub.retain_as_published && message.retain,
            ids: self.sub.id.into_iter().collect(),
            ..delivery
        }
    }
}

#[cfg(feature = "testing")]
impl Groups {
    pub(crate) fn contains(&self, id: GroupId) -> bool {
        self.groups.contains_key(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.ids.is_empty()
    }
}
