//! The learner: turns leaders' commit marks and peers' chosen entries into the chosen prefix, in order.

use crate::acceptor::Acceptor;
use crate::config::Config;
use crate::event::Event;
use crate::id::{Ballot, ReplicaId, Slot};
use crate::log::Log;
use crate::message::Entry;
use crate::planted::learner as planted;
use crate::record::Record;
use crate::step::{Chosen, Step};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Learner {
    /// The highest ballot that was heard, and how far its leader says all is chosen.
    mark: (Ballot, Slot),
}

impl Learner {
    pub(crate) const fn new() -> Self {
        Self { mark: (Ballot::ZERO, Slot::ZERO) }
    }

    /// A leader says that everything up to `chosen` is chosen.
    pub(crate) fn hear(&mut self, ballot: Ballot, chosen: Slot) {
        self.mark = self.mark.max((ballot, chosen));
    }

    /// Follows the mark as far as it speaks for what was accepted here. A value accepted in the marking
    /// leader's own ballot is what that leader proposed, and a leader proposes nothing but the chosen value
    /// for a chosen slot. A value from another ballot proves nothing and waits for catch-up.
    pub(crate) fn advance(&self, log: &mut Log, config: &Config, step: &mut Step) {
        let (ballot, to) = self.mark;
        while log.chosen() < to {
            let held = log.get(log.chosen().next());
            if held.is_none_or(|(accepted, _)| planted::is_other(*accepted != ballot)) {
                break;
            }
            choose_next(log, config, step);
        }
    }

    /// Takes a chosen entry from a peer, if it is the next. Its ballot is at least one in which it was chosen,
    /// so promising that ballot keeps every older leader from overwriting it.
    pub(crate) fn learn(
        entry: Entry,
        from: ReplicaId,
        acceptor: &mut Acceptor,
        log: &mut Log,
        config: &Config,
        step: &mut Step,
    ) -> bool {
        if entry.slot != log.chosen().next() {
            return false;
        }
        let Entry { slot, ballot, value } = entry;
        if log.contradicts(slot, ballot, &value) {
            step.events.push(Event::Contradicted { by: from, slot, ballot });
            return false;
        }
        acceptor.raise(planted::learnt(ballot), step);
        if log.get(slot).is_none_or(|(held, _)| *held < ballot) {
            log.put(slot, ballot, &value);
            step.records.push(Record::Accepted { slot, ballot, value });
        }
        choose_next(log, config, step);
        true
    }
}

/// Reports the next slot as chosen. The commit mark is written once per step.
pub(crate) fn choose_next(log: &mut Log, config: &Config, step: &mut Step) {
    let Entry { slot, ballot, value } = log.choose_next(config);
    step.chosen.push(Chosen { slot, ballot, value });
    step.events.push(Event::Chosen { slot });
    match step.records.last_mut() {
        Some(Record::Chosen(mark)) => *mark = slot,
        _ => step.records.push(Record::Chosen(slot)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ReplicaId;
    use crate::message::Value;
    use crate::record::Recovered;

    fn ballot(round: u64) -> Ballot {
        Ballot { round, replica: ReplicaId(1) }
    }

    #[test]
    fn a_mark_speaks_only_for_its_own_ballot() {
        let config = Config::new(ReplicaId(1), [1]);
        let mut log = Log::recover(&Recovered::empty());
        let (mut learner, mut step) = (Learner::new(), Step::default());
        log.put(Slot(1), ballot(2), &Value::NoOp);
        log.put(Slot(2), ballot(1), &Value::NoOp);
        learner.hear(ballot(2), Slot(2));
        learner.advance(&mut log, &config, &mut step);
        assert_eq!(log.chosen(), Slot(1));
        learner.hear(ballot(1), Slot(2));
        learner.advance(&mut log, &config, &mut step);
        assert_eq!(log.chosen(), Slot(1));
    }

    #[test]
    fn a_learnt_entry_replaces_an_older_acceptance_and_is_promised() {
        let config = Config::new(ReplicaId(1), [1]);
        let mut log = Log::recover(&Recovered::empty());
        let (mut acceptor, mut step) = (Acceptor::new(ballot(1)), Step::default());
        log.put(Slot(1), ballot(1), &Value::NoOp);
        let entry = Entry {
            slot: Slot(1),
            ballot: ballot(3),
            value: Value::Batch(alloc::sync::Arc::from([])),
        };
        assert!(Learner::learn(entry, ReplicaId(2), &mut acceptor, &mut log, &config, &mut step));
        assert_eq!((acceptor.promised(), log.chosen()), (ballot(3), Slot(1)));
        assert_eq!(step.records.len(), 3);
    }
}
