//! The checker on histories that are known to be good or bad.

#![allow(clippy::unwrap_used, reason = "what a test cannot do is the test's result")]

mod brute_force;
mod large;
mod random;
mod written;

use linear::{Action, Operation};

/// One operation of key `a`: `w5 0-10`, `r5 3-4`, `r- 3-4` for a read of nothing, `w5 0-` for a
/// write of unknown outcome.
fn operation(client: u64, text: &str) -> Operation {
    let (action, times) = text.split_once(' ').unwrap();
    let (verb, value) = action.split_at(1);
    let action = match verb {
        "w" => Action::Write(value.parse().unwrap()),
        _ => Action::Read(value.parse().ok()),
    };
    let (called, returned) = times.split_once('-').unwrap();
    let (called, returned) = (called.parse().unwrap(), returned.parse().ok());
    Operation { key: "a".into(), client, action, called, returned }
}

/// A history of key `a`, one client for each operation.
fn history(text: &[&str]) -> Vec<Operation> {
    (1..).zip(text).map(|(client, text)| operation(client, text)).collect()
}
