//! What devices and people have said that is to be agreed, and what they were told of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use linear::{Action, Operation};
use wire::Answer;

/// One thing that was said. It may be sent more than once.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) client: usize,
    pub(crate) place: String,
    /// An order, or a report.
    pub(crate) order: bool,
    /// None when it is nothing that can be agreed, or names nothing.
    pub(crate) value: Option<u64>,
    /// It can be recognised whoever says it again.
    pub(crate) has_id: bool,
    /// Whatever happens, it can only be refused.
    pub(crate) is_nonsense: bool,
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) response: Option<String>,
    pub(crate) said: u64,
    /// Somebody had been told of the device by then.
    pub(crate) device_known: bool,
    /// The life of the broker that was sent it first.
    pub(crate) broker_life: Option<u64>,
    /// The session of its sender in which it was sent first.
    pub(crate) session: Option<u64>,
    pub(crate) told: Told,
    /// The broker has acknowledged it, whether that was heard or not.
    pub(crate) settled: bool,
    /// The write of its value.
    pub(crate) operation: Option<usize>,
}

/// What its sender knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Nothing,
    /// It was acknowledged.
    Taken,
    /// It was refused, with this reason code.
    Refused,
    /// Nobody remembers that it was sent.
    Forgotten,
}

/// A question, by the topic on which it is to be answered.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) place: String,
    /// Its place among all questions.
    pub(crate) number: usize,
    pub(crate) called: u64,
    /// The newest change of the device that was known to anyone when this was asked.
    pub(crate) known: u64,
    pub(crate) answers: Vec<Answer>,
    pub(crate) operation: Option<usize>,
    /// The letter, for an order.
    pub(crate) letter: Option<usize>,
    /// How often it may be asked again; an order has an id then.
    pub(crate) again: u64,
    /// Milliseconds after which the order expires.
    pub(crate) expires: Option<u64>,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    pub(crate) all: Vec<Letter>,
    pub(crate) asked: BTreeMap<String, Asked>,
    /// Everything that was done to the registers, and when.
    pub(crate) operations: Vec<Operation>,
    /// Which operation writes a value.
    writes: BTreeMap<(bool, u64), usize>,
    /// Registers that were written more than once by the same word, perhaps.
    pub(crate) unjudged: BTreeSet<String>,
    /// Values of reports that were said again after later ones.
    unordered: BTreeSet<u64>,
    /// Values that may be applied more than once: what said them was sent again as something new, without an id.
    pub(crate) repeatable: BTreeSet<(bool, u64)>,
    /// The newest change of each device that somebody was told of.
    pub(crate) known: BTreeMap<String, u64>,
    /// Which letter says a value first.
    pub(crate) by_value: BTreeMap<(bool, u64), usize>,
    /// Every value is used once, so that it names what said it. From 10: 0 and 1 are words too.
    values: u64,
}

impl Letters {
    pub(crate) fn new_value(&mut self) -> u64 {
        self.values += 1;
        self.values + 9
    }

    /// The write of a value begins when it is said for the first time.
    pub(crate) fn begin(&mut self, place: &str, (order, value): (bool, u64), now: u64) -> usize {
        if let Some(known) = self.writes.get(&(order, value)) {
            return *known;
        }
        let (key, action) = (register(place, order), Action::Write(value));
        self.operations.push(Operation { key, client: 0, action, called: now, returned: None });
        let at = self.operations.len() - 1;
        self.writes.insert((order, value), at);
        at
    }

    /// The outcome of a write is known.
    pub(crate) fn returned(&mut self, operation: Option<usize>, now: u64) {
        if let Some(at) = operation {
            self.operations[at].returned.get_or_insert(now);
        }
    }

    /// Something may be applied again.
    pub(crate) fn may_repeat(&mut self, at: usize) {
        self.comes_late(at);
        let letter = &self.all[at];
        if let Some(value) = letter.value.filter(|_| !letter.has_id) {
            self.unjudged.insert(register(&letter.place, letter.order));
            self.repeatable.insert((letter.order, value));
        }
    }

    /// Whether this may be applied more than once. A report of a lamp names the order that it obeys.
    pub(crate) fn is_repeatable(&mut self, (order, value): (bool, u64)) -> bool {
        let obeyed = !order && self.repeatable.contains(&(true, value));
        if obeyed && let Some(letter) = self.by_value.get(&(false, value)) {
            self.unjudged.insert(register(&self.all[*letter].place, false));
        }
        obeyed || self.repeatable.contains(&(order, value))
    }

    /// It is said again, perhaps after what was said later.
    pub(crate) fn comes_late(&mut self, at: usize) {
        self.unordered.extend(self.all[at].value);
    }

    pub(crate) fn is_unordered(&self, value: u64) -> bool {
        self.unordered.contains(&value)
    }

    /// Whether somebody was told of a device.
    pub(crate) fn is_known(&self, place: &str) -> bool {
        self.known.get(place).is_some_and(|seq| *seq > 0)
    }

    /// Somebody knows of this change of a device from here on.
    pub(crate) fn knows(&mut self, place: &str, seq: u64) {
        let newest = self.known.entry(place.to_owned()).or_default();
        *newest = (*newest).max(seq);
    }
}

pub(crate) fn register(place: &str, order: bool) -> String {
    format!("{place} {}", if order { "desired" } else { "state" })
}
