//! Histories written by hand: what must pass, and each way in which one can be wrong.

use linear::{Operation, Violation, check};

use crate::{history, operation};

fn good(text: &[&str]) {
    if let Err(violation) = check(&history(text)) {
        panic!("{text:?}: {violation}");
    }
}

/// A bad history, and which of its operations is the misfit.
fn bad(text: &[&str], misfit: usize) -> Violation {
    let history = history(text);
    let violation = *check(&history).expect_err("this has no order");
    assert_eq!(violation.misfit, history[misfit], "{violation}");
    violation
}

#[test]
fn nothing_at_all_is_good() {
    good(&[]);
    good(&["r- 0-1", "r- 0-9"]);
}

#[test]
fn one_after_another() {
    good(&["r- 0-1", "w1 2-3", "r1 4-5", "w2 6-7", "r2 8-9", "r2 10-11"]);
}

#[test]
fn a_read_beside_a_write_sees_either() {
    good(&["w1 0-10", "r- 1-2", "r1 3-4"]);
    good(&["w1 0-10", "r1 1-2", "r1 3-4"]);
    good(&["w1 0-5", "w2 6-20", "r1 7-8", "r2 9-10", "r2 21-22"]);
}

#[test]
fn writes_beside_each_other_take_effect_in_either_order() {
    good(&["w1 0-10", "w2 0-10", "r1 11-12"]);
    good(&["w1 0-10", "w2 0-10", "r2 11-12"]);
    good(&["w1 0-10", "w2 0-10", "r2 1-2", "r1 3-4", "r1 11-12"]);
}

#[test]
fn what_touches_is_concurrent() {
    good(&["w1 0-5", "r- 5-6"]);
    bad(&["w1 0-5", "r- 6-7"], 1);
}

#[test]
fn an_unknown_write_may_never_happen_or_happen_late() {
    good(&["w1 0-1", "w2 2-", "r1 50-51"]);
    good(&["w1 0-1", "w2 2-", "r1 50-51", "r2 52-53"]);
    good(&["w1 0-1", "w2 2-", "w3 4-5", "r3 6-7", "r2 8-9"]);
    good(&["w1 0-", "w2 0-", "r2 1-2", "r1 3-4"]);
}

#[test]
fn an_unknown_write_happens_once() {
    bad(&["w1 0-", "w2 2-3", "r1 4-5", "w3 6-7", "r1 8-9"], 4);
    bad(&["w1 0-", "r1 1-2", "w2 3-4", "r2 5-6", "r1 7-8"], 4);
}

#[test]
fn an_unknown_write_does_not_happen_before_its_call() {
    bad(&["r1 0-1", "w1 2-"], 0);
}

#[test]
fn a_stale_read() {
    let violation = bad(&["w1 0-1", "r1 2-3", "w2 4-5", "r2 6-7", "r1 8-9", "w3 10-11"], 4);
    assert_eq!(violation.fits, 4);
    assert_eq!(violation.contradiction, history_of(&[(1, "w1 0-1"), (3, "w2 4-5"), (5, "r1 8-9")]));
}

#[test]
fn a_lost_update() {
    bad(&["w1 0-1", "w2 2-3", "r1 4-5"], 2);
    bad(&["w1 0-1", "r- 2-3"], 1);
}

#[test]
fn a_value_that_nobody_wrote() {
    let violation = bad(&["w1 0-1", "r7 2-3"], 1);
    assert_eq!(violation.contradiction, history_of(&[(2, "r7 2-3")]));
}

#[test]
fn a_value_that_comes_back() {
    bad(&["w1 0-100", "w2 0-100", "r1 1-2", "r2 3-4", "r1 5-6"], 4);
    bad(&["w1 0-10", "r1 1-2", "r- 3-4"], 2);
}

#[test]
fn writes_that_two_readers_saw_in_two_orders() {
    bad(&["w1 0-", "w2 0-", "r1 1-2", "r2 3-4", "r2 1-2", "r1 3-5"], 5);
}

#[test]
fn a_read_of_a_write_that_began_after_it() {
    bad(&["r1 0-1", "w1 2-3"], 0);
}

#[test]
fn a_read_that_skips_a_write_between() {
    bad(&["w1 0-1", "w2 2-9", "r2 3-4", "r1 5-6"], 3);
}

#[test]
fn values_may_repeat() {
    good(&["w1 0-1", "w2 2-3", "w1 4-5", "r1 6-7"]);
    good(&["w1 0-", "w1 0-", "r1 1-2", "w2 3-4", "r1 5-6"]);
    bad(&["w1 0-", "w1 0-", "r1 1-2", "w2 3-4", "r1 5-6", "w3 7-8", "r1 9-10"], 6);
}

#[test]
fn reads_of_unknown_outcome_say_nothing() {
    good(&["r9 0-", "w1 1-2"]);
    let checked = check(&history(&["r9 0-", "w1 1-2", "w2 3-"])).unwrap();
    assert_eq!((checked.keys, checked.operations, checked.unknown), (1, 2, 1));
}

#[test]
fn keys_are_registers_of_their_own() {
    let mut history = history(&["w1 0-1", "r1 2-3"]);
    history.push(Operation { key: "b".into(), ..operation(3, "r- 4-5") });
    assert_eq!(check(&history).map(|checked| checked.keys), Ok(2));
    history.push(Operation { key: "b".into(), ..operation(3, "r1 6-7") });
    let violation = check(&history).unwrap_err();
    assert_eq!((violation.key.as_str(), violation.fits), ("b", 1));
    let words = violation.to_string();
    assert!(words.starts_with("b is not linearizable: 1 operations have an order"), "{words}");
    assert!(words.contains("client 3 reads 1 between 6 and 7"), "{words}");
}

fn history_of(operations: &[(u64, &str)]) -> Vec<Operation> {
    operations.iter().map(|(client, text)| operation(*client, text)).collect()
}
