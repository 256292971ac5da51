//! Which seed of a simulator finds each deliberate mistake: a text file, checked by every test run.
//!
//! | said | what [`check`] does |
//! |---|---|
//! | nothing | plays each mistake's recorded seed, which must break the claim that stands beside it |
//! | `UPDATE=1` | searches anew for mistakes that their seeds do not find any more, and writes the file |
//! | `SEARCH=1` | searches for every mistake from seed 0 on, and leaves the file alone |
//!
//! `MISTAKE=Name` looks at one mistake only, and `MISTAKE_SEEDS` plays more seeds than 10,000 for each. A mistake that
//! no seed finds has a scenario instead: its row names the test that fails with the mistake made. One that nothing
//! finds is a known hole: its row says `nothing below` so many seeds.

#![allow(clippy::print_stdout, reason = "a test says what it found")]

mod file;
mod workers;

use std::env::{var, var_os};
use std::fmt::Debug;
use std::path::Path;

pub use file::{Found, Row, read};
use workers::each;

/// A mistake that so many seeds do not find is a hole in the simulator.
const SEEDS: u64 = 10_000;

/// A list of deliberate mistakes, and how to play a seed with one of them made.
#[derive(Clone, Copy, Debug)]
pub struct List<'a, M> {
    /// All mistakes; each is called what `Debug` prints.
    pub all: &'a [M],
    /// A mistake in words.
    pub words: fn(M) -> &'static str,
    /// Which of the known ways to get it wrong a mistake is.
    pub item: fn(M) -> u8,
    /// The claim that a seed breaks with this mistake made, if any.
    pub play: fn(M, u64) -> Option<String>,
    /// The claim that the same seed breaks without any mistake, if any.
    pub plain: fn(u64) -> Option<String>,
}

/// Checks the file, writes it anew, or searches without it, as the environment says.
///
/// # Panics
/// If a mistake is not found, or not as the file says, with the command that helps; or if the file cannot be read.
pub fn check<M: Copy + Debug + Sync>(path: &Path, list: &List<'_, M>) {
    let said = |variable| var_os(variable).is_some_and(|value| value != "0");
    if said("SEARCH") {
        search(path, list);
    } else if said("UPDATE") {
        update(path, list);
    } else {
        replay(path, list);
    }
}

/// Every mistake is found by its recorded seed.
fn replay<M: Copy + Debug + Sync>(path: &Path, list: &List<'_, M>) {
    let recorded = read(path);
    let names = list.all.iter().map(|mistake| format!("{mistake:?}"));
    let listed: Vec<_> = recorded.iter().map(|row| row.name.clone()).collect();
    assert_eq!(names.collect::<Vec<_>>(), listed, "other mistakes than in {}", hint(path));
    let now = rows(list, |mistake| match found(&recorded, mistake) {
        Found::Seed { seed, .. } => list.try_seed(mistake, seed).unwrap_or(Found::Nothing),
        other => other,
    });
    let differs = |row: &&Row| row.found == Found::Nothing || !recorded.contains(row);
    let wrong: Vec<_> = now.iter().filter(differs).map(|row| format!("{row} now")).collect();
    assert!(wrong.is_empty(), "not as recorded in {}:\n{}", hint(path), wrong.join("\n"));
    let count =
        |is_meant: fn(&Found) -> bool| now.iter().filter(|row| is_meant(&row.found)).count();
    let seeds = count(|found| matches!(found, Found::Seed { .. }));
    let scenarios = count(|found| matches!(found, Found::Scenario(_)));
    println!("{seeds} mistakes are found by their seeds, {scenarios} by scenarios");
    for row in now.iter().filter(|row| matches!(row.found, Found::NoneBelow(_))) {
        println!("not found yet: {row}");
    }
}

