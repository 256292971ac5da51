//! Mistakes of a leader.

use crate::id::{Moment, Slot};

/// How many slots may be in flight.
#[inline(always)]
pub(crate) fn window(window: u64) -> u64 {
    if is_on!(WindowIgnored) { window + 1 } else { window }
}

/// Whether the last change of voters is chosen.
#[inline(always)]
pub(crate) fn is_settled(settled: bool) -> bool {
    settled || is_on!(ProposedBehindAChange)
}

/// Whether an acceptance is for the leader's own ballot.
#[inline(always)]
pub(crate) fn is_own(own: bool) -> bool {
    own || is_on!(AnyBallotIsCounted)
}

/// Whether a round is to be sent again.
#[inline(always)]
pub(crate) fn is_late(late: bool) -> bool {
    late && !is_on!(RoundSentOnce)
}

/// How far a heartbeat says that everything is chosen.
#[inline(always)]
pub(crate) fn mark(chosen: Slot) -> Slot {
    if is_on!(HeartbeatWithoutMark) { Slot::ZERO } else { chosen }
}

/// The heartbeat that confirms a question: the one that begins with the question.
#[inline(always)]
pub(crate) fn confirming(beat: u64) -> u64 {
    if is_on!(ConfirmedByAnOldBeat) { beat - 1 } else { beat }
}

/// The slot that must be chosen before anything is confirmed.
#[inline(always)]
pub(crate) fn barrier(barrier: Slot) -> Slot {
    if is_on!(ConfirmedBeforeTheBarrier) { Slot::ZERO } else { barrier }
}

/// Whether a majority has answered a heartbeat.
#[inline(always)]
pub(crate) fn is_confirmed(majority: bool) -> bool {
    majority || is_on!(ConfirmedAlone)
}

/// Until when the leader may go on without hearing more.
#[inline(always)]
pub(crate) fn quorum_until(until: Moment) -> Moment {
    if is_on!(LostQuorumIgnored) { Moment::NEVER } else { until }
}

/// Whether a refusal counts, given whether its sender has a say.
#[inline(always)]
pub(crate) fn heeds(votes: bool) -> bool {
    votes && !is_on!(RefusalIgnored)
}

/// Whether a voter is silent, so that its number may be given another disk's vote.
#[inline(always)]
pub(crate) fn is_silent(silent: bool) -> bool {
    silent && !is_on!(NotReadmitted)
}

/// Whether a heartbeat that a replica has answered is a recent one.
#[inline(always)]
pub(crate) fn is_recent(recent: bool) -> bool {
    recent || is_on!(AnyAnswerIsRecent)
}
