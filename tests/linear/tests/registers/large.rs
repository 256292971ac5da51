//! Long histories with dozens of clients: good ones pass, and one wrong operation is found in each
//! place. That they are checked at all within a test's patience shows that the search does not
//! branch; the definition would not come to an end with thirty operations.

use hearth_random::Random;
use linear::{Action, Operation, check};

/// What clients of a real register would record: each operation takes effect at a moment of its
/// own between call and return. Of one write in fifty the outcome is not known, and half of those
/// never take effect.
fn recorded(random: &mut Random, clients: u64, length: u64) -> Vec<Operation> {
    let mut free = vec![0; clients as usize];
    let mut effects = Vec::new();
    for value in 1..=length {
        let client = random.less_than(clients);
        let called = free[client as usize] + random.less_than(50);
        let effect = called + 1 + random.less_than(400);
        let returned = effect + 1 + random.less_than(400);
        free[client as usize] = returned + 1;
        let action =
            if random.less_than(2) == 0 { Action::Write(value) } else { Action::Read(None) };
        let operation =
            Operation { key: "a".into(), client, action, called, returned: Some(returned) };
        effects.push((effect, operation));
    }
    effects.sort_by_key(|(effect, _)| *effect);
    let mut register = None;
    let happen = |(_, mut operation): (u64, Operation)| {
        match &mut operation.action {
            Action::Write(value) if random.less_than(50) == 0 => {
                operation.returned = None;
                if random.less_than(2) == 0 {
                    register = Some(*value);
                }
            }
            Action::Write(value) => register = Some(*value),
            Action::Read(value) => *value = register,
        }
        operation
    };
    effects.into_iter().map(happen).collect()
}

#[test]
fn what_a_register_did_is_good() {
    for clients in [1, 3, 12, 48] {
        let history = recorded(&mut Random::new(clients), clients, 20_000);
        let checked = check(&history).unwrap_or_else(|violation| panic!("{violation}"));
        assert!(checked.unknown > 100, "{checked:?}");
    }
}

#[test]
fn one_stale_read_among_thousands_is_found_and_explained_by_a_few_operations() {
    for seed in 0..20 {
        let mut history = recorded(&mut Random::new(seed), 24, 4_000);
        // Late enough that the first value written was overwritten long ago.
        let first = history.iter().find_map(|o| match o.action {
            Action::Write(value) if o.returned.is_some() => Some(value),
            _ => None,
        });
        let from = 1_000 + Random::new(seed).less_than(2_000) as usize;
        let at = (from..).find(|at| matches!(history[*at].action, Action::Read(_))).unwrap();
        history[at].action = Action::Read(first);
        let violation = check(&history).unwrap_err();
        assert_eq!(violation.misfit, history[at], "{violation}");
        assert!(violation.contradiction.len() <= 6, "{violation}");
        assert!(violation.contradiction.contains(&history[at]), "{violation}");
    }
}

#[test]
fn a_stall_with_every_client_in_a_write_does_not_blow_up() {
    // Fifty writes and then their reads, in an order that only the last read contradicts.
    let operation = |client, action, called, returned| Operation {
        key: "a".into(),
        client,
        action,
        called,
        returned: Some(returned),
    };
    let mut history: Vec<_> = (1..=50).map(|v| operation(v, Action::Write(v), v, 1_000)).collect();
    let order = (1..=50_u64).map(|at| at * 37 % 51);
    history.extend(
        order.zip(0..).map(|(value, at)| {
            operation(60, Action::Read(Some(value)), 100 + 10 * at, 105 + 10 * at)
        }),
    );
    assert!(check(&history).is_ok());
    history.push(operation(61, Action::Read(Some(37)), 700, 701));
    let violation = check(&history).unwrap_err();
    assert_eq!(violation.misfit.client, 61, "{violation}");
}

#[test]
fn repeated_values_and_unknown_writes_that_stay_open_are_checked_too() {
    let mut history = recorded(&mut Random::new(9), 12, 3_000);
    for operation in &mut history {
        match &mut operation.action {
            Action::Write(value) | Action::Read(Some(value)) => *value %= 7,
            Action::Read(None) => {}
        }
    }
    check(&history).unwrap_or_else(|violation| panic!("{violation}"));
}
