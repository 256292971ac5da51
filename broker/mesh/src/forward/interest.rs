//! What the clients of each peer are subscribed to.

use alloc::vec::Vec;

use super::filters::{Filters, shared};
use crate::id::{NodeId, Nodes};
use crate::wire::Wanted;

/// Filters that all peers together may have here. 200,000: every session's ten, from six peers with some in common; each
/// takes about 200 bytes, more with levels of its own.
pub const FILTERS: usize = 200_000;

/// Filters of peers.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    filters: Filters<Vec<Want>>,
    /// Peers with more filters than fit: they are sent everything.
    everything: Nodes,
}

#[derive(Debug, Clone, Copy)]
struct Want {
    node: NodeId,
    kept: bool,
}

/// The peers that want a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Wanting {
    /// Those with a subscriber.
    pub deliver: Nodes,
    /// Those with a kept session that is promised QoS 1 or 2.
    pub kept: Nodes,
}

impl Interest {
    /// A peer's clients want these, of all messages that it has not passed yet. A peer that wants more filters than there is room for is
    /// sent everything, and its own broker sorts out what is not wanted.
    pub(crate) fn want(&mut self, node: NodeId, wanted: &[Wanted]) {
        for Wanted { path, kept } in wanted {
            if shared(path).is_some() {
                continue;
            }
            if self.filters.len() >= FILTERS && self.filters.get_mut(path).is_none() {
                self.everything.insert(node);
                continue;
            }
            let wants = self.filters.entry(path);
            match wants.iter_mut().find(|want| want.node == node) {
                Some(want) => want.kept |= kept,
                None => wants.push(Want { node, kept: *kept }),
            }
        }
    }

    /// A peer's clients do not want this any more.
    pub(crate) fn unwant(&mut self, node: NodeId, path: &str) {
        let Some(wants) = self.filters.get_mut(path) else { return };
        wants.retain(|want| want.node != node);
        if wants.is_empty() {
            self.filters.remove(path);
        }
    }

    /// Nothing is known of what a peer wants.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.everything.remove(node);
        self.filters.retain(|wants| {
            wants.retain(|want| want.node != node);
            !wants.is_empty()
        });
    }

    /// Which peers want a message of this topic.
    #[must_use]
    pub(crate) fn wanting(&self, topic: &str) -> Wanting {
        let mut wanting = Wanting { deliver: self.everything, kept: Nodes::NONE };
        for want in self.filters.matching(topic).into_iter().flatten() {
            wanting.deliver.insert(want.node);
            if want.kept {
                wanting.kept.insert(want.node);
            }
        }
        wanting
    }
}
