//! The simulator finds mistakes: those of `paxos::mutant`, made on purpose. `HEARTH_MUTANTS=all` hunts every one;
//! `MUTANTS.md` says what finds them.

use hearth_sim::{Options, run_group};
use paxos::mutant::Mutant;

/// One of each kind; all of them take minutes.
const USUAL: [Mutant; 10] = [
    Mutant::PromiseForgotten,
    Mutant::OwnValueWins,
    Mutant::HalfIsEnough,
    Mutant::GapsNotFilled,
    Mutant::PartOfAReportIsEnough,
    Mutant::ConfirmedAlone,
    Mutant::ProposedBehindAChange,
    Mutant::RoundSentOnce,
    Mutant::FailedSyncIgnored,
    Mutant::ApplyReadsTheClock,
];

#[test]
fn deliberate_mistakes_are_found() {
    let all = std::env::var("HEARTH_MUTANTS").is_ok_and(|which| which == "all");
    let mutants: &[Mutant] = if all { Mutant::ALL } else { &USUAL };
    for mutant in mutants {
        let found = (0..10_000).find_map(|seed| {
            let options = Options { mutant: Some(*mutant), ..Options::default() };
            run_group(seed, options).err()
        });
        let Some(violation) = found else {
            panic!("{mutant:?} is not found: {}", mutant.words());
        };
        println!("{mutant:?}: {violation}");
    }
}
