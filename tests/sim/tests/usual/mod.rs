//! Seeds of every test run: half are always the same, and half are new each time.

use std::time::{SystemTime, UNIX_EPOCH};

use hearth_sim::Classes;
use hearth_sim::fleet::{Order, What, run};

/// Plays `seeds`, or as many as the variable says; nothing that a seed can draw may never happen.
pub(crate) fn play(what: What, seeds: u64, variable: &str) {
    let said = std::env::var(variable).ok().and_then(|seeds| seeds.parse().ok());
    let half = said.unwrap_or(seeds) / 2;
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    let fresh = clock.as_nanos() as u64 & 0xFFFF_FFFF_FFFF;
    println!("{half} seeds from 0 and {half} from {fresh} on");
    for from in [0, fresh] {
        let report = run(&Order::new(what, from, half), &|| {}).expect("a place for traces");
        let rate = half as f64 / report.spent.as_secs_f64();
        println!("{rate:.0} seeds a second: {}", report.summary);
        if let Some(failure) = report.violation {
            panic!("{failure}");
        }
        let unreached = report.summary.unreached(Classes::MENDED);
        assert!(half < 400 || unreached.is_empty(), "bounds that few have reached: {unreached:?}");
        let never = report.summary.rows().into_iter().filter(|(_, count)| *count == 0);
        let never: Vec<_> = never.map(|(words, _)| words).collect();
        // Which of them a whole system can have depends on its classes of trouble.
        let all = what == What::System || half < 1000 || never.is_empty();
        assert!(all, "these never happened: {never:?}");
    }
}
