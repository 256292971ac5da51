//! How a leader that has just started learns how long the site was off.
//!
//! ```text
//!  it leads ──▶ all older choices are applied ──▶ another gateway knows the count ──▶ it is taken
//!                                                ├─▶ a majority's wall clocks agree ──▶ they date the gap
//!                                                └─▶ neither within PATIENCE ──▶ the gap has no date:
//!                                                        expiring orders expire, the rest goes on
//! ```
//!
//! Until then no timer fires, and no gateway that has started joins: none serves a zone, so nothing begins that would
//! be counted from an unknown time.

use std::time::Duration;

use paxos::Moment;
use wire::UnixMillis;

use super::ahead::Ahead;
use super::walls::{AGREE, Readings};
use crate::command::TimerName;
use crate::house::House;
use crate::planted;

/// The state of that search.
#[derive(Debug, Default)]
pub(crate) struct Dating {
    /// Since when this gateway leads and has applied what was chosen before.
    since: Option<Moment>,
    /// The gap has no date: the last timer that was set before it.
    undated: Option<u64>,
}

/// What the search may look at.
pub(crate) struct Evidence {
    /// The highest count of the gateways that know theirs.
    pub(crate) known: Option<Ahead>,
    pub(crate) walls: Readings,
    /// Every voter has told its clock, or is suspected: no more is to be expected soon.
    pub(crate) complete: bool,
    /// Every voter has told its clock: there is no more.
    pub(crate) all: bool,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The count from here on.
    Dated(Ahead),
    /// The count goes on where the log ends.
    Undated(Ahead),
    NotYet,
}

/// How long the evidence may take. Every voter that is here tells its clock ten times a second, so this is for clocks
/// that do not agree while one is missing.
const PATIENCE: Duration = Duration::from_secs(2);

impl Dating {
    /// This gateway leads, and has applied everything that was chosen before.
    pub(crate) fn begin(&mut self, now: Moment) {
        *self = Self { since: Some(now), undated: None };
    }

    /// This gateway has begun to lead and does not know yet what was chosen before, or leads no more.
    pub(crate) fn stop(&mut self) {
        *self = Self::default();
    }

    /// Whether an order expires because nobody knows when its time is over.
    pub(crate) fn expires(&self, timer: TimerName, generation: u64) -> bool {
        let order = matches!(timer, TimerName::DropOrder(_));
        order
            && planted::timekeeping::undated_order_kept(
                self.undated.is_some_and(|last| generation <= last),
            )
    }

    pub(crate) fn look(&mut self, house: &House, evidence: &Evidence, now: Moment) -> Found {
        let Some(since) = self.since else { return Found::NotYet };
        let agreed = house.counters().time;
        let end = Ahead::of(agreed, now);
        if let Some(known) = evidence.known {
            return Found::Dated(known.max(end));
        }
        if planted::timekeeping::gap_not_counted() {
            return Found::Dated(end);
        }
        let over = evidence.all || now >= since + PATIENCE;
        let date = evidence.walls.agreed().map(|wall| wall.plus(-house.counters().offset.0));
        match date {
            // A clock that is a little behind shows that hardly any time has passed.
            Some(date) if end.over(date) <= AGREE && (evidence.complete || over) => {
                Found::Dated(date.max(end))
            }
            _ if !over => Found::NotYet,
            // A new site has no past. One clock is as good as another; the offset is corrected later.
            _ if agreed == UnixMillis(0) => {
                Found::Dated(evidence.walls.median().map_or(end, |(low, _)| low))
            }
            _ => self.go_on_undated(house, end),
        }
    }

    /// Goes on where the log ends, once every order is over that would expire at an unknown time.
    fn go_on_undated(&mut self, house: &House, end: Ahead) -> Found {
        let last = *self.undated.get_or_insert(house.counters().generation);
        let left = |(timer, set): (&TimerName, &crate::house::Timer)| {
            set.generation <= last && self.expires(*timer, set.generation)
        };
        if house.timers().iter().any(left) { Found::NotYet } else { Found::Undated(end) }
    }
}
