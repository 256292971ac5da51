//! Catch-up: a late replica asks for what is chosen, one message at a time, so that it is never flooded and the
//! leader never waits for it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::config::{Config, Group};
use crate::event::Event;
use crate::id::{Moment, ReplicaId, Slot};
use crate::message::Message;
use crate::planted::catchup as planted;
use crate::step::Step;
use crate::voters::Voters;

/// Peers whose progress is remembered: a whole group before a change, and one after.
const KNOWN: usize = 2 * Voters::MOST;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CatchUp {
    /// The chosen prefix of each peer, as far as it said.
    known: BTreeMap<ReplicaId, Slot>,
    /// When to ask next; `None` if nothing is missing.
    due: Option<Moment>,
    /// Unanswered questions in a row: each goes to another peer.
    tries: usize,
    /// It was reported that something is missing.
    reported: bool,
    /// How often a replica without a vote has asked.
    polled: usize,
}

impl CatchUp {
    /// A peer says how far it knows all to be chosen. A small lag is given time, for its messages may just be
    /// under way; a large one is asked about at once.
    pub(crate) fn hear(
        &mut self,
        peer: ReplicaId,
        theirs: Slot,
        own: Slot,
        now: Moment,
        config: &Config,
    ) {
        if self.known.len() >= KNOWN && !self.known.contains_key(&peer) {
            self.forget_the_latest();
        }
        let known = self.known.entry(peer).or_default();
        *known = (*known).max(theirs);
        if *known <= own || self.due.is_some() {
            return;
        }
        let lag = known.above(own);
        let wait = lag <= config.window * 2;
        self.due = Some(if wait { now + config.heartbeat } else { now });
    }

    fn forget_the_latest(&mut self) {
        let latest = self.known.iter().min_by_key(|(_, chosen)| **chosen).map(|(peer, _)| *peer);
        latest.and_then(|peer| self.known.remove(&peer));
    }

    pub(crate) const fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Asks if it is time to.
    pub(crate) fn tick(
        &mut self,
        own: Slot,
        leader: Option<ReplicaId>,
        now: Moment,
        config: &Config,
        step: &mut Step,
    ) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let Some((peer, to)) = self.source(own, leader) else {
            self.settle(own, step);
            return;
        };
        self.tries += 1;
        self.due = Some(planted::asks_again(now + config.resend));
        let from = own.next();
        if !self.reported {
            self.reported = true;
            step.events.push(Event::CatchingUp { from, to });
        }
        step.send(peer, Message::CatchUp { from });
    }

    /// The leader first, then everyone who has more, in turn.
    fn source(&self, own: Slot, leader: Option<ReplicaId>) -> Option<(ReplicaId, Slot)> {
        let ahead = self.known.iter().filter(|(_, chosen)| **chosen > own);
        let mut ahead: Vec<_> = ahead.map(|(peer, chosen)| (*peer, *chosen)).collect();
        ahead.sort_by_key(|(peer, _)| Some(*peer) != leader);
        let turn = self.tries.checked_rem(ahead.len())?;
        ahead.get(turn).copied()
    }

    /// An answer came and moved the chosen prefix: the next question may go to the same peer at once.
    pub(crate) fn progressed(&mut self, now: Moment) {
        self.tries = 0;
        self.due = Some(now);
    }

    /// A replica without a vote that hears from no leader asks everyone it knows of in turn whether anything is new.
    pub(crate) fn poll(&mut self, own: Slot, group: &Group, step: &mut Step) {
        let founders = group.config.founders.iter().map(|number| ReplicaId::new(*number, 0));
        let all = self.known.keys().copied().chain(group.voters.iter()).chain(founders);
        let all: BTreeSet<u8> = all.map(ReplicaId::number).collect();
        let others = all.into_iter().filter(|number| *number != group.config.id.number());
        let others: Vec<u8> = others.collect();
        let turn = self.polled.checked_rem(others.len());
        self.polled = self.polled.wrapping_add(1);
        if let Some(number) = turn.and_then(|turn| others.get(turn)) {
            step.send(ReplicaId::new(*number, 0), Message::CatchUp { from: own.next() });
        }
    }

    /// Stops asking once nothing that is known to be chosen is missing.
    pub(crate) fn settle(&mut self, own: Slot, step: &mut Step) {
        if self.due.is_some() && self.known.values().all(|chosen| *chosen <= own) {
            self.due = None;
            self.tries = 0;
            if core::mem::take(&mut self.reported) {
                step.events.push(Event::CaughtUp);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unanswered_questions_go_round_and_end_when_nothing_is_missing() {
        let config = Config::new(ReplicaId(1), 1..=3);
        let (mut catch_up, mut step) = (CatchUp::default(), Step::default());
        let leader = Some(ReplicaId(3));
        catch_up.hear(ReplicaId(2), Slot(100), Slot(0), Moment(0), &config);
        catch_up.hear(ReplicaId(3), Slot(100), Slot(0), Moment(0), &config);
        for _ in 0..3 {
            let now = catch_up.due().unwrap_or_default();
            catch_up.tick(Slot(0), leader, now, &config, &mut step);
        }
        let asked: Vec<_> = step.immediate.iter().map(|out| out.to.0).collect();
        assert_eq!(asked, [3, 2, 3]);
        catch_up.settle(Slot(100), &mut step);
        assert_eq!(catch_up.due(), None);
        assert_eq!(step.events.last(), Some(&Event::CaughtUp));
    }
}
