//! Whether the others' tables are what ours were at the same slot: every heartbeat tells a digest.
//!
//! Replicas that apply the same log and differ are the worst thing that can happen here, and
//! nobody would notice. The one that differs from a majority stops, and says what to do.

use std::collections::{BTreeSet, VecDeque};

use paxos::Slot;
use wire::{Digest, GatewayId, Heartbeat};

use crate::event::Effect;
use crate::want::Wants;

/// The digests of the last slots, and who tells another one.
#[derive(Debug)]
pub(crate) struct Digests {
    me: GatewayId,
    recent: VecDeque<(Slot, u64)>,
    differ: BTreeSet<GatewayId>,
}

/// A heartbeat is a tenth of a second old at most, and a busy home agrees on some hundred slots in
/// that time. One that is missed costs nothing: the next one tells as much.
const RECENT: usize = 1024;

impl Digests {
    /// Those of gateway `me`.
    pub(crate) const fn new(me: GatewayId) -> Self {
        Self { me, recent: VecDeque::new(), differ: BTreeSet::new() }
    }

    pub(crate) fn note(&mut self, slot: Slot, digest: u64) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((slot, digest));
    }

    /// A snapshot took the place of everything.
    pub(crate) fn clear(&mut self) {
        self.recent.clear();
    }

    /// Compares what another gateway tells with what was here; `majority` of the voters that differ are too many.
    pub(crate) fn compare(&mut self, beat: &Heartbeat, majority: usize, out: &mut Wants) {
        let (slot, from, me) = (Slot(beat.applied), beat.gateway, self.me);
        let Some((Digest(theirs), ours)) = beat.digest.zip(self.at(slot)) else { return };
        if theirs == ours {
            self.differ.remove(&from);
            return;
        }
        if self.differ.insert(from) {
            out.tell(format!(
                "Gateways {me} and {from} differ at slot {slot}, though they applied the same log."
            ));
        }
        if self.differ.len() >= majority {
            out.effect(Effect::Stop(format!(
                "its tables at slot {slot} differ from those of a majority; keep the file of \
                 gateway {me} for a report, delete it, and start the gateway again: it fetches \
                 everything from the others"
            )));
        }
    }

    /// What the tables were at this slot, if that is not too long ago.
    fn at(&self, slot: Slot) -> Option<u64> {
        let first = self.recent.front()?.0;
        let place = usize::try_from(slot.0.checked_sub(first.0)?).ok()?;
        self.recent.get(place).map(|(_, digest)| *digest).filter(|digest| *digest != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::Liveness;

    fn beat(from: u8, applied: u64, digest: Option<u64>) -> Heartbeat {
        let bare = Heartbeat::bare(Liveness::Alive, GatewayId(from), 1);
        Heartbeat { applied, digest: digest.map(Digest), ..bare }
    }

    /// Whether this heartbeat stops one of three voters.
    fn stops(digests: &mut Digests, beat: &Heartbeat) -> bool {
        let mut out = Wants::default();
        digests.compare(beat, 2, &mut out);
        out.effects().any(|effect| matches!(effect, Effect::Stop(_)))
    }

    #[test]
    fn one_that_differs_is_told_of_and_a_majority_stops_this_one() {
        let mut digests = Digests::new(GatewayId(1));
        for slot in 5..=9 {
            digests.note(Slot(slot), 100 + slot);
        }
        assert!(!stops(&mut digests, &beat(2, 7, Some(666))));
        assert!(!stops(&mut digests, &beat(2, 8, Some(666))), "one is no majority, however often");
        for unknown in [beat(3, 4, Some(1)), beat(3, 10, Some(1)), beat(3, 7, None)] {
            assert!(!stops(&mut digests, &unknown), "{unknown:?} can be compared with nothing");
        }
        assert!(!stops(&mut digests, &beat(3, 9, Some(109))));
        assert!(stops(&mut digests, &beat(3, 9, Some(666))));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut digests = Digests::new(GatewayId(1));
        for slot in 1..=RECENT as u64 + 3 {
            digests.note(Slot(slot), slot);
        }
        assert_eq!((digests.at(Slot(3)), digests.at(Slot(4))), (None, Some(4)));
        assert_eq!(digests.at(Slot(RECENT as u64 + 3)), Some(RECENT as u64 + 3));
    }
}
