//! The router of wildcard filters as a broker's core may rely on it: per filter in order; each turn of a filter reads
//! all that is there for it; filters take turns in any order, every one once a round. So a fence may come out before an
//! older message, and a second fence that went in after the first had come out may not.

use std::collections::{BTreeMap, VecDeque};

use broker_core::protocol::topic;
use broker_core::router::{FilterId, Routed, RouterOp};

use crate::dice::Dice;

/// The number under which fences come out in the order of turns.
const FENCE: FilterId = FilterId(1);

#[derive(Debug, Default)]
pub(crate) struct Router {
    inputs: VecDeque<RouterOp>,
    filters: BTreeMap<FilterId, Box<str>>,
    /// The filters that match a topic, as far as it is known.
    known: BTreeMap<Box<str>, Vec<FilterId>>,
    logs: BTreeMap<FilterId, VecDeque<u64>>,
    /// Filters that still have their turn in this round.
    round: Vec<FilterId>,
    /// An event is planned for it.
    pub(crate) due: bool,
}

impl Router {
    pub(crate) fn put(&mut self, op: RouterOp) {
        self.inputs.push_back(op);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.inputs.is_empty() && self.logs.values().all(VecDeque::is_empty)
    }

    /// Some of the work; what comes out.
    pub(crate) fn work(&mut self, dice: &mut Dice) -> Vec<Routed> {
        // Mostly it keeps up.
        let takes = if dice.chance(70) { usize::MAX } else { dice.below(4) };
        for _ in 0..takes {
            let Some(op) = self.inputs.pop_front() else { break };
            self.take(op);
        }
        let mut out = Vec::new();
        let turns = if dice.chance(70) { usize::MAX } else { dice.below(4) };
        for _ in 0..turns {
            if !self.turn(dice, &mut out) {
                break;
            }
        }
        out
    }

    fn take(&mut self, op: RouterOp) {
        match op {
            RouterOp::Subscribe(id, filter) => {
                self.filters.insert(id, filter);
                self.known.clear();
            }
            RouterOp::Fence(number) => self.logs.entry(FENCE).or_default().push_back(number),
            RouterOp::Publish(message) => {
                if !self.known.contains_key(&message.topic) {
                    let filters = self.filters.iter();
                    let matching = filters.filter(|(_, f)| topic::matches(f, &message.topic));
                    let matching = matching.map(|(id, _)| *id).collect();
                    self.known.insert(message.topic.clone(), matching);
                }
                for id in &self.known[&message.topic] {
                    self.logs.entry(*id).or_default().push_back(message.order);
                }
            }
        }
    }

    /// One filter's turn; false when nothing is left to do.
    fn turn(&mut self, dice: &mut Dice, out: &mut Vec<Routed>) -> bool {
        if self.round.is_empty() {
            let ready = self.logs.iter().filter(|(_, log)| !log.is_empty());
            self.round = ready.map(|(id, _)| *id).collect();
        }
        if self.round.is_empty() {
            return false;
        }
        let id = self.round.swap_remove(dice.below(self.round.len()));
        let log = self.logs.get_mut(&id).map(std::mem::take).unwrap_or_default();
        out.extend(log.into_iter().map(|number| match id {
            FENCE => Routed::Fence(number),
            _ => Routed::Match(id, number),
        }));
        true
    }
}
