//! Small groups, all states of them; and drivers that break persistence, which must be found.

use paxos_model::{Bounds, Broken, NOBODY_STOPS, ONE_VALUE, PROMISES_KEPT, check, find};

#[test]
fn two_leaders_in_all_orders_agree_on_two_slots() {
    let report = check(Bounds { crashes: 0, ..Bounds::three() });
    assert!(report.passes(), "{report}: {report:#?}");
    assert!(report.states > 50_000, "{report}");
}

#[test]
fn a_crash_loses_nothing_that_was_agreed() {
    let report = check(Bounds { slots: 1, ..Bounds::three() });
    assert!(report.broken.is_empty(), "{report}: {report:#?}");
    assert!(report.states > 50_000, "{report}");
}

#[test]
fn voters_change_in_all_orders_though_majorities_share_nobody() {
    let report = check(Bounds::change());
    assert!(report.passes(), "{report}: {report:#?}");
    assert!(report.states > 50_000, "{report}");
}

#[test]
fn sending_before_the_write_is_found() {
    two_values_are_found(Broken::SentBeforeWritten);
}

#[test]
fn a_forgotten_promise_is_found() {
    two_values_are_found(Broken::PromiseLost);
}

fn two_values_are_found(broken: Broken) {
    let bounds = Bounds { window: 2, ..Bounds::three() }.broken(broken);
    let report = find(bounds, &[ONE_VALUE, NOBODY_STOPS]);
    let found = |claim| report.broken.iter().any(|found| found.what == claim);
    assert!(found(ONE_VALUE) || found(NOBODY_STOPS), "{report}: {report:#?}");
    assert!(found(PROMISES_KEPT), "a lost promise comes first: {report:#?}");
}
