//! Whole systems, in every test run: with the classes of trouble whose faults are mended.

mod usual;

use hearth_sim::fleet::What;
use hearth_sim::{Classes, Options, run_system};

#[test]
fn every_claim_holds_in_a_thousand_systems() {
    usual::play(What::System, 1_000, "HEARTH_SYSTEM_SEEDS");
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..20 {
        let run = || run_system(seed, Options { classes: Classes::ALL, ..Options::default() });
        assert_eq!(run(), run());
    }
}
