//! Whether two replicas say the same.

use std::collections::BTreeMap;

use wire::visible;

use super::{HistoryRow, Replica};

/// What differs between two replicas; nothing when they agree.
///
/// At equal slot every replicated table must be equal. Otherwise the one that is behind (it died, or
/// it was read earlier) must have been where the other one was at that point.
#[must_use]
pub fn differences(a: &Replica, b: &Replica) -> Vec<String> {
    let mut found = Vec::new();
    if a.site != b.site {
        found.push(format!("one is of site {}, the other of {}", a.site, b.site));
    }
    log(a, b, &mut found);
    if a.applied == b.applied {
        tables(a, b, &mut found);
    } else {
        let (behind, ahead) = if a.applied < b.applied { (a, b) } else { (b, a) };
        prefix(behind, ahead, &mut found);
    }
    found
}

/// What both know to be chosen is the same value in every slot that both still have.
fn log(a: &Replica, b: &Replica, found: &mut Vec<String>) {
    let chosen = a.applied.min(b.applied);
    let values: BTreeMap<_, _> = b.log.iter().map(|row| (row.slot, &row.value)).collect();
    for row in a.log.iter().filter(|row| row.slot <= chosen) {
        if values.get(&row.slot).is_some_and(|value| **value != row.value) {
            found.push(format!("{} hold different values in slot {}", pair(a, b), row.slot));
        }
    }
}

fn tables(a: &Replica, b: &Replica, found: &mut Vec<String>) {
    let names = a.tables.keys().chain(b.tables.keys().filter(|name| !a.tables.contains_key(*name)));
    for name in names {
        if a.tables.get(name) != b.tables.get(name) {
            let rows = |replica: &Replica| replica.tables.get(name).map_or(0, |table| table.rows);
            let rows = format!("{} and {} rows", rows(a), rows(b));
            let slot = a.applied;
            found.push(format!("table {name} of {} differs at slot {slot} ({rows})", pair(a, b)));
        }
    }
    history(a, b, u64::MAX, found);
}

fn prefix(behind: &Replica, ahead: &Replica, found: &mut Vec<String>) {
    let last = behind.history.last().map_or(0, |row| row.seq);
    history(behind, ahead, last, found);
    let registered = behind.devices.iter().zip(&ahead.devices).all(|(one, other)| one == other);
    if !registered || behind.devices.len() > ahead.devices.len() {
        found.push(format!("{} registered different devices", pair(behind, ahead)));
    }
    // With its beginning pruned, the history no longer tells every register.
    if ahead.history.first().is_some_and(|row| row.seq == 1) {
        status(behind, ahead, last, found);
    }
}

/// The first change up to `last` in which the two histories differ.
fn history(a: &Replica, b: &Replica, last: u64, found: &mut Vec<String>) {
    let first = |replica: &Replica| replica.history.first().map_or(u64::MAX, |row| row.seq);
    let from = first(a).max(first(b));
    let rows = |replica: &'_ Replica| -> Vec<HistoryRow> {
        let kept = |row: &&HistoryRow| (from..=last).contains(&row.seq);
        replica.history.iter().filter(kept).cloned().collect()
    };
    let (one, other) = (rows(a), rows(b));
    let length = one.len().max(other.len());
    if let Some(at) = (0..length).find(|at| one.get(*at) != other.get(*at)) {
        let show = |row: Option<&HistoryRow>| row.map_or("nothing".to_owned(), show);
        let seq = one.get(at).or(other.get(at)).map_or(0, |row| row.seq);
        let (left, right) = (show(one.get(at)), show(other.get(at)));
        found.push(format!("history of {} differs at seq {seq}: {left}, {right}", pair(a, b)));
    }
}

/// The status of the one behind is what the other one's history says of that point.
fn status(behind: &Replica, ahead: &Replica, last: u64, found: &mut Vec<String>) {
    for row in &behind.status {
        let register = |name: &str| {
            let mut changes = ahead.history.iter().rev().filter(|change| change.seq <= last);
            changes.find(|change| change.node == row.node && change.register == name)
        };
        let value = |name| register(name).map(|change| change.state.clone());
        let seq =
            register("state").map(|change| change.seq).max(register("desired").map(|c| c.seq));
        let same = (row.state.clone(), row.desired.clone()) == (value("state"), value("desired"))
            && seq.is_none_or(|seq| seq == row.seq);
        if !same {
            let (name, pair) = (&row.name, pair(behind, ahead));
            found.push(format!("status of {name} differs between {pair} at seq {last}"));
        }
    }
}

fn show(row: &HistoryRow) -> String {
    format!("{}:{} {} at {}", row.node, row.register, visible(&row.state), row.time)
}

fn pair(a: &Replica, b: &Replica) -> String {
    format!("gateways {} and {}", a.gateway, b.gateway)
}
