//! Whether the others' tables are what ours were at the same slot: every heartbeat tells a digest.
//!
//! Replicas that apply the same log and differ are the worst thing that can happen here, and
//! nobody would notice. The one that differs from a majority stops, and says what to do.

use std::collections::{BTreeSet, VecDeque};

use paxos::Slot;
use wire::{Digest, GatewayId, Heartbeat};

use crate::event::Effect;
use crate::gateway::Gateway;
use crate::step::Step;

/// The digests of the last slots, and who tells another one.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    recent: VecDeque<(Slot, u64)>,
    differ: BTreeSet<GatewayId>,
}

/// A heartbeat is a tenth of a second old at most, and a busy home agrees on some hundred slots in
/// that time. One that is missed costs nothing: the next one tells as much.
const RECENT: usize = 1024;

impl Digests {
    pub(crate) fn note(&mut self, slot: Slot, digest: u64) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((slot, digest));
    }

    /// What the tables were at this slot, if that is not too long ago.
    fn at(&self, slot: Slot) -> Option<u64> {
        let first = self.recent.front()?.0;
        let place = usize::try_from(slot.0.checked_sub(first.0)?).ok()?;
        self.recent.get(place).map(|(_, digest)| *digest).filter(|digest| *digest != 0)
    }

    /// A snapshot took the place of everything.
    pub(crate) fn clear(&mut self) {
        self.recent.clear();
    }
}

impl Gateway {
    pub(crate) fn digest(&self) -> Option<Digest> {
        Some(self.house.counters().digest).filter(|digest| *digest != 0).map(Digest)
    }

    /// Compares what another gateway tells with what was here.
    pub(crate) fn compare(&mut self, beat: &Heartbeat, out: &mut Step) {
        let (slot, from) = (Slot(beat.applied), beat.gateway);
        let Some((Digest(theirs), ours)) = beat.digest.zip(self.digests.at(slot)) else { return };
        if theirs == ours {
            self.digests.differ.remove(&from);
            return;
        }
        let me = self.settings.id;
        if self.digests.differ.insert(from) {
            let words = format!(
                "Gateways {me} and {from} differ at slot {slot}, though they applied the same log."
            );
            self.tell(out, words);
        }
        if self.digests.differ.len() >= self.paxos.voters().majority() {
            out.effects.push(Effect::Stop(format!(
                "its tables at slot {slot} differ from those of a majority; keep the file of \
                 gateway {me} for a report, delete it, and start the gateway again: it fetches \
                 everything from the others"
            )));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Now;
    use crate::house::House;
    use crate::{Settings, Timing};
    use wire::{Liveness, Site};

    fn gateway() -> Gateway {
        let founders: BTreeSet<_> = (1..=3).map(GatewayId).collect();
        let settings = Settings {
            site: Site::new("home").expect("a name"),
            id: GatewayId(1),
            disk: 0,
            incarnation: 1,
            versions: crate::version::OURS,
            founders,
            serves: true,
            leaders: vec![],
            agreed: House::new().agreed(),
            cache: 0,
            log_keep: 64,
            own_broker: true,
            story: false,
            rounds: false,
            timing: Timing::default(),
        };
        let voters = paxos::Voters::new([1, 2, 3].map(paxos::ReplicaId)).expect("a group");
        let disk = paxos::Recovered::empty().founded_by(voters);
        Gateway::new(settings, House::new(), disk, Now::default()).expect("a group")
    }

    fn beat(from: u8, applied: u64, digest: Option<u64>) -> Heartbeat {
        let bare = Heartbeat::bare(Liveness::Alive, GatewayId(from), 1);
        Heartbeat { applied, digest: digest.map(Digest), ..bare }
    }

    fn stops(gateway: &mut Gateway, beat: &Heartbeat) -> bool {
        let mut step = Step::default();
        gateway.compare(beat, &mut step);
        step.take_effects().iter().any(|effect| matches!(effect, Effect::Stop(_)))
    }

    #[test]
    fn one_that_differs_is_told_of_and_a_majority_stops_this_one() {
        let mut gateway = gateway();
        for slot in 5..=9 {
            gateway.digests.note(Slot(slot), 100 + slot);
        }
        assert!(!stops(&mut gateway, &beat(2, 7, Some(666))));
        assert!(!stops(&mut gateway, &beat(2, 8, Some(666))), "one is no majority, however often");
        for unknown in [beat(3, 4, Some(1)), beat(3, 10, Some(1)), beat(3, 7, None)] {
            assert!(!stops(&mut gateway, &unknown), "{unknown:?} can be compared with nothing");
        }
        assert!(!stops(&mut gateway, &beat(3, 9, Some(109))));
        assert!(stops(&mut gateway, &beat(3, 9, Some(666))));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut digests = Digests::default();
        for slot in 1..=RECENT as u64 + 3 {
            digests.note(Slot(slot), slot);
        }
        assert_eq!((digests.at(Slot(3)), digests.at(Slot(4))), (None, Some(4)));
        assert_eq!(digests.at(Slot(RECENT as u64 + 3)), Some(RECENT as u64 + 3));
    }
}
