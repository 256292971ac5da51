//! The simulator finds mistakes: those of `paxos::mutant` and `gateway_core::mutant`, made on purpose.
//! `HEARTH_MUTANTS=all` hunts every one; `MUTANTS.md` says what finds them.

use hearth_sim::{Options, Violation, run_group, run_home, run_system};
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

type Slip = gateway_core::mutant::Mutant;

/// The same of whole gateways, each found within some dozen homes.
const USUAL_AT_HOME: [Slip; 10] = [
    Slip::LeaseOutlivesTheWait,
    Slip::OpenedUnasked,
    Slip::AnyNumberApplied,
    Slip::IdIgnored,
    Slip::StampIgnored,
    Slip::SeenNotInSnapshot,
    Slip::AcknowledgedBeforeWritten,
    Slip::SilenceWhileDeaf,
    Slip::FiredTwice,
    Slip::OrdersNotSentAgain,
];

/// Those with time, which need devices that wait and wall clocks that are wrong: whole systems find them.
const TIME: u8 = 25;

const USUAL_IN_A_SYSTEM: [Slip; 4] =
    [Slip::StampedByTheWall, Slip::OneClockIsEnough, Slip::UndatedOrderKept, Slip::GapNotCounted];

fn all() -> bool {
    std::env::var("HEARTH_MUTANTS").is_ok_and(|which| which == "all")
}

fn hunt(name: &str, words: &str, run: impl Fn(u64) -> Option<Violation>) {
    let found = (0..10_000).find_map(run);
    let Some(violation) = found else { panic!("{name} is not found: {words}") };
    println!("{name}: {violation}");
}

#[test]
fn deliberate_mistakes_are_found() {
    for mutant in if all() { Mutant::ALL } else { &USUAL } {
        hunt(&format!("{mutant:?}"), mutant.words(), |seed| {
            run_group(seed, Options { mutant: Some(*mutant), ..Options::default() }).err()
        });
    }
}

#[test]
fn deliberate_mistakes_of_gateways_are_found() {
    let wanted = if all() { Slip::ALL } else { &USUAL_AT_HOME };
    for mutant in wanted.iter().filter(|mutant| mutant.item() != TIME) {
        hunt(&format!("{mutant:?}"), mutant.words(), |seed| {
            run_home(seed, Options { home_mutant: Some(*mutant), ..Options::default() }).err()
        });
    }
}

#[test]
fn deliberate_mistakes_with_time_are_found() {
    let wanted = if all() { Slip::ALL } else { &USUAL_IN_A_SYSTEM };
    for mutant in wanted.iter().filter(|mutant| mutant.item() == TIME) {
        hunt(&format!("{mutant:?}"), mutant.words(), |seed| {
            run_system(seed, Options { home_mutant: Some(*mutant), ..Options::default() }).err()
        });
    }
}
