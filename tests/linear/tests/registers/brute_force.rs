//! The definition of linearizability, word for word, for histories of one key that are short: some
//! order of the operations that keeps real time and in which every read sees the write before it.

use linear::{Action, Operation};

pub(crate) fn has_an_order(history: &[Operation]) -> bool {
    goes_on(history, &mut vec![false; history.len()], None)
}

fn goes_on(history: &[Operation], done: &mut [bool], value: Option<u64>) -> bool {
    let left = || (0..history.len()).filter(|at| !done[*at]);
    // What never returned need not have happened.
    if left().all(|at| history[at].returned.is_none()) {
        return true;
    }
    let first = |at: &usize| {
        let called = history[*at].called;
        left().all(|other| history[other].returned.is_none_or(|returned| returned >= called))
    };
    for at in left().filter(first).collect::<Vec<_>>() {
        let next = match history[at].action {
            Action::Write(written) => Some(written),
            Action::Read(read) if read == value => value,
            Action::Read(_) => continue,
        };
        done[at] = true;
        let good = goes_on(history, done, next);
        done[at] = false;
        if good {
            return true;
        }
    }
    false
}
