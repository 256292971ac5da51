//! The search for an order: Wing and Gong's, with Lowe's memory of configurations that failed.
//!
//! Operations are numbered by their **deadline**, the time by which they must have taken effect.
//! `low` is the first that has not. What may be next is **enabled**: called before `low`'s
//! deadline. Three rules take most choices out of the search; each holds because an operation that
//! is enabled may be moved to the front of any order that completes the history, as far as time is
//! concerned:
//!
//! 1. An enabled read of the register's value is next. It changes nothing for the others.
//! 2. When there is none, a write must be next, and the register's value is lost. If reads of that
//!    value remain and no write of it does, this way is wrong.
//! 3. An enabled write is next if all remaining reads of its value are enabled too. Write and reads
//!    together leave the others as they were: the value before was to be lost anyway.
//!
//! Where values are unique, what is left has one choice that does not fail at once, so a history is
//! checked in time linear in its length and in the number of concurrent clients. Where values
//! repeat, the memory keeps the search from trying a configuration twice.

use std::collections::{HashMap, HashSet};

use crate::{Action, Operation};

/// Whether the operations of one key have an order.
pub(crate) fn is_linearizable(operations: &[&Operation]) -> bool {
    Search::new(Register::of(operations)).succeeds()
}

/// One operation, with its value's number.
#[derive(Clone, Copy)]
struct Step {
    value: usize,
    writes: bool,
    called: u64,
    deadline: u64,
}

/// The operations of one key, prepared.
struct Register {
    /// By deadline.
    steps: Vec<Step>,
    /// For each step, those from it on that are called before its deadline.
    open: Vec<Vec<usize>>,
    values: Vec<Value>,
}

/// A value that the register may hold. Number 0 is nothing.
#[derive(Clone, Default)]
struct Value {
    /// Reads of it, the last called first.
    reads: Vec<usize>,
    unread: usize,
    unwritten: usize,
}

/// The value of a register that nobody wrote.
const NOTHING: usize = 0;

impl Register {
    fn of(operations: &[&Operation]) -> Self {
        let mut steps = steps(operations);
        steps.sort_by_key(|step| (step.deadline, step.writes));
        let open = open(&steps);
        let count = steps.iter().map(|step| step.value).max().unwrap_or(NOTHING) + 1;
        let mut values = vec![Value::default(); count];
        for (at, step) in steps.iter().enumerate() {
            let value = &mut values[step.value];
            if step.writes {
                value.unwritten += 1;
            } else {
                value.unread += 1;
                value.reads.push(at);
            }
        }
        for value in &mut values {
            value.reads.sort_by_key(|at| std::cmp::Reverse(steps[*at].called));
        }
        Self { steps, open, values }
    }
}

/// Gives every operation its deadline.
///
/// A write of unknown outcome has none of its own. If nobody read its value it may as well never
/// have happened; if it alone wrote the value, it has happened by the time somebody has read it. So
/// unknown outcomes do not stay open for ever, unless values repeat.
fn steps(operations: &[&Operation]) -> Vec<Step> {
    let mut numbers = HashMap::new();
    // Per value: its writes, and when the first read of it returned.
    let mut seen: Vec<(usize, Option<u64>)> = vec![(0, None)];
    let mut steps = Vec::new();
    for operation in operations {
        let (value, writes) = match operation.action {
            Action::Write(value) => (Some(value), true),
            Action::Read(value) => (value, false),
        };
        let next = seen.len();
        let value = value.map_or(NOTHING, |value| *numbers.entry(value).or_insert(next));
        if value == next {
            seen.push((0, None));
        }
        let (written, read) = &mut seen[value];
        *written += usize::from(writes);
        if !writes {
            *read = [*read, operation.returned].into_iter().flatten().min();
        }
        steps.push((value, writes, operation));
    }
    let step = |(value, writes, operation): (usize, bool, &Operation)| {
        let deadline = match (operation.returned, seen[value]) {
            (Some(returned), _) => returned,
            (None, (_, None)) => return None,
            (None, (1, Some(read))) => read,
            (None, _) => u64::MAX,
        };
        Some(Step { value, writes, called: operation.called, deadline })
    };
    steps.into_iter().filter_map(|(value, writes, op)| step((value, writes, op))).collect()
}

