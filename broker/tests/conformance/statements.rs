//! The statements of both standards, and whether each has its test.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::{Case, Version};

/// One line of `statements/*.txt`.
pub(crate) struct Statement {
    pub(crate) id: &'static str,
    /// `client` concerns a server no more than what it must do about clients that do not care.
    pub(crate) who: &'static str,
    pub(crate) demand: &'static str,
    /// Why it has no test although it concerns a server.
    pub(crate) untested: Option<&'static str>,
}

impl Statement {
    fn read(line: &'static str) -> Self {
        let (line, untested) = match line.split_once(" -- ") {
            Some((line, reason)) => (line, Some(reason)),
            None => (line, None),
        };
        let (id, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (who, demand) = rest.trim().split_once(' ').unwrap_or((rest, ""));
        Self { id, who, demand: demand.trim(), untested }
    }
}

pub(crate) fn all(version: Version) -> impl Iterator<Item = Statement> {
    let text = match version {
        Version::V311 => include_str!("statements/mqtt-3.1.1.txt"),
        Version::V5 => include_str!("statements/mqtt-5.txt"),
    };
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(Statement::read)
}

/// Everything that is wrong with the table of a version, in words.
pub(crate) fn faults(version: Version, cases: &[Case]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |id: &str, what: String| {
        faults.push(format!("MQTT {} [MQTT-{id}] {what}", version.name()));
    };
    let mut proven: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for case in cases {
        for id in case.ids(version) {
            proven.entry(id).or_default().push(case.name);
        }
    }
    let mut known = BTreeSet::new();
    for statement in all(version) {
        let Statement { id, who, demand, untested } = statement;
        if !known.insert(id) {
            fault(id, "is listed twice".to_owned());
        }
        if !["server", "client", "both"].contains(&who) || demand.is_empty() {
            fault(id, format!("is not written as \"id who demand\": {who:?} {demand:?}"));
        }
        match (who, untested, proven.get(id)) {
            ("client", Some(_), _) => fault(id, "concerns the client: no reason needed".to_owned()),
            ("server" | "both", None, None) => fault(id, format!("has no test: {demand}")),
            (_, Some(_), Some(tests)) => {
                fault(id, format!("has a reason for having no test, but {tests:?} prove it"));
            }
            _ => {}
        }
    }
    for (id, tests) in proven {
        if !known.contains(id) {
            fault(id, format!("does not exist, but {tests:?} prove it"));
        }
    }
    faults
}

/// The table with the tests of each statement, to read.
pub(crate) fn print(version: Version, cases: &[Case]) {
    for statement in all(version) {
        let Statement { id, who, demand, untested } = statement;
        let tests = cases.iter().filter(|case| case.ids(version).any(|proves| proves == id));
        let mut tests: Vec<_> = tests.map(Case::path).collect();
        tests.extend(untested.map(|reason| format!("no test: {reason}")));
        println!("MQTT {} [MQTT-{id}] {who}: {demand}\n    {}", version.name(), tests.join(", "));
    }
}
