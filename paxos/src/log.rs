//! The part of the log that is in memory: what was accepted, and how far it is chosen.
//!
//! ```text
//!          floor            chosen
//!   on disk  |  all chosen    |  accepted, maybe with holes
//! -----------+----------------+-----------------------------> slots
//! ```

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::config::Config;
use crate::id::{Ballot, Slot};
use crate::message::{Entry, Value};
use crate::planted::log as planted;
use crate::record::Recovered;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Log {
    /// One place per slot from `floor` on, empty where nothing was accepted. Acceptors leave slots far above
    /// `chosen` for later, so that there are at most two log windows and one leader's window of places.
    places: VecDeque<Option<(Ballot, Value)>>,
    /// The lowest slot about which memory tells everything.
    floor: Slot,
    /// The chosen prefix. From `floor` to here every slot is present, with its chosen value.
    chosen: Slot,
}

impl Log {
    /// The log up to what the state machine holds; the rest of the chosen prefix is still to be reported.
    pub(crate) fn recover(recovered: &Recovered) -> Self {
        let mut floor = recovered.applied.next();
        for entry in recovered.accepted.iter().rev() {
            if entry.slot.next() == floor {
                floor = entry.slot;
            }
        }
        let mut log = Self { places: VecDeque::new(), floor, chosen: recovered.applied };
        for entry in recovered.accepted.iter().filter(|entry| entry.slot >= floor) {
            *log.place(entry.slot) = Some((entry.ballot, entry.value.clone()));
        }
        log
    }

    pub(crate) const fn floor(&self) -> Slot {
        self.floor
    }

