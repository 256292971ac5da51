//! Who votes in which slot, as the log says it.

use std::collections::BTreeMap;

use paxos::{ReplicaId, Slot, Value, Voters};

/// Counted here, and not by what is to be checked.
pub(crate) fn votes(voters: &Voters, id: ReplicaId) -> bool {
    voters.iter().any(|voter| voter == id)
}

/// More than half of the voters are among these.
pub(crate) fn is_majority<'a>(by: impl IntoIterator<Item = &'a ReplicaId>, of: &Voters) -> bool {
    by.into_iter().filter(|id| votes(of, **id)).count() * 2 > of.len()
}

pub(crate) struct Groups {
    /// From which slot on who votes.
    from: BTreeMap<Slot, Voters>,
    /// Slots in which a group was proposed, and which.
    proposed: BTreeMap<Slot, Vec<Voters>>,
    none: Voters,
    /// The last slot whose value is known.
    known: Slot,
}

impl Groups {
    pub(crate) const fn new() -> Self {
        Self {
            from: BTreeMap::new(),
            proposed: BTreeMap::new(),
            none: Voters::none(),
            known: Slot::ZERO,
        }
    }

    pub(crate) fn found(&mut self, founders: Voters) {
        self.from.insert(Slot(1), founders);
    }

    pub(crate) fn were_founded_by(&self, founders: &Voters) -> bool {
        self.from.get(&Slot(1)) == Some(founders)
    }

    pub(crate) fn propose(&mut self, slot: Slot, value: &Value) {
        if let Some(voters) = value.voters() {
            let proposed = self.proposed.entry(slot).or_default();
            if !proposed.contains(voters) {
                proposed.push(voters.clone());
            }
        }
    }

    /// Slots are chosen in their order.
    pub(crate) fn choose(&mut self, slot: Slot, value: &Value) {
        self.known = slot;
        self.proposed.remove(&slot);
        if let Some(voters) = value.voters() {
            self.from.insert(slot.next(), voters.clone());
        }
    }

    /// Who votes in a slot, unless that depends on a choice that is open.
    pub(crate) fn at(&self, slot: Slot) -> Option<&Voters> {
        let open = self.proposed.range(self.known.next()..).next();
        let open = open.is_some_and(|(open, _)| *open < slot);
        let last = self.from.range(..=slot).next_back();
        last.filter(|_| !open).map(|(_, voters)| voters)
    }

    pub(crate) fn last(&self) -> &Voters {
        self.from.values().next_back().unwrap_or(&self.none)
    }

    pub(crate) fn in_force(&self) -> impl Iterator<Item = &Voters> {
        let open = self.proposed.range(self.known.next()..).flat_map(|(_, voters)| voters);
        open.chain(std::iter::once(self.last()))
    }

    /// The slot that changed the voters last, and who voted up to there.
    pub(crate) fn before_last(&self) -> Option<(Slot, &Voters)> {
        let mut from = self.from.iter().rev();
        let behind = from.next()?.0;
        from.next().map(|(_, before)| (Slot(behind.0 - 1), before))
    }

    pub(crate) fn changes(&self) -> u64 {
        self.from.len().saturating_sub(1) as u64
    }
}
