//! Packet ids for what one session is sent.

use std::collections::{BTreeSet, VecDeque};

use crate::id::Incarnation;

/// Packet ids that are used in turn. Handshakes are bounded far below this, so one that is free is always found.
const SPREAD: u16 = 4096;
/// Parts of all packet ids that are so large.
const LIVES: u64 = 15;

/// Ids are used in turn, so that a late acknowledgement rarely meets a new message.
#[derive(Debug, Default)]
pub(super) struct PacketIds {
    /// Ids that were used and are free again, oldest first.
    free: VecDeque<u16>,
    fresh: u16,
    /// Ids of the broker's earlier life.
    earlier: Option<Box<EarlierIds>>,
}

/// Packet ids that a client may still connect with messages of an earlier life of the broker.
#[derive(Debug)]
struct EarlierIds {
    under_way: BTreeSet<u16>,
    /// Where ids of this life begin: a client that was connected when the broker was killed may have received a
    /// message under an id that nobody else remembers, and would take another with this id for the same.
    first: u16,
}

impl EarlierIds {
    fn beyond(&self, fresh: u16) -> u16 {
        let id = (u32::from(self.first) + u32::from(fresh) - 1) % u32::from(u16::MAX) + 1;
        u16::try_from(id).unwrap_or(fresh)
    }
}

impl PacketIds {
    /// Ids for a session of an earlier life, in which these were under way.
    pub(super) fn after_life(under_way: BTreeSet<u16>, life: Incarnation) -> Self {
        let first = (life.0 % LIVES) as u16 * SPREAD;
        Self { earlier: Some(Box::new(EarlierIds { under_way, first })), ..Self::default() }
    }

    /// An id that is not in use.
    pub(super) fn take(&mut self) -> u16 {
        if self.fresh >= SPREAD
            && let Some(pid) = self.free.pop_front()
        {
            return pid;
        }
        self.fresh = self.fresh.saturating_add(1);
        let Some(earlier) = &self.earlier else { return self.fresh };
        while earlier.under_way.contains(&earlier.beyond(self.fresh)) && self.fresh < u16::MAX {
            self.fresh += 1;
        }
        earlier.beyond(self.fresh)
    }

    /// An id is in use no more.
    pub(super) fn give_back(&mut self, pid: u16) {
        let earlier = self.earlier.as_mut();
        if !earlier.is_some_and(|earlier| earlier.under_way.remove(&pid)) {
            self.free.push_back(pid);
        }
    }
}
