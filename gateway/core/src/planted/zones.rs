//! Mistakes of an owner with its zones.

use paxos::Request;

use crate::mutant::mutant;

/// Whether this gateway has joined in this life; as if it had.
pub(crate) fn opened_before_joined(joined: bool) -> bool {
    joined || mutant!(OpenedBeforeJoined)
}

/// Whether the entry that began an epoch is in the tables; as if it were.
pub(crate) fn begun_before_written(written: bool) -> bool {
    written || mutant!(BegunBeforeWritten)
}

/// Whether an answer is to the last question; any is.
pub(crate) fn old_answer_counts(this: bool) -> bool {
    this || mutant!(OldAnswerCounts)
}

/// What is proposed again to close a gap; nothing.
pub(crate) fn gap_left_open(requests: Vec<Request>) -> Vec<Request> {
    if mutant!(GapLeftOpen) { Vec::new() } else { requests }
}

/// Whether the zone's session is opened without waiting for the query session; it is.
pub(crate) fn zone_before_query() -> bool {
    mutant!(ZoneBeforeQuery)
}

/// Whether a session that broke is opened without asking the leader; it is.
pub(crate) fn opened_unasked() -> bool {
    mutant!(OpenedUnasked)
}

/// Whether the numbers that were used before a snapshot are forgotten; they are.
pub(crate) fn numbers_reused() -> bool {
    mutant!(NumbersReused)
}
