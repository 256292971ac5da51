//! Gives a decoder inputs that nobody meant, and expects an error or a value: no panic, no hang.
//!
//! ```text
//!  corpus/<target>/*  ──▶ as they are ──▶ target
//!        │                                  │ inputs that it took are changed further
//!        └──────▶ mutator (seeded) ──▶ ◀────┘
//! ```
//!
//! A run is a number of inputs, never a time, and the same seed gives the same inputs. An input that a target panics
//! on is printed as hex and kept beside the corpus, so that the next run begins with it.
//!
//! Variables of the environment, for longer runs (`tests/fuzz/long` sets them):
//! - `HEARTH_FUZZ_TIMES`: so many times as many inputs as usual;
//! - `HEARTH_FUZZ_SEED`: another number gives other inputs;
//! - `HEARTH_FUZZ_COUNT`: a file that gets a line for every target, with how many inputs it was given.

mod disk;
mod mutator;

pub use disk::spoil;
pub use hearth_random::Random;
pub use mutator::Mutator;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

/// Inputs that a target took and that are changed further; beyond, a new one replaces a random old one.
const TAKEN: usize = 256;

/// Gives `target` its corpus and then `usual` changed inputs, or a multiple of that, see [`runs`].
///
/// The target returns whether it took the input; whatever it asserts beyond that is its own.
///
/// # Panics
/// When the target does, or when there is no corpus of this name.
pub fn run(name: &str, usual: u64, mut target: impl FnMut(&[u8]) -> bool) {
    let folder = corpus(name);
    let mut known = inputs(&folder);
    assert!(!known.is_empty(), "{} holds no inputs", folder.display());
    let mut taken = 0u64;
    for input in &known {
        taken += u64::from(judged(name, input, &mut target));
    }
    let runs = runs(usual);
    let first = known.len();
    let mut mutator = Mutator::new(seed(name));
    for _ in 0..runs {
        let input = mutator.change(&known);
        if judged(name, &input, &mut target) {
            taken += 1;
            if known.len() < first + TAKEN {
                known.push(input);
            } else {
                let at = first + mutator.random.below(TAKEN);
                known[at] = input;
            }
        }
    }
    count(name, runs + first as u64, taken);
}

/// How many inputs a target gets: `usual`, times what `HEARTH_FUZZ_TIMES` says.
///
/// # Panics
/// When the variable is set and is no number.
#[must_use]
pub fn runs(usual: u64) -> u64 {
    usual * number("HEARTH_FUZZ_TIMES").unwrap_or(1)
}

/// Says how many inputs a target was given and took, and adds a line to the file of `HEARTH_FUZZ_COUNT`.
///
/// # Panics
/// When that file cannot be written.
pub fn count(name: &str, inputs: u64, taken: u64) {
    println!("{name}: {inputs} inputs, {taken} taken");
    if let Some(path) = std::env::var_os("HEARTH_FUZZ_COUNT") {
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(path)
            .expect("the count can be kept");
        writeln!(file, "{name} {inputs} {taken}").expect("the count can be kept");
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")))
}

/// Where the inputs of a target are kept.
#[must_use]
pub fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

/// Keeps an input of a target under its own name.
///
/// # Panics
/// When the folder cannot be written.
pub fn keep(name: &str, file: &str, input: &[u8]) -> PathBuf {
    let folder = corpus(name);
    fs::create_dir_all(&folder).expect("the corpus can be written");
    let path = folder.join(file);
    fs::write(&path, input).expect("the corpus can be written");
    path
}

/// Where a target's randomness starts; elsewhere for each `HEARTH_FUZZ_SEED`.
///
/// # Panics
/// When the variable is set and is no number.
#[must_use]
pub fn seed(name: &str) -> u64 {
    hash(name.as_bytes()) ^ number("HEARTH_FUZZ_SEED").unwrap_or(0)
}

fn inputs(folder: &PathBuf) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("the corpus can be read")).collect()
}

fn judged(name: &str, input: &[u8], target: &mut impl FnMut(&[u8]) -> bool) -> bool {
    match catch_unwind(AssertUnwindSafe(|| target(input))) {
        Ok(taken) => taken,
        Err(panic) => {
            let path = keep(name, &format!("found-{:016x}", hash(input)), input);
            eprintln!("{name} fails on {} ({})", hex(input), path.display());
            resume_unwind(panic)
        }
    }
}

/// FNV-1a, 64 bits: names inputs, and cuts them the same way in every run.
#[must_use]
pub fn hash(input: &[u8]) -> u64 {
    let start = 0xCBF2_9CE4_8422_2325;
    input
        .iter()
        .fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

/// The input in one to a hundred pieces, as a network may bring it; the same ones in every run.
#[must_use]
pub fn pieces(input: &[u8]) -> Vec<&[u8]> {
    let mut random = Random::new(hash(input));
    let longest = 1 + input.len() / (1 + random.below(100));
    let (mut pieces, mut rest) = (Vec::new(), input);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + random.below(longest)).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn hex(input: &[u8]) -> String {
    let mut text = String::new();
    for byte in input.iter().take(1024) {
        _ = write!(text, "{byte:02x}");
    }
    if input.len() > 1024 {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_panics_is_seen_and_its_input_kept() {
        let name = "unit-test-of-the-runner";
        keep(name, "seed", b"seed");
        let hits = |input: &[u8]| {
            assert!(input.len() < 6 || input[0] != 0xFF, "found");
            true
        };
        let found = catch_unwind(|| run(name, 1_000_000, hits));
        let kept = inputs(&corpus(name));
        fs::remove_dir_all(corpus(name)).expect("it was made here");
        assert!(found.is_err());
        assert!(kept.iter().any(|input| input.len() >= 6 && input[0] == 0xFF));
    }

    #[test]
    fn a_seed_gives_the_same_inputs_in_every_run() {
        let corpus = [b"one".to_vec(), b"{\"two\":2}".to_vec()];
        let all = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..100).map(|_| mutator.change(&corpus)).collect::<Vec<_>>()
        };
        assert_eq!(all(7), all(7));
        assert_ne!(all(7), all(8));
    }
}
