//! Seeds of whole homes, in every test run: some that are always the same, and some that are new each time.

use std::time::{SystemTime, UNIX_EPOCH};

use hearth_sim::fleet::{Order, What, run};
use hearth_sim::{Options, run_home};

/// HEARTH_HOME_SEEDS runs more or fewer.
const SEEDS: u64 = 10_000;

#[test]
fn every_claim_holds_in_the_usual_homes_and_in_new_ones() {
    let seeds = std::env::var("HEARTH_HOME_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let half = seeds.unwrap_or(SEEDS) / 2;
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let fresh = clock.as_nanos() as u64 & 0xFFFF_FFFF_FFFF;
    println!("{half} homes from 0 and {half} from {fresh} on");
    for from in [0, fresh] {
        let report = run(&Order::new(What::Home, from, half), &|| {}).unwrap();
        println!(
            "{:.0} homes a second: {}",
            half as f64 / report.spent.as_secs_f64(),
            report.summary
        );
        if let Some(failure) = report.violation {
            panic!("{failure}");
        }
        let never = report.summary.rows().into_iter().filter(|(_, count)| *count == 0);
        let never: Vec<_> = never.map(|(words, _)| words).collect();
        assert!(half < 1000 || never.is_empty(), "these never happened: {never:?}");
    }
}

#[test]
fn a_seed_is_the_same_home_every_time() {
    for seed in 0..20 {
        let [first, second] = [(), ()].map(|()| run_home(seed, Options::default()));
        assert_eq!(first, second);
    }
}
