//! Whose wall clock is off, for people.

use std::collections::BTreeMap;
use std::time::Duration;

use paxos::Moment;
use wire::GatewayId;

/// Since when a clock is off, and when that was told last.
#[derive(Debug, Default)]
pub(crate) struct Off {
    clocks: BTreeMap<GatewayId, (Moment, Option<Moment>)>,
}

/// Milliseconds by which clocks, and the time of day, may differ without a word. A home's clocks that ask a time server
/// differ by some hundredths of a second.
pub(crate) const BOUND: i64 = 1000;

/// How long something is off before it is acted on. A heartbeat that is held up makes its sender's clock look wrong.
pub(crate) const LASTS: Duration = Duration::from_secs(2);

/// A clock that stays wrong is told of once a minute.
const AGAIN: Duration = Duration::from_secs(60);

impl Off {
    /// Takes by how many milliseconds a clock is off. Says whether that is to be told now.
    pub(crate) fn note(&mut self, of: GatewayId, off: i64, now: Moment) -> bool {
        if off.abs() <= BOUND {
            self.clocks.remove(&of);
            return false;
        }
        let (since, told) = self.clocks.entry(of).or_insert((now, None));
        let due = now >= *since + LASTS && told.is_none_or(|told| now >= told + AGAIN);
        if due {
            *told = Some(now);
        }
        due
    }

    pub(crate) fn forget(&mut self, of: GatewayId) {
        self.clocks.remove(&of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_of_once_and_then_once_a_minute() {
        let (mut off, id) = (Off::default(), GatewayId(2));
        let mut told = Vec::new();
        for tenth in 0..1300 {
            if off.note(id, -1001, Moment(tenth * 100_000)) {
                told.push(tenth / 10);
            }
        }
        assert_eq!(told, [2, 62, 122]);
        assert!(!off.note(id, 1000, Moment(131_000_000)));
        assert!(!off.note(id, 1001, Moment(132_000_000)), "it was right in between");
    }
}
