//! Refusals in the log: a line for each culprit and kind once a minute, and how many more there were.
//!
//! A person who looks for the reason of a refusal finds it at the default level; a client that is refused a million
//! times writes one line a minute all the same.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use broker_core::Moment;

/// Time between two lines about the same. A minute: who looks into the log sees that it goes on.
const BETWEEN: Duration = Duration::from_secs(60);
/// Culprits of one kind that have a line of their own each minute. 64: more of them at a time are an attack, and share
/// a line.
const CULPRITS: usize = 64;
/// The name of all culprits beyond those.
const OTHERS: &str = "many others";

/// What was refused lately, shared by everything that refuses.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Recent>);

/// The refusals since each one's last line.
#[derive(Debug, Default)]
struct Recent(HashMap<&'static str, HashMap<Box<str>, Line>>);

/// One culprit's last line of one kind.
#[derive(Debug)]
struct Line {
    written: Moment,
    /// Refusals since then.
    more: u64,
}

impl Refusals {
    /// Notes that `culprit` was refused for `why`, and logs it if it is time. `about` is what this case is about.
    pub(crate) fn note(&self, now: Moment, why: &'static str, culprit: &str, about: impl Display) {
        let due = self.recent().note(now, why, culprit);
        if let Some((culprit, more)) = due {
            let (culprit, about) = (culprit.escape_debug(), about.to_string());
            let about = about.escape_debug();
            match more {
                0 => tracing::warn!("{culprit}: {why} ({about})"),
                more => tracing::warn!("{culprit}: {why} ({about}), and {more} more times before"),
            }
        }
    }

    /// Once a minute tells the counts of what was not told yet. Never returns.
    pub(crate) async fn tell_counts(&self, now: impl Fn() -> Moment) {
        let mut minutes = interval(BETWEEN);
        minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            minutes.tick().await;
            let over = self.recent().over(now());
            for (why, culprit, more) in over {
                tracing::warn!("{}: {why}, {more} more times", culprit.escape_debug());
            }
        }
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    /// Counts a refusal. If a line is due: under which name, and how many there were since the last one.
    fn note(&mut self, now: Moment, why: &'static str, culprit: &str) -> Option<(Box<str>, u64)> {
        let lines = self.0.entry(why).or_default();
        let known = lines.contains_key(culprit) || lines.len() < CULPRITS;
        let culprit = if known { culprit } else { OTHERS };
        let Some(line) = lines.get_mut(culprit) else {
            lines.insert(culprit.into(), Line { written: now, more: 0 });
            return Some((culprit.into(), 0));
        };
        if now < line.written.after(BETWEEN) {
            line.more += 1;
            return None;
        }
        line.written = now;
        Some((culprit.into(), std::mem::take(&mut line.more)))
    }

    /// Forgets those whose minute is over, and gives the counts that were not told.
    fn over(&mut self, now: Moment) -> Vec<(&'static str, Box<str>, u64)> {
        let mut over = Vec::new();
        for (&why, lines) in &mut self.0 {
            let old = lines.extract_if(|_, line| now >= line.written.after(BETWEEN));
            over.extend(old.map(|(culprit, line)| (why, culprit, line.more)));
        }
        over.retain(|(_, _, more)| *more > 0);
        over.sort_unstable();
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn name(name: &str) -> Box<str> {
        name.into()
    }

    #[test]
    fn each_culprit_and_kind_has_a_line_a_minute_with_the_count_of_the_rest() {
        let mut recent = Recent::default();
        assert_eq!(recent.note(at(0), "wrong", "eve"), Some((name("eve"), 0)));
        assert_eq!(recent.note(at(1), "wrong", "eve"), None);
        assert_eq!(recent.note(at(59), "wrong", "eve"), None);
        assert_eq!(recent.note(at(59), "wrong", "mallory"), Some((name("mallory"), 0)));
        assert_eq!(recent.note(at(59), "large", "eve"), Some((name("eve"), 0)));
        assert_eq!(recent.note(at(60), "wrong", "eve"), Some((name("eve"), 2)));
    }

    #[test]
    fn counts_that_no_line_told_are_told_at_the_end() {
        let mut recent = Recent::default();
        for _ in 0..3 {
            recent.note(at(0), "wrong", "eve");
        }
        recent.note(at(0), "wrong", "once");
        assert_eq!(recent.over(at(59)), []);
        assert_eq!(recent.over(at(60)), [("wrong", name("eve"), 2)]);
        assert_eq!(recent.over(at(60)), []);
        assert!(recent.0["wrong"].is_empty(), "nothing stays");
    }

    #[test]
    fn more_culprits_than_a_log_can_bear_share_a_line() {
        let mut recent = Recent::default();
        let lines = (0..1_000).filter_map(|n| recent.note(at(0), "wrong", &n.to_string()));
        assert_eq!(lines.count(), CULPRITS + 1);
        assert_eq!(recent.over(at(60)), [("wrong", name(OTHERS), 1_000 - CULPRITS as u64 - 1)]);
    }
}
