//! Says why a history has no order: where it goes wrong, and the few operations that show it.

use std::fmt;

use crate::search::is_linearizable;
use crate::{Action, Operation};

/// Operations of one key that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The register.
    pub key: String,
    /// So many operations, in the order in which they returned, still have an order.
    pub fits: usize,
    /// The next one to return, which has no place among them.
    pub misfit: Operation,
    /// Operations that contradict each other by themselves, in the order in which they were called.
    /// Without any one value among them, its write and its reads, they would not.
    pub contradiction: Vec<Operation>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, fits, misfit, contradiction } = self;
        writeln!(f, "{key} is not linearizable: {fits} operations have an order, but not with")?;
        writeln!(f, "  {misfit}")?;
        write!(f, "These contradict each other:")?;
        contradiction.iter().try_for_each(|operation| write!(f, "\n  {operation}"))
    }
}

impl std::error::Error for Violation {}

/// Explains the operations of one key, which have no order.
pub(crate) fn explain(operations: &[&Operation]) -> Violation {
    let mut returns: Vec<&Operation> = operations.to_vec();
    returns.retain(|operation| operation.returned.is_some());
    returns.sort_by_key(|operation| operation.returned);
    // What has no order gets none by going on, so the first such prefix is found by halving.
    let lengths: Vec<usize> = (1..=returns.len()).collect();
    let fits = lengths.partition_point(|length| holds(&prefix(operations, &returns, *length)));
    let broken = prefix(operations, &returns, fits + 1);
    let contradiction = fewer_reads(fewer_values(broken));
    let misfit = returns[fits].clone();
    Violation { key: misfit.key.clone(), fits, misfit, contradiction }
}

fn holds(operations: &[Operation]) -> bool {
    is_linearizable(&operations.iter().collect::<Vec<_>>())
}

/// The history as it looked when the first `length` operations had returned: what was called by
/// then and returned later was still open.
fn prefix(operations: &[&Operation], returns: &[&Operation], length: usize) -> Vec<Operation> {
    let (returned, later) = returns.split_at(length);
    let end = returned.last().and_then(|operation| operation.returned);
    let unknown = operations.iter().copied().filter(|operation| operation.returned.is_none());
    let open = later.iter().copied().chain(unknown).filter(|operation| {
        Some(operation.called) <= end && matches!(operation.action, Action::Write(_))
    });
    let open = open.map(|operation| Operation { returned: None, ..operation.clone() });
    let mut all: Vec<_> = returned.iter().copied().cloned().chain(open).collect();
    all.sort_by_key(|operation| operation.called);
    all
}

/// A value goes with its write and all its reads: a history that has an order has one without them
/// too, so what still has none is to blame. A write alone must not go, or its reads would seem wrong.
fn fewer_values(operations: Vec<Operation>) -> Vec<Operation> {
    let value = |operation: &Operation| match operation.action {
        Action::Write(value) => Some(value),
        Action::Read(value) => value,
    };
    fewer(operations.into_iter().map(|operation| (value(&operation), operation)).collect())
}

/// A read may always go: a history that has an order has one without it too.
fn fewer_reads(operations: Vec<Operation>) -> Vec<Operation> {
    let read = |number, operation: &Operation| match operation.action {
        Action::Write(_) => None,
        Action::Read(_) => Some(number),
    };
    let numbered = (0..).zip(operations).map(|(number, o)| (read(number, &o), o));
    fewer(numbered.collect())
}

/// Leaves out groups of operations that are not needed for the contradiction, many groups at once
/// as long as that works. What has no group stays.
fn fewer(mut grouped: Vec<(Option<u64>, Operation)>) -> Vec<Operation> {
    let mut groups: Vec<u64> = grouped.iter().filter_map(|(group, _)| *group).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut size = groups.len().div_ceil(2).max(1);
    loop {
        let mut needed = Vec::new();
        for chunk in groups.chunks(size) {
            let goes = |group: &Option<u64>| group.is_some_and(|g| chunk.binary_search(&g).is_ok());
            let rest: Vec<_> = grouped.iter().filter(|(group, _)| !goes(group)).cloned().collect();
            if is_linearizable(&rest.iter().map(|(_, operation)| operation).collect::<Vec<_>>()) {
                needed.extend_from_slice(chunk);
            } else {
                grouped = rest;
            }
        }
        groups = needed;
        if size == 1 {
            return grouped.into_iter().map(|(_, operation)| operation).collect();
        }
        size = size.div_ceil(2);
    }
}
