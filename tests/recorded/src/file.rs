//! The file: a row for each mistake, its columns apart by `|`.

use std::fmt::{self, Write};
use std::path::Path;

const HEAD: &str = "\
# Deliberate mistakes: name, item, the seed that finds it, the claim that breaks, the mistake in words.
# Written by the test beside it with UPDATE=1.
";

/// What is known of one mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The mistake's name.
    pub name: String,
    /// Which of the known ways to get it wrong it is.
    pub item: u8,
    /// What finds it.
    pub found: Found,
    /// The mistake in words.
    pub words: String,
}

/// What finds a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A seed, by this claim.
    Seed {
        /// The seed.
        seed: u64,
        /// The claim that breaks.
        claim: String,
    },
    /// No seed, but the test of this name.
    Scenario(String),
    /// No seed below this one, and no test: a hole that is known.
    NoneBelow(u64),
    /// Nothing.
    Nothing,
}

impl Found {
    /// This, or the other one if this is nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::Nothing { other } else { self }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, by) = match &self.found {
            Found::Seed { seed, claim } => (seed.to_string(), claim.clone()),
            Found::Scenario(name) => ("-".to_owned(), format!("scenario {name}")),
            Found::NoneBelow(seeds) => ("-".to_owned(), format!("nothing below {seeds}")),
            Found::Nothing => ("-".to_owned(), "nothing".to_owned()),
        };
        let Self { name, item, words, .. } = self;
        write!(f, "{name:<26} | {item:>2} | {seed:>5} | {by} | {words}")
    }
}

/// The rows of a file.
///
/// # Panics
/// If the file cannot be read, with the reason and the line.
#[must_use]
pub fn read(path: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let row = |line| parse(line).unwrap_or_else(|| panic!("{}: no row: {line}", path.display()));
    lines.map(row).collect()
}

pub(crate) fn write(path: &Path, rows: &[Row]) {
    let mut text = HEAD.to_owned();
    for row in rows {
        let _ = writeln!(text, "{row}");
    }
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn parse(line: &str) -> Option<Row> {
    let mut columns = line.split('|').map(str::trim);
    let mut next = || columns.next();
    let (name, item, seed, by, words) = (next()?, next()?, next()?, next()?, next()?);
    let found = match (seed, by.split_once(' ')) {
        ("-", Some(("scenario", name))) => Found::Scenario(name.to_owned()),
        ("-", Some(("nothing", below))) => {
            Found::NoneBelow(below.strip_prefix("below ")?.parse().ok()?)
        }
        ("-", _) => Found::Nothing,
        (seed, _) => Found::Seed { seed: seed.parse().ok()?, claim: by.to_owned() },
    };
    Some(Row { name: name.to_owned(), item: item.parse().ok()?, found, words: words.to_owned() })
}
