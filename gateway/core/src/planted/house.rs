//! Mistakes of apply.

use wire::{RequestId, Stamp, UnixMillis, Zone};

use crate::mutant::mutant;

/// The elapsed time; with a look at a clock of this replica's own.
pub(crate) fn apply_reads_a_clock(time: UnixMillis) -> UnixMillis {
    #[cfg(feature = "mutants")]
    if mutant!(ApplyReadsAClock) {
        return UnixMillis(time.0 + crate::mutant::own_clock());
    }
    time
}

/// Whether an entry is of the present epoch; any is.
pub(crate) fn old_epoch_applied(present: bool) -> bool {
    present || mutant!(OldEpochApplied)
}

/// Whether an entry has the next number; any has.
pub(crate) fn any_number_applied(next: bool) -> bool {
    next || mutant!(AnyNumberApplied)
}

/// Whether a timer is set; as if it were.
pub(crate) fn fired_twice(set: bool) -> bool {
    set || mutant!(FiredTwice)
}

/// Whether a move was proposed in the present leadership; any was.
pub(crate) fn old_move_applied(present: bool) -> bool {
    present || mutant!(OldMoveApplied)
}

/// Whether a later life of a gateway has joined; none has.
pub(crate) fn outlived_joins(outlived: bool) -> bool {
    outlived && !mutant!(OutlivedJoins)
}

/// The zones of a gateway that joins, which get a new epoch; none.
pub(crate) fn epoch_kept(zones: Vec<Zone>) -> Vec<Zone> {
    if mutant!(EpochKept) { Vec::new() } else { zones }
}

/// The client's name of a request; none.
pub(crate) fn id_ignored(id: Option<&RequestId>) -> Option<&RequestId> {
    id.filter(|_| !mutant!(IdIgnored))
}

/// The broker's stamp of a request; none.
pub(crate) fn stamp_ignored(stamp: Option<Stamp>) -> Option<Stamp> {
    stamp.filter(|_| !mutant!(StampIgnored))
}

/// How many requests are remembered; four.
pub(crate) fn seen_forgotten(remembered: usize) -> usize {
    if mutant!(SeenForgotten) { 4 } else { remembered }
}

/// Whether the voters that announced a version are those that vote; any are.
pub(crate) fn raised_for_other_voters(same: bool) -> bool {
    same || mutant!(RaisedForOtherVoters)
}

/// How many ids are remembered however old they are; none.
pub(crate) fn newest_ids(ids: usize) -> usize {
    if mutant!(IdsForgotten) { 0 } else { ids }
}

/// How long an id is remembered; hardly at all.
pub(crate) fn ids_kept_for(millis: u64) -> u64 {
    if mutant!(IdsForgotten) { 50 } else { millis }
}

/// Whether there are as many zones as there may be; there never are.
pub(crate) fn zones_not_counted(full: bool) -> bool {
    full && !mutant!(ZonesNotCounted)
}
