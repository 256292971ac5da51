//! Mistakes with the question who is there.

use paxos::Moment;

use crate::mutant::mutant;

/// Whether every probe of a gateway stayed unanswered; as if, once it is suspected.
pub(crate) fn not_probed(lost: bool, suspected: bool) -> bool {
    if mutant!(NotProbed) { suspected } else { lost }
}

/// Since when silence counts; from the beginning.
pub(crate) fn silence_while_deaf(up: Option<Moment>) -> Option<Moment> {
    if mutant!(SilenceWhileDeaf) { Some(Moment(0)) } else { up }
}

/// Whether a heartbeat that the broker had kept counts as life; it does.
pub(crate) fn kept_beat_is_life() -> bool {
    mutant!(KeptBeatIsLife)
}
