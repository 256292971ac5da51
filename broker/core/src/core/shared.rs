//! Shared subscriptions, `$share/<name>/<filter>` [MQTT 5, 4.8.2]: one member of the group gets a message. MQTT 3.1.1
//! clients may use them too, as with other brokers.
//!
//! A message goes to the connected member with room that has least to do; if nobody is connected, a sleeping
//! session of the group keeps it. What a session that has ended was never sent, and QoS 1 that it did not
//! acknowledge, goes to another member. QoS 2 that it was sent must not [MQTT-4.8.2-5].

use std::sync::Arc;

use super::session::Sub;
use super::{Core, subscribe};
use crate::message::{Delivery, GroupId, Message, SessionKey};
use crate::protocol::{Qos, Reason, topic};

/// All who share a name and a filter.
#[derive(Debug)]
pub(super) struct Group {
    /// With `$share/` and the name.
    path: Box<str>,
    way: subscribe::Way,
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

/// The filter inside a shared subscription; `None` for an ordinary one.
///
/// # Errors
///
/// It is malformed, too long or too deep, or is itself a shared one.
pub(super) fn inner(path: &str) -> Option<Result<&str, Reason>> {
    let inner = topic::shared(path)?.ok().map(|(_, filter)| filter);
    let valid = |filter: &&str| !filter.starts_with(topic::SHARE) && topic::valid_filter(filter);
    Some(inner.filter(valid).ok_or(Reason::Filter))
}

impl Core {
    /// Adds a session to a group, or changes its subscription.
    pub(super) fn join(
        &mut self,
        key: SessionKey,
        path: &str,
        filter: &str,
        sub: Sub,
    ) -> Result<(), Reason> {
        let id = match self.group_ids.get(path) {
            Some(&id) => id,
            None => self.found(path, filter, sub.since)?,
        };
        let Some(group) = self.groups.get_mut(&id) else { return Err(Reason::Filter) };
        match group.members.iter_mut().find(|member| member.key == key) {
            Some(member) => member.sub = sub,
            None => group.members.push(Member { key, sub, served: 0 }),
        }
        if let Some(session) = self.sessions.get_mut(&key) {
            session.shared.insert(path.into(), id);
        }
        Ok(())
    }

    fn found(&mut self, path: &str, filter: &str, since: u64) -> Result<GroupId, Reason> {
        self.last_group = self.last_group.saturating_add(1);
        let id = GroupId(self.last_group);
        let way = self.open_way(filter)?;
        self.audience(&way).groups.push(id);
        self.group_ids.insert(path.into(), id);
        self.groups.insert(id, Group { path: path.into(), way, since, members: Vec::new() });
        Ok(id)
    }

    /// Takes a session out of a group; the last one ends it.
    pub(super) fn leave(&mut self, key: SessionKey, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.members.retain(|member| member.key != key);
        if !group.members.is_empty() {
            return;
        }
        let Some(group) = self.groups.remove(&id) else { return };
        self.group_ids.remove(&group.path);
        self.audience(&group.way).groups.retain(|&other| other != id);
        self.close_way(&group.way);
    }

    /// A session's subscription in a group.
    pub(super) fn membership(&self, id: GroupId, key: SessionKey) -> Option<&Sub> {
        let mut members = self.groups.get(&id)?.members.iter();
        members.find(|member| member.key == key).map(|member| &member.sub)
    }

    /// Gives a message to one member.
    pub(super) fn share(&mut self, id: GroupId, message: &Arc<Message>) {
        if self.groups.get(&id).is_none_or(|group| group.since > message.order) {
            return;
        }
        let Some((key, sub)) = self.choose(id, message) else { return };
        let delivery = Delivery {
            message: message.clone(),
            qos: sub.qos.min(message.qos),
            retain: sub.retain_as_published && message.retain,
            stored: false,
            ids: sub.id.into_iter().collect(),
            hold: None,
            kept: 0,
            group: Some(id),
        };
        self.give(key, delivery);
    }

    /// Who gets a message, and as which subscription says.
    fn choose(&mut self, id: GroupId, message: &Message) -> Option<(SessionKey, Sub)> {
        let sessions = &self.sessions;
        let members = self.groups.get_mut(&id)?.members.iter_mut();
        let candidates = members.filter_map(|member| {
            let session = sessions.get(&member.key)?;
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
        Some((member.key, member.sub.clone()))
    }

    /// What another member may get instead of a session that ended or sleeps. Nobody is given more than fits: what
    /// finds no room is lost with the session that ended, and its client learns that it has.
    pub(super) fn share_again(&mut self, orphans: Vec<Delivery>) {
        for orphan in orphans {
            let Some(id) = orphan.group else { continue };
            let Some((key, sub)) = self.choose(id, &orphan.message) else { continue };
            let delivery = Delivery {
                qos: sub.qos.min(orphan.message.qos),
                retain: sub.retain_as_published && orphan.message.retain,
                ids: sub.id.into_iter().collect(),
                kept: 0,
                ..orphan
            };
            let free = self.free();
            let limits = &self.settings.limits;
            let session = self.sessions.get(&key);
            let fits = session.is_some_and(|s| s.outbox.fits(&delivery, limits, free));
            if fits {
                self.give(key, delivery);
            }
        }
    }

    /// Whether a connected member could take over what a sleeping one was not sent yet.
    pub(super) fn anyone_awake(&self, id: GroupId) -> bool {
        let members = self.groups.get(&id).map(|group| &group.members);
        members.into_iter().flatten().any(|member| {
            self.sessions.get(&member.key).is_some_and(|session| session.conn.is_some())
        })
    }
}
