//! Checks recorded histories of registers: could everything that the clients saw have happened one
//! operation at a time, each somewhere between its call and its return?
//!
//! That is linearizability. Every key is a register of its own, which holds nothing at first. A
//! write whose outcome nobody knows may take effect at any time after its call, or never.
//!
//! ```
//! use linear::{Action, Operation, check};
//!
//! let operation = |client, action, called, returned| Operation {
//!     key: "kitchen/lamp".into(), client, action, called, returned: Some(returned),
//! };
//! let history = [
//!     operation(1, Action::Write(7), 0, 10),
//!     operation(2, Action::Read(None), 5, 12),
//!     operation(2, Action::Read(Some(7)), 13, 20),
//! ];
//! assert_eq!(check(&history).map(|checked| checked.operations), Ok(3));
//!
//! let stale = operation(3, Action::Read(None), 21, 22);
//! let violation = check(&[history.as_slice(), &[stale.clone()]].concat()).unwrap_err();
//! assert_eq!(violation.misfit, stale);
//! ```
//!
//! Nothing here knows Hearth: times are numbers of any unit, values are numbers, and it does not
//! matter whether real processes or a simulator made the history.

mod explain;
mod search;

use std::collections::BTreeMap;
use std::fmt;

pub use explain::Violation;

/// What one client did, and when, on one clock for all clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The register.
    pub key: String,
    /// Who did it, for people.
    pub client: u64,
    /// What.
    pub action: Action,
    /// When it was begun.
    pub called: u64,
    /// When its outcome was known; none if it never was. Two operations of which one returns in
    /// the moment in which the other is called count as concurrent.
    pub returned: Option<u64>,
}

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It wrote this value.
    Write(u64),
    /// It saw this value; none if nothing had been written.
    Read(Option<u64>),
}

/// What was looked at and found good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Registers.
    pub keys: usize,
    /// Operations, without reads of unknown outcome, which say nothing.
    pub operations: usize,
    /// Writes among them whose outcome is unknown.
    pub unknown: usize,
}

/// Checks a history, in any order, key by key.
///
/// # Errors
/// When a key's operations contradict each other; the first such key by name is explained.
///
/// # Panics
/// When an operation returns before it is called: then the clock or the recorder is broken, and no
/// verdict would mean anything.
pub fn check(history: &[Operation]) -> Result<Checked, Box<Violation>> {
    let mut keys: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        let in_order = operation.returned.is_none_or(|returned| operation.called <= returned);
        assert!(in_order, "an operation returns before it is called: {operation}");
        if operation.returned.is_some() || matches!(operation.action, Action::Write(_)) {
            keys.entry(&operation.key).or_default().push(operation);
        }
    }
    let mut checked = Checked { keys: keys.len(), ..Checked::default() };
    for operations in keys.into_values() {
        if !search::is_linearizable(&operations) {
            return Err(Box::new(explain::explain(&operations)));
        }
        checked.operations += operations.len();
        checked.unknown += operations.iter().filter(|o| o.returned.is_none()).count();
    }
    Ok(checked)
}

/// A history as JSON lines, one operation each, in the order in which they were called.
#[must_use]
pub fn json_lines(history: &[Operation]) -> String {
    let mut sorted: Vec<_> = history.iter().collect();
    sorted.sort_by_key(|operation| operation.called);
    sorted.into_iter().map(|operation| operation.json() + "\n").collect()
}

impl Operation {
    /// This operation as one JSON object; what is unknown or absent is null.
    #[must_use]
    pub fn json(&self) -> String {
        let number = |number: Option<u64>| number.map_or("null".to_owned(), |n| n.to_string());
        let (verb, value) = match self.action {
            Action::Write(value) => ("write", Some(value)),
            Action::Read(value) => ("read", value),
        };
        let key: String = self.key.chars().map(escaped).collect();
        format!(
            r#"{{"key":"{key}","client":{},"{verb}":{},"called":{},"returned":{}}}"#,
            self.client,
            number(value),
            self.called,
            number(self.returned)
        )
    }
}

fn escaped(character: char) -> String {
    match character {
        '"' | '\\' => format!("\\{character}"),
        control if control.is_control() => format!("\\u{:04x}", u32::from(control)),
        plain => plain.to_string(),
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {} ", self.client)?;
        match self.action {
            Action::Write(value) => write!(f, "writes {value}")?,
            Action::Read(Some(value)) => write!(f, "reads {value}")?,
            Action::Read(None) => write!(f, "reads nothing")?,
        }
        match self.returned {
            Some(returned) => write!(f, " between {} and {returned}", self.called),
            None => write!(f, " after {}, outcome unknown", self.called),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_written_as_json_lines() {
        let write = Operation {
            key: "a \"b\"\n".into(),
            client: 2,
            action: Action::Write(5),
            called: 9,
            returned: None,
        };
        let action = Action::Read(None);
        let read = Operation { action, called: 1, returned: Some(3), ..write.clone() };
        let lines = json_lines(&[write, read]);
        assert_eq!(
            lines,
            concat!(
                r#"{"key":"a \"b\"\u000a","client":2,"read":null,"called":1,"returned":3}"#,
                "\n",
                r#"{"key":"a \"b\"\u000a","client":2,"write":5,"called":9,"returned":null}"#,
                "\n"
            )
        );
    }

    #[test]
    #[should_panic(expected = "returns before it is called")]
    fn a_broken_clock_gives_no_verdict() {
        let (key, action) = ("a".to_owned(), Action::Write(5));
        let _ = check(&[Operation { key, client: 2, action, called: 9, returned: Some(8) }]);
    }
}
