//! Mistakes of a candidate.

use crate::id::{Ballot, Slot};
use crate::message::Value;
use crate::step::Step;
use crate::voters::Voters;

/// The ballot that a candidate promises itself.
#[inline(always)]
pub(crate) fn own_ballot(ballot: Ballot) -> Ballot {
    if is_on!(OwnBallotNotPromised) { Ballot::ZERO } else { ballot }
}

/// The prepare waits for the write of the candidate's own promise.
#[inline(always)]
pub(crate) fn prepare_waits(step: &mut Step) {
    if is_on!(PrepareBeforeSync) {
        step.immediate.extend(step.durable.pop());
    }
}

/// Whether a promise is one that the candidate asked for.
#[inline(always)]
pub(crate) fn asked(asked: bool) -> bool {
    asked || is_on!(AnyPromiseIsCounted)
}

/// How far a promise's entries are known to be chosen.
#[inline(always)]
pub(crate) fn known(chosen: Slot) -> Slot {
    if is_on!(UnchosenLearnt) { Slot(u64::MAX) } else { chosen }
}

/// Whether more of a report is to come.
#[inline(always)]
pub(crate) fn more(more: bool) -> bool {
    more && !is_on!(PartOfAReportIsEnough)
}

/// The groups that were reported.
#[inline(always)]
pub(crate) fn reported<'a>(
    groups: impl Iterator<Item = &'a Voters>,
) -> impl Iterator<Item = &'a Voters> {
    groups.filter(|_| !is_on!(ReportedGroupNotAsked))
}

/// Whether a reported value wins over the one that was reported in the ballot `held`.
#[inline(always)]
pub(crate) fn wins(wins: bool, ballot: Ballot, held: Ballot) -> bool {
    if is_on!(LowestBallotWins) { held > ballot } else { wins || is_on!(LastReportWins) }
}

/// The value that was reported for a slot.
#[inline(always)]
pub(crate) fn inherited(reported: Option<(Ballot, Value)>) -> Option<(Ballot, Value)> {
    reported.filter(|_| !is_on!(OwnValueWins))
}

/// Whether a slot gets a value, given whether one was reported for it.
#[inline(always)]
pub(crate) fn is_filled(reported: bool) -> bool {
    reported || !is_on!(GapsNotFilled)
}

/// Whether the candidate gives up.
#[inline(always)]
pub(crate) fn gives_up(late: bool) -> bool {
    late && !is_on!(CandidateNeverGivesUp)
}
