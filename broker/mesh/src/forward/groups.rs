//! Shared subscriptions, `$share/<name>/<filter>`: which node's members get a message.
//!
//! The node at which a message was published chooses among nodes in turn, by how many connected members with room they
//! have. Members that sleep get it only if no member is awake anywhere.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::filters::{Filters, shared};
use super::planted;
use crate::id::{NodeId, Nodes};
use crate::message::Qos;
use crate::wire::Members;

/// Shared subscriptions that a peer may tell of. 10,000: each takes about 300 bytes.
pub const GROUPS: usize = 10_000;

/// All shared subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: BTreeMap<Box<str>, Group>,
    /// Their paths by filter.
    filters: Filters<Vec<Box<str>>>,
}

#[derive(Debug, Default)]
struct Group {
    nodes: BTreeMap<NodeId, Share>,
}

/// The members at one node.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    ready: u32,
    asleep: u32,
    /// How long it has been passed over.
    credit: i64,
}

impl Groups {
    /// A node's members of a group are these.
    pub(crate) fn set(&mut self, node: NodeId, members: &Members) {
        let Members { path, ready, asleep } = members;
        if (*ready, *asleep) == (0, 0) {
            return self.remove(node, path);
        }
        let Some(filter) = shared(path) else { return };
        if !self.groups.contains_key(path) {
            if self.groups.len() >= GROUPS {
                return;
            }
            self.filters.entry(filter).push(path.clone());
        }
        let share = self.groups.entry(path.clone()).or_default().nodes.entry(node).or_default();
        (share.ready, share.asleep) = (*ready, *asleep);
    }

    fn remove(&mut self, node: NodeId, path: &str) {
        let Some(group) = self.groups.get_mut(path) else { return };
        group.nodes.remove(&node);
        if !group.nodes.is_empty() {
            return;
        }
        self.groups.remove(path);
        let Some(filter) = shared(path) else { return };
        if let Some(paths) = self.filters.get_mut(filter) {
            paths.retain(|other| **other != *path);
            if paths.is_empty() {
                self.filters.remove(filter);
            }
        }
    }

    /// Nothing is known of a node's members.
    pub(crate) fn forget(&mut self, node: NodeId) {
        let paths: Vec<Box<str>> = self.groups.keys().cloned().collect();
        paths.iter().for_each(|path| self.remove(node, path));
    }

    /// What a node has told of its members.
    #[must_use]
    pub(crate) fn of(&self, node: NodeId) -> Vec<Members> {
        let members = self.groups.iter().filter_map(|(path, group)| {
            let share = group.nodes.get(&node)?;
            Some(Members { path: path.clone(), ready: share.ready, asleep: share.asleep })
        });
        members.collect()
    }

    /// The node that gets a message of this topic, for each group that it concerns; `there` can be sent something now.
    pub(crate) fn choose(
        &mut self,
        topic: &str,
        qos: Qos,
        there: Nodes,
    ) -> Vec<(Box<str>, NodeId)> {
        let paths = self.filters.matching(topic).into_iter().flatten().cloned();
        let paths: Vec<Box<str>> = paths.collect();
        let chosen = paths.into_iter().filter_map(|path| {
            let node = self.choose_one(&path, qos, there)?;
            Some((path, node))
        });
        chosen.collect()
    }

    /// The node that gets a message of one group.
    pub(crate) fn choose_one(&mut self, path: &str, qos: Qos, there: Nodes) -> Option<NodeId> {
        let group = self.groups.get_mut(path)?;
        let awake = group.nodes.iter().any(|(node, s)| there.contains(*node) && s.ready > 0);
        if !planted::awake(awake) && qos == Qos::AtMostOnce {
            return None;
        }
        let weight = |share: &Share| {
            i64::from(if planted::awake(awake) { share.ready } else { share.asleep })
        };
        let candidates = group.nodes.iter_mut().filter(|(node, _)| there.contains(**node));
        let mut total = 0;
        let mut best: Option<(NodeId, &mut Share)> = None;
        // Smooth weighted round robin: whoever was passed over longest, by its weight.
        for (node, share) in candidates {
            let weight = weight(share);
            if weight == 0 {
                continue;
            }
            share.credit += weight;
            total += weight;
            if best.as_ref().is_none_or(|(_, best)| best.credit < share.credit) {
                best = Some((*node, share));
            }
        }
        let (node, share) = best?;
        share.credit -= total;
        Some(node)
    }
}
