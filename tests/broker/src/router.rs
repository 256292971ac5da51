//! The router as the core may rely on it: per filter in order, each turn of a filter reads all that is there for it,
//! filters take turns in any order but every one once a round. So a fence may come out before an older message, and
//! a second fence that went in after the first had come out may not.

use std::collections::{BTreeMap, VecDeque};

use crate::dice::Dice;
use crate::model::covers;
use broker_core::router::{FilterId, Routed, RouterOp};

/// As in `crate::router`.
const FENCE: FilterId = FilterId(1);

#[derive(Default)]
pub(crate) struct Router {
    inputs: VecDeque<RouterOp>,
    filters: BTreeMap<FilterId, Box<str>>,
    logs: BTreeMap<FilterId, VecDeque<u64>>,
    /// Filters that still have their turn in this round.
    round: VecDeque<FilterId>,
    outputs: VecDeque<Routed>,
}

impl Router {
    pub(crate) fn put(&mut self, op: RouterOp) {
        self.inputs.push_back(op);
    }

    pub(crate) fn idle(&self) -> bool {
        let read = self.logs.values().all(VecDeque::is_empty);
        self.inputs.is_empty() && read && self.outputs.is_empty()
    }

    /// Some of the work, and what of it has come out by now.
    pub(crate) fn work(&mut self, dice: &mut Dice) -> Vec<Routed> {
        for _ in 0..dice.below(8) {
            let Some(op) = self.inputs.pop_front() else { break };
            self.take(op);
        }
        for _ in 0..dice.below(4) {
            self.turn(dice);
        }
        let out = dice.below(self.outputs.len() + 1);
        self.outputs.drain(..out).collect()
    }

    fn take(&mut self, op: RouterOp) {
        match op {
            RouterOp::Subscribe(id, filter) => drop(self.filters.insert(id, filter)),
            RouterOp::Fence(number) => self.logs.entry(FENCE).or_default().push_back(number),
            RouterOp::Publish(message) => {
                let matching = self.filters.iter().filter(|(_, f)| covers(f, &message.topic));
                for (&id, _) in matching {
                    self.logs.entry(id).or_default().push_back(message.order);
                }
            }
        }
    }

    fn turn(&mut self, dice: &mut Dice) {
        if self.round.is_empty() {
            let ready = self.logs.iter().filter(|(_, log)| !log.is_empty());
            self.round = ready.map(|(&id, _)| id).collect();
            dice.shuffle(self.round.make_contiguous());
        }
        let Some(id) = self.round.pop_front() else { return };
        let log = std::mem::take(self.logs.entry(id).or_default());
        self.outputs.extend(log.into_iter().map(|number| match id {
            FENCE => Routed::Fence(number),
            _ => Routed::Match(id, number),
        }));
    }
}
