//! Mistakes of an acceptor.

use crate::id::{Ballot, Slot};
use crate::step::Step;

/// Whether a promise is to be written.
#[inline(always)]
pub(crate) fn promise_is_written(new: bool) -> bool {
    new && !is_on!(PromiseNotWritten)
}

/// Whether an acceptance is to be written.
#[inline(always)]
pub(crate) fn acceptance_is_written(new: bool) -> bool {
    new && !is_on!(AcceptanceNotWritten)
}

/// The ballot to compare with the promise before another promise is given.
#[inline(always)]
pub(crate) fn to_promise(ballot: Ballot) -> Ballot {
    if is_on!(LowerBallotPromised) { above_all(ballot) } else { ballot }
}

/// The ballot to compare with the promise before a value is accepted.
#[inline(always)]
pub(crate) fn to_accept(ballot: Ballot) -> Ballot {
    if is_on!(LowerBallotAccepted) { above_all(ballot) } else { ballot }
}

fn above_all(ballot: Ballot) -> Ballot {
    Ballot { round: u64::MAX, ..ballot }
}

/// The first slot that an acceptor can still report.
#[inline(always)]
pub(crate) fn reportable(floor: Slot) -> Slot {
    if is_on!(ForgottenNotRefused) { Slot::ZERO } else { floor }
}

/// The slot at which a report begins.
#[inline(always)]
pub(crate) fn report_from(from: Slot, chosen: Slot) -> Slot {
    if is_on!(ChosenNotReported) { chosen.next().max(from) } else { from }
}

/// The promise waits for the write.
#[inline(always)]
pub(crate) fn promise_waits(step: &mut Step) {
    if is_on!(PromiseBeforeSync) {
        step.immediate.extend(step.durable.pop());
    }
}

/// The acceptance waits for the write.
#[inline(always)]
pub(crate) fn acceptance_waits(step: &mut Step) {
    if is_on!(AcceptedBeforeSync) {
        step.immediate.extend(step.durable.pop());
    }
}
