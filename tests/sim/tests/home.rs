//! Seeds of whole homes, in every test run: some that are always the same, and some that are new each time.

mod usual;

use hearth_sim::fleet::What;
use hearth_sim::{Options, run_home};

/// HEARTH_HOME_SEEDS runs more or fewer.
const SEEDS: u64 = 10_000;

#[test]
fn every_claim_holds_in_the_usual_homes_and_in_new_ones() {
    usual::play(What::Home, SEEDS, "HEARTH_HOME_SEEDS");
}

#[test]
fn a_seed_is_the_same_home_every_time() {
    for seed in 0..20 {
        let [first, second] = [(), ()].map(|()| run_home(seed, Options::default()));
        assert_eq!(first, second);
    }
}
