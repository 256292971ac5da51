//! Whether the others' tables are what ours were at the same slot: every heartbeat tells a digest.
//!
//! Replicas that apply the same log and differ are the worst thing that can happen here, and
//! nobody would notice. The one that differs from a majority stops, and says what to do.

use std::collections::{BTreeSet, VecDeque};

use paxos::Slot;
use wire::{Digest, GatewayId, Heartbeat, Written};

use crate::event::Effect;
use crate::want::Wants;

/// The digests of the last slots, and who tells another one.
#[derive(Debug)]
pub(crate) struct Digests {
    me: GatewayId,
    recent: VecDeque<(Slot, u64)>,
    differ: BTreeSet<GatewayId>,
    /// Of the rows in the file, at the slots with which commits ended.
    written: VecDeque<Written>,
    differ_in_rows: BTreeSet<GatewayId>,
}

/// A heartbeat is a tenth of a second old at most, and a busy home agrees on some hundred slots in
/// that time. One that is missed costs nothing: the next one tells as much.
const RECENT: usize = 1024;

impl Digests {
    /// Those of gateway `me`.
    pub(crate) const fn new(me: GatewayId) -> Self {
        Self {
            me,
            recent: VecDeque::new(),
            differ: BTreeSet::new(),
            written: VecDeque::new(),
            differ_in_rows: BTreeSet::new(),
        }
    }

    pub(crate) fn note(&mut self, slot: Slot, digest: u64) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((slot, digest));
    }

    /// The rows in the file are these.
    pub(crate) fn note_written(&mut self, written: Written) {
        if self.written.len() == RECENT {
            self.written.pop_front();
        }
        self.written.push_back(written);
    }

    /// What the rows in the file were last.
    pub(crate) fn last_written(&self) -> Option<Written> {
        self.written.back().copied()
    }

    /// A snapshot took the place of everything.
    pub(crate) fn clear(&mut self) {
        self.recent.clear();
        self.written.clear();
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

    /// Compares the rows in another gateway's file with those in this one's; the same majority is too many.
    pub(crate) fn compare_rows(&mut self, beat: &Heartbeat, majority: usize, out: &mut Wants) {
        let Some(theirs) = beat.tables else { return };
        let (from, me, slot) = (beat.gateway, self.me, theirs.slot);
        let Ok(place) = self.written.binary_search_by_key(&slot, |ours| ours.slot) else { return };
        let ours = self.written[place];
        if ours.layout != theirs.layout {
            return;
        }
        if ours.digest == theirs.digest {
            self.differ_in_rows.remove(&from);
            return;
        }
        if self.differ_in_rows.insert(from) {
            out.tell(format!(
                "The rows in the files of gateways {me} and {from} differ at slot {slot}. hearth verify names them."
            ));
        }
        if self.differ_in_rows.len() >= majority {
            out.effect(Effect::Stop(format!(
                "the rows in its file at slot {slot} differ from those of a majority; keep the file of gateway {me} \
                 for a report, move it away, and start the gateway again: it fetches everything from the others"
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
    fn rows_are_compared_where_two_commits_ended_at_one_slot() {
        let mut digests = Digests::new(GatewayId(1));
        let written = |slot, digest| Written { slot, digest: Digest(digest), layout: 4 };
        for slot in [5, 7, 12] {
            digests.note_written(written(slot, 100 + slot));
        }
        let mut stops = |from, tables| {
            let mut out = Wants::default();
            let beat = Heartbeat { tables: Some(tables), ..beat(from, 0, None) };
            digests.compare_rows(&beat, 2, &mut out);
            out.effects().any(|effect| matches!(effect, Effect::Stop(_)))
        };
        assert!(!stops(2, written(7, 666)), "one is no majority");
        for other in [written(6, 666), written(13, 666), Written { layout: 5, ..written(7, 666) }] {
            assert!(!stops(3, other), "{other:?} can be compared with nothing");
        }
        assert!(!stops(3, written(12, 112)));
        assert!(stops(3, written(5, 666)));
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
