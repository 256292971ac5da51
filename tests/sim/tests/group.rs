//! Seeds of a Paxos group, in every test run. They are always the same ones: about one new one in 100,000 finds replicas
//! that are not equal ten seconds after the faults (4124156812184, 4332538582965), which is not understood yet.

mod usual;

use hearth_sim::fleet::What;
use hearth_sim::{Options, run_group};

/// HEARTH_SIM_SEEDS runs more or fewer.
const SEEDS: u64 = 100_000;

#[test]
fn every_claim_holds_in_the_usual_seeds() {
    usual::play(What::Group, SEEDS, "HEARTH_SIM_SEEDS", false);
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in 0..20 {
        let [first, second] = [(), ()].map(|()| run_group(seed, Options::default()));
        assert_eq!(first, second);
    }
}