    pub(crate) const fn chosen(&self) -> Slot {
        self.chosen
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&(Ballot, Value)> {
        self.places.get(self.index(slot)?)?.as_ref()
    }

    /// Where a slot's place is, if memory reaches down to it.
    fn index(&self, slot: Slot) -> Option<usize> {
        usize::try_from(slot.0.checked_sub(self.floor.0)?).ok()
    }

    fn place(&mut self, slot: Slot) -> &mut Option<(Ballot, Value)> {
        let index = self.index(slot);
        let Some(index) = index else {
            panic!("slot {slot} is below {}, where memory begins", self.floor);
        };
        while self.places.len() <= index {
            self.places.push_back(None);
        }
        &mut self.places[index]
    }

    /// Whether a slot holds another value that is chosen, or that was accepted in this ballot or a higher one. No
    /// ballot has two values, and a chosen one binds all that are higher, so an honest peer never says this one.
    pub(crate) fn contradicts(&self, slot: Slot, ballot: Ballot, value: &Value) -> bool {
        self.get(slot)
            .is_some_and(|(held, other)| other != value && (slot <= self.chosen || *held >= ballot))
    }

    /// Accepts or learns a value in a slot that is not known to be chosen; false if it was there already.
    pub(crate) fn put(&mut self, slot: Slot, ballot: Ballot, value: &Value) -> bool {
        assert!(slot > self.chosen, "slot {slot} is chosen and cannot change");
        let place = self.place(slot);
        if let Some((held, same)) = place {
            assert!(*held <= ballot, "slot {slot} would go back from {held} to {ballot}");
            if *held == ballot {
                assert!(same == value, "two values in slot {slot} at ballot {ballot}");
                return false;
            }
        }
        *place = Some((ballot, value.clone()));
        true
    }

    /// Extends the chosen prefix by one slot, which must be present, and lets go of what is out of the window.
    pub(crate) fn choose_next(&mut self, config: &Config) -> Entry {
        let slot = self.chosen.next();
        let Some((ballot, value)) = self.get(slot) else {
            panic!("slot {slot} is chosen, but its value is missing");
        };
        let entry = Entry { slot, ballot: *ballot, value: value.clone() };
        self.chosen = slot;
        let keep = planted::keep(Slot(slot.0.saturating_sub(config.log_window) + 1));
        if keep > self.floor {
            self.raise_floor(keep);
        }
        entry
    }

    /// The state machine came from a snapshot that ends at `slot`.
    pub(crate) fn install(&mut self, slot: Slot) {
        assert!(slot > self.chosen, "a snapshot would take the log back to slot {slot}");
        self.chosen = slot;
        self.raise_floor(slot.next());
    }

    fn raise_floor(&mut self, floor: Slot) {
        assert!(floor <= self.chosen.next(), "only chosen slots may be forgotten");
        while self.floor < floor && self.places.pop_front().is_some() {
            self.floor = self.floor.next();
        }
        self.floor = self.floor.max(floor);
    }

    /// Every accepted entry from `from` on, as far as one message holds, and the last slot this speaks for.
    pub(crate) fn report(&self, from: Slot, config: &Config) -> (Vec<Entry>, Slot) {
        assert!(from >= self.floor, "slots below {} cannot be reported", self.floor);
        let (entries, cut) = self.chunk(from, Slot(u64::MAX), config);
        let last = entries.last().map_or(from, |entry| entry.slot);
        (entries, if cut { last } else { Slot(u64::MAX) })
    }

    /// Chosen entries from `from` on, as far as one message holds.
    pub(crate) fn suffix(&self, from: Slot, config: &Config) -> Vec<Entry> {
        assert!(from >= self.floor, "slots below {} are not in memory", self.floor);
        self.chunk(from, self.chosen, config).0
    }

    fn chunk(&self, from: Slot, to: Slot, config: &Config) -> (Vec<Entry>, bool) {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let places = self.places.iter().skip(self.index(from).unwrap_or(0));
        for (slot, place) in (from.0..=to.0).map(Slot).zip(places) {
            let Some((ballot, value)) = place else {
                continue;
            };
            bytes += value.bytes();
            let full = entries.len() >= config.chunk_entries || bytes > config.chunk_bytes;
            if full && !entries.is_empty() {
                return (entries, true);
            }
            entries.push(Entry { slot, ballot: *ballot, value: value.clone() });
        }
        (entries, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ReplicaId;

    const BALLOT: Ballot = Ballot { round: 1, replica: ReplicaId(1) };

    fn small() -> Config {
        let mut config = Config::new(ReplicaId(1), [1]);
        config.chunk_entries = 2;
        config.log_window = 3;
        config
    }

    #[test]
    fn reports_cover_holes_and_come_in_chunks() {
        let mut log = Log::recover(&Recovered::empty());
        for slot in [1, 4, 9] {
            log.put(Slot(slot), BALLOT, &Value::NoOp);
        }
        let (entries, to) = log.report(Slot(1), &small());
        assert_eq!((entries.len(), to), (2, Slot(4)));
        let (entries, to) = log.report(to.next(), &small());
        assert_eq!((entries.len(), to), (1, Slot(u64::MAX)));
    }

    #[test]
    fn memory_keeps_the_window_and_all_that_is_not_chosen() {
        let mut log = Log::recover(&Recovered::empty());
        for slot in 1..=10 {
            log.put(Slot(slot), BALLOT, &Value::NoOp);
        }
        for _ in 0..7 {
            let _ = log.choose_next(&small());
        }
        assert_eq!((log.floor(), log.chosen()), (Slot(5), Slot(7)));
        assert!(log.get(Slot(4)).is_none() && log.get(Slot(10)).is_some());
    }

    #[test]
    fn memory_begins_above_the_last_hole_below_what_is_applied() {
        let entry = |slot| Entry { slot: Slot(slot), ballot: BALLOT, value: Value::NoOp };
        let accepted = [1, 3, 4, 7].map(entry).into();
        let recovered = Recovered { accepted, applied: Slot(4), ..Recovered::empty() };
        let mut log = Log::recover(&recovered);
        assert_eq!((log.floor(), log.chosen()), (Slot(3), Slot(4)));
        let held = (0..9).map(Slot).filter(|slot| log.get(*slot).is_some());
        assert_eq!(held.collect::<Vec<_>>(), [3, 4, 7].map(Slot));
        log.install(Slot(5));
        assert!(log.get(Slot(4)).is_none() && log.get(Slot(7)).is_some());
        log.install(Slot(20));
        assert_eq!((log.floor(), log.chosen()), (Slot(21), Slot(20)));
        assert_eq!(log.report(Slot(21), &small()), (Vec::new(), Slot(u64::MAX)));
    }

    #[test]
    #[should_panic(expected = "two values")]
    fn one_ballot_has_one_value_per_slot() {
        let mut log = Log::recover(&Recovered::empty());
        log.put(Slot(1), BALLOT, &Value::NoOp);
        log.put(Slot(1), BALLOT, &Value::Batch(alloc::sync::Arc::from([])));
    }
}
