//! Mistakes with the time.

use wire::UnixMillis;

use crate::command::Offset;
use crate::house::House;
use crate::mutant::mutant;
use crate::timekeeping::ahead::Ahead;

/// The time that an entry carries; the proposer's wall clock.
pub(crate) fn stamped_by_the_wall(elapsed: UnixMillis, wall: UnixMillis) -> UnixMillis {
    if mutant!(StampedByTheWall) { wall } else { elapsed }
}

/// The time that timers are compared with; the time of day.
pub(crate) fn timers_by_time_of_day(elapsed: UnixMillis, house: &House) -> UnixMillis {
    let Offset(offset) = house.counters().offset;
    if mutant!(TimersByTimeOfDay) {
        UnixMillis(elapsed.0.saturating_add_signed(offset))
    } else {
        elapsed
    }
}

/// The clocks of which the median is taken, in order; the one that is most ahead alone.
pub(crate) fn any_clock_is_the_median(clocks: Vec<Ahead>) -> Vec<Ahead> {
    match clocks.last() {
        Some(last) if mutant!(AnyClockIsTheMedian) => vec![*last; clocks.len()],
        _ => clocks,
    }
}

/// How many clocks have to agree; one.
pub(crate) fn one_clock_is_enough(majority: usize) -> usize {
    if mutant!(OneClockIsEnough) { 1 } else { majority }
}

/// Whether an order expires because a gap has no date; it is kept.
pub(crate) fn undated_order_kept(expires: bool) -> bool {
    expires && !mutant!(UndatedOrderKept)
}

/// Whether a leader goes on where the log ends, however long all were off.
pub(crate) fn gap_not_counted() -> bool {
    mutant!(GapNotCounted)
}

/// The count of a gateway that begins to lead; what the log tells.
pub(crate) fn count_begun_anew(own: Ahead, agreed: Ahead) -> Ahead {
    if mutant!(CountBegunAnew) { agreed } else { own }
}

/// Whether a gateway knows the elapsed time before it joins; as if it did.
pub(crate) fn joined_undated(known: bool) -> bool {
    known || mutant!(JoinedUndated)
}

/// Whether the time of an order is over that its owner is about to send; as if it were not.
pub(crate) fn late_order_sent(over: bool) -> bool {
    over && !mutant!(LateOrderSent)
}
