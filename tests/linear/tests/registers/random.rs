//! Small random histories, judged by the checker and by the definition.

use hearth_random::Random;
use linear::{Action, Operation, check};

use crate::brute_force::has_an_order;

/// Up to seven operations within a few moments, so that many are concurrent and many touch.
/// Written values are unique, or else of two.
fn history(random: &mut Random, unique: bool) -> Vec<Operation> {
    let (length, end) = (1 + random.less_than(7), 4 + random.less_than(16));
    let values = if unique { length } else { 2 };
    let operation = |client| {
        let value = 1 + random.less_than(values);
        let action = match random.less_than(5) {
            0 | 1 => Action::Write(if unique { client } else { value }),
            2 if random.less_than(3) == 0 => Action::Read(None),
            _ => Action::Read(Some(value)),
        };
        let called = random.less_than(end);
        let unknown = matches!(action, Action::Write(_)) && random.less_than(3) == 0;
        let returned = (!unknown).then(|| called + random.less_than(end));
        Operation { key: "a".into(), client, action, called, returned }
    };
    (1..=length).map(operation).collect()
}

#[test]
fn the_checker_agrees_with_the_definition() {
    for unique in [true, false] {
        let mut verdicts = [0; 2];
        for seed in 0..20_000 {
            let history = history(&mut Random::new(seed), unique);
            let good = has_an_order(&history);
            let checked = check(&history);
            assert_eq!(checked.is_ok(), good, "seed {seed}, unique {unique}: {checked:?}");
            verdicts[usize::from(good)] += 1;
        }
        assert!(verdicts.iter().all(|times| *times > 4000), "of each verdict many: {verdicts:?}");
    }
}

#[test]
fn a_contradiction_is_one_by_itself_and_shows_the_misfit_as_the_first() {
    for seed in 0..5_000 {
        let unique = seed % 2 == 0;
        let history = history(&mut Random::new(seed), unique);
        let Err(violation) = check(&history) else { continue };
        assert!(!has_an_order(&violation.contradiction), "seed {seed}: {violation}");
        let end = violation.misfit.returned;
        let mut before: Vec<Operation> =
            history.iter().filter(|o| o.returned < end).cloned().collect();
        // A write that was open when the last of these returned may have happened.
        let open = history.iter().filter(|o| o.returned.is_none() || o.returned >= end);
        let open = open.filter(|o| matches!(o.action, Action::Write(_)));
        before.extend(open.map(|o| Operation { returned: None, ..o.clone() }));
        before.retain(|o| o.returned.is_some() || matches!(o.action, Action::Write(_)));
        assert!(has_an_order(&before), "seed {seed}: {violation}");
    }
}
