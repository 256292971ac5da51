//! Seeds of a Paxos group, in every test run: some that are always the same, and some that are new each time.

mod usual;

use hearth_sim::fleet::What;
use hearth_sim::{Options, run_group};

/// HEARTH_SIM_SEEDS runs more or fewer.
const SEEDS: u64 = 100_000;

#[test]
fn every_claim_holds_in_the_usual_seeds_and_in_new_ones() {
    usual::play(What::Group, SEEDS, "HEARTH_SIM_SEEDS");
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..20 {
        let [first, second] = [(), ()].map(|()| run_group(seed, Options::default()));
        assert_eq!(first, second);
    }
}
