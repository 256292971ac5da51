//! The timers of the home, which run by elapsed time.

use super::change::Change;
use super::outcome::Outcome;
use super::rows::Timer;
use super::state::House;
use crate::command::TimerName;

impl House {
    /// Sets a timer anew, `after` milliseconds of elapsed time from now, or removes it.
    pub(super) fn set_timer(&mut self, name: TimerName, after: Option<u64>, out: &mut Outcome) {
        let Some(after) = after else {
            if self.timers.remove(&name).is_some() {
                out.changes.push(Change::Timer(name, None));
            }
            return;
        };
        self.counters.generation += 1;
        let due = wire::UnixMillis(self.counters.time.0.saturating_add(after));
        let timer = Timer { generation: self.counters.generation, due };
        self.timers.insert(name, timer);
        out.changes.push(Change::Timer(name, Some(timer)));
    }
}