fn open(steps: &[Step]) -> Vec<Vec<usize>> {
    let mut by_call: Vec<usize> = (0..steps.len()).collect();
    by_call.sort_by_key(|at| steps[*at].called);
    let mut calls = by_call.into_iter().peekable();
    let mut now: Vec<usize> = Vec::new();
    let mut all = Vec::with_capacity(steps.len());
    for (low, step) in steps.iter().enumerate() {
        now.retain(|at| *at >= low);
        while let Some(at) = calls.next_if(|at| steps[*at].called <= step.deadline) {
            if at >= low {
                now.push(at);
            }
        }
        all.push(now.clone());
    }
    all
}

/// A configuration of the search, and how to go back from it.
struct Search {
    register: Register,
    done: Vec<bool>,
    low: usize,
    value: usize,
    /// What was done, in order, with the value before.
    trail: Vec<(usize, usize)>,
    /// Where there was a choice: how long the trail was, and what is still to be tried.
    choices: Vec<(usize, Vec<usize>)>,
    failed: HashSet<(usize, Box<[usize]>, usize)>,
}

/// What may happen next in a configuration.
enum Next {
    /// This, and it costs nothing.
    Only(usize),
    /// One of these.
    Any(Vec<usize>),
}

impl Search {
    fn new(register: Register) -> Self {
        let done = vec![false; register.steps.len()];
        Self {
            register,
            done,
            low: 0,
            value: NOTHING,
            trail: Vec::new(),
            choices: Vec::new(),
            failed: HashSet::new(),
        }
    }

    fn succeeds(mut self) -> bool {
        while self.low < self.done.len() {
            match self.next() {
                Next::Only(at) => self.take(at),
                Next::Any(choices) => {
                    // A configuration that was here before did not succeed then either.
                    let choices = if self.is_new() { choices } else { Vec::new() };
                    self.choices.push((self.trail.len(), choices));
                    if !self.choose() {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn next(&self) -> Next {
        let Register { steps, open, values } = &self.register;
        let enabled = || open[self.low].iter().copied().filter(|at| !self.done[*at]);
        let mut reads = enabled().filter(|at| !steps[*at].writes);
        if let Some(read) = reads.find(|at| steps[*at].value == self.value) {
            return Next::Only(read);
        }
        if values[self.value].unread > 0 && values[self.value].unwritten == 0 {
            return Next::Any(Vec::new());
        }
        let writes: Vec<usize> = enabled().filter(|at| steps[*at].writes).collect();
        match writes.iter().find(|at| self.reads_are_enabled(steps[**at].value)) {
            Some(write) => Next::Only(*write),
            None => Next::Any(writes),
        }
    }

    /// Whether all remaining reads of a value may be done now.
    fn reads_are_enabled(&self, value: usize) -> bool {
        let Register { steps, values, .. } = &self.register;
        let last = values[value].reads.iter().find(|at| !self.done[**at]);
        last.is_none_or(|last| steps[*last].called <= steps[self.low].deadline)
    }

    fn is_new(&mut self) -> bool {
        let open = &self.register.open[self.low];
        // What is done beyond `low` was enabled before, and so is open now.
        let mut ahead: Vec<usize> = open.iter().copied().filter(|at| self.done[*at]).collect();
        ahead.sort_unstable();
        self.failed.insert((self.low, ahead.into(), self.value))
    }

    /// Goes back to the last choice that is left and takes it; false when there is none.
    fn choose(&mut self) -> bool {
        while let Some((length, choices)) = self.choices.last_mut() {
            let (length, choice) = (*length, choices.pop());
            self.undo(length);
            match choice {
                Some(at) => {
                    self.take(at);
                    return true;
                }
                None => self.choices.pop(),
            };
        }
        false
    }

    fn take(&mut self, at: usize) {
        let Step { value, writes, .. } = self.register.steps[at];
        self.trail.push((at, self.value));
        self.done[at] = true;
        let counts = &mut self.register.values[value];
        if writes {
            counts.unwritten -= 1;
            self.value = value;
        } else {
            counts.unread -= 1;
        }
        while self.done.get(self.low) == Some(&true) {
            self.low += 1;
        }
    }

    fn undo(&mut self, length: usize) {
        for (at, before) in self.trail.drain(length..).rev() {
            let Step { value, writes, .. } = self.register.steps[at];
            self.done[at] = false;
            self.low = self.low.min(at);
            self.value = before;
            let counts = &mut self.register.values[value];
            if writes {
                counts.unwritten += 1;
            } else {
                counts.unread += 1;
            }
        }
    }
}
