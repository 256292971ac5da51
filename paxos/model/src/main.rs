//! Visits all states of small groups, and shows that broken persistence is found. See the library.

use std::process::ExitCode;

use paxos_model::{Bounds, Broken, ONE_VALUE, REPORTS_HOLD, Report, check, find};

fn main() -> ExitCode {
    let mut passed = true;
    for (name, bounds) in groups() {
        println!("{name}: {bounds}");
        let report = check(bounds);
        println!("  {report}: {}", if report.passes() { "PASS" } else { "FAIL" });
        show(&report);
        passed &= report.passes();
    }
    let three = || Bounds { window: 2, ..Bounds::three() };
    for (bounds, claim) in [
        (three().broken(Broken::SentBeforeWritten), ONE_VALUE),
        (three().broken(Broken::PromiseLost), ONE_VALUE),
        (Bounds::alone().broken(Broken::VotersForgotten), REPORTS_HOLD),
    ] {
        println!("must fail: {bounds}");
        let report = find(bounds, &[claim]);
        let found = report.broken.iter().find(|found| found.what == claim);
        println!("  {report}: {}", if found.is_some() { "FOUND" } else { "NOT FOUND" });
        found.into_iter().flat_map(|found| &found.story).for_each(|line| println!("  {line}"));
        passed &= found.is_some();
    }
    println!("{}", if passed { "PASS" } else { "FAIL" });
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn groups() -> [(&'static str, Bounds); 4] {
    let three = Bounds::three;
    [
        ("a crash", Bounds { unwritten: 1, ..three() }),
        ("three ballots", Bounds { campaigns: vec![2, 1, 0], crashes: 0, ..three() }),
        ("other voters", Bounds::change()),
        ("a window of two", Bounds { window: 2, ..three() }),
    ]
}

fn show(report: &Report) {
    for found in &report.reached {
        println!("  reached: {}, after {} events", found.what, found.story.len());
    }
    for what in &report.missing {
        println!("  NEVER REACHED: {what}");
    }
    for found in &report.broken {
        println!("  BROKEN: {}", found.what);
        found.story.iter().for_each(|line| println!("  {line}"));
    }
}
