//! The simulator finds every deliberate mistake of `broker-core`, each by the seed that `mistakes.txt` records.
//! `UPDATE=1 cargo test -p broker-sim --test mistakes` writes that file when seeds play other worlds than before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use broker_core::mutant::{Mutant, set_active};
use broker_sim::run;
use recorded::{List, check};

fn play(mutant: Option<Mutant>, seed: u64) -> Option<String> {
    set_active(mutant);
    let outcome = catch_unwind(AssertUnwindSafe(|| run(seed)));
    set_active(None);
    match outcome {
        Ok(outcome) => outcome.err().map(|broken| broken.claim.replace('_', " ")),
        Err(_) => Some("an assertion of the core itself".to_owned()),
    }
}

/// Only a whole system has devices that keep an order of reports; `tests/sim/mistakes/system.txt` has its seed.
fn needs_a_system(mutant: Mutant) -> bool {
    matches!(mutant, Mutant::RepetitionUnseen | Mutant::BehindTheNewer | Mutant::NewestFirst)
}

#[test]
fn mistakes_of_the_broker_are_found() {
    let all: Vec<_> = Mutant::ALL.iter().copied().filter(|it| !needs_a_system(*it)).collect();
    let list = List {
        all: &all,
        words: Mutant::words,
        item: Mutant::item,
        play: |mutant, seed| play(Some(mutant), seed),
        plain: |seed| play(None, seed),
    };
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mistakes.txt"), &list);
}