/// Keeps the seeds that still find their mistakes, searches for the others, and writes the file.
fn update<M: Copy + Debug + Sync>(path: &Path, list: &List<'_, M>) {
    let recorded = if path.exists() { read(path) } else { Vec::new() };
    let named = var_os("MISTAKE").is_some();
    let now = rows(list, |mistake| match found(&recorded, mistake) {
        Found::Seed { seed, .. } => {
            list.try_seed(mistake, seed).unwrap_or_else(|| list.hunt(mistake))
        }
        Found::Nothing => list.hunt(mistake),
        before if named => list.hunt(mistake).or(before),
        before => before,
    });
    // What was not looked at stays as it was.
    let row = |mistake: &M| {
        let name = format!("{mistake:?}");
        let row = now.iter().chain(&recorded).find(|row| row.name == name);
        row.cloned().unwrap_or_else(|| list.row(*mistake, Found::Nothing))
    };
    file::write(path, &list.all.iter().map(row).collect::<Vec<_>>());
    let lost: Vec<_> = now.iter().filter(|row| row.found == Found::Nothing).collect();
    assert!(lost.is_empty(), "no seed finds these, so each needs a scenario: {lost:?}");
}

/// Searches for every mistake, and says what found it.
fn search<M: Copy + Debug + Sync>(path: &Path, list: &List<'_, M>) {
    let recorded = read(path);
    let now = rows(list, |mistake| list.hunt(mistake));
    now.iter().for_each(|row| println!("{row}"));
    let lost = |row: &&Row| {
        let known = recorded.iter().find(|known| known.name == row.name);
        let known = known.is_some_and(|known| !matches!(known.found, Found::Seed { .. }));
        row.found == Found::Nothing && !known
    };
    let lost: Vec<_> = now.iter().filter(lost).map(|row| &row.name).collect();
    assert!(lost.is_empty(), "{} seeds do not find {lost:?}", seeds());
}

/// A row for each mistake that is asked for.
fn rows<M: Copy + Debug + Sync>(list: &List<'_, M>, find: impl Fn(M) -> Found + Sync) -> Vec<Row> {
    let wanted = var("MISTAKE").ok();
    let is_wanted =
        |mistake: &&M| wanted.as_ref().is_none_or(|wanted| *wanted == format!("{mistake:?}"));
    let mistakes: Vec<M> = list.all.iter().filter(is_wanted).copied().collect();
    each(&mistakes, |mistake| list.row(mistake, find(mistake)))
}

impl<M: Copy + Debug> List<'_, M> {
    fn row(&self, mistake: M, found: Found) -> Row {
        let (item, words) = ((self.item)(mistake), (self.words)(mistake).to_owned());
        Row { name: format!("{mistake:?}"), item, found, words }
    }

    fn try_seed(&self, mistake: M, seed: u64) -> Option<Found> {
        let claim = (self.play)(mistake, seed)?;
        // A seed that breaks a claim anyway finds a bug, and no mistake.
        if (self.plain)(seed).is_some() {
            return None;
        }
        Some(Found::Seed { seed, claim: without_line(&claim) })
    }

    /// The first seed that finds the mistake.
    fn hunt(&self, mistake: M) -> Found {
        (0..seeds()).find_map(|seed| self.try_seed(mistake, seed)).unwrap_or(Found::Nothing)
    }
}

/// An assertion's line changes too often to be recorded.
fn without_line(claim: &str) -> String {
    let place = claim.rsplit_once(':').filter(|(place, line)| {
        place.starts_with("assertion at") && line.bytes().all(|byte| byte.is_ascii_digit())
    });
    place.map_or(claim, |(place, _)| place).to_owned()
}

fn found<M: Debug>(recorded: &[Row], mistake: M) -> Found {
    let name = format!("{mistake:?}");
    let row = recorded.iter().find(|row| row.name == name);
    row.map_or(Found::Nothing, |row| row.found.clone())
}

fn seeds() -> u64 {
    var("MISTAKE_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

fn hint(path: &Path) -> String {
    format!("{} (the same test with UPDATE=1 writes it anew)", path.display())
}

#[cfg(test)]
mod tests;
