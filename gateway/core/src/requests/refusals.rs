//! What was refused for good: counted, and told once a minute for each topic, so that a person who looks for the reason
//! finds it, and a device that is refused a million times does not fill the log.

use std::collections::BTreeMap;
use std::time::Duration;

use paxos::Moment;

use crate::want::{Refused, Wants};

/// Between two lines about the same topic. A minute: who looks into the log sees that it goes on.
const BETWEEN: Duration = Duration::from_secs(60);

/// Topics that have a line of their own each minute. 256: a home whose devices all say what nobody understands is told
/// of each; more are an attack, and share a line.
const TOPICS: usize = 256;

/// The name of all topics beyond those.
const OTHERS: &str = "many other topics";

/// The refusals of this gateway since it started.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    total: u64,
    lately: BTreeMap<String, Line>,
}

/// The last line about a topic.
#[derive(Debug)]
struct Line {
    told: Moment,
    /// Refusals since then, and why the last of them was one.
    more: u64,
    why: String,
}

impl Refusals {
    /// How many there were.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Something was refused for good. A story tells each.
    pub(crate) fn note(&mut self, now: Moment, story: bool, refused: Refused, out: &mut Wants) {
        self.total += 1;
        let Refused { topic, why } = refused;
        if story {
            return out.tell(format!("Refused {topic}: {why}"));
        }
        let own = self.lately.contains_key(&topic) || self.lately.len() < TOPICS;
        let name = if own { topic } else { OTHERS.to_owned() };
        if let Some(line) = self.lately.get_mut(&name) {
            (line.more, line.why) = (line.more + 1, why);
        } else {
            out.tell(format!("Refused {name}: {why}"));
            self.lately.insert(name, Line { told: now, more: 0, why });
        }
    }

    /// Tells of what came within a minute after its line.
    pub(crate) fn chores(&mut self, now: Moment, out: &mut Wants) {
        self.lately.retain(|name, line| {
            if now < line.told + BETWEEN {
                return true;
            }
            if line.more > 0 {
                out.tell(format!("Refused {name} {} more times: {}", line.more, line.why));
            }
            let goes_on = line.more > 0;
            (line.told, line.more) = (now, 0);
            goes_on
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Effect;

    const SECOND: u64 = 1_000_000;

    /// What is told of these refusals, and after a minute.
    fn told(
        refusals: &mut Refusals,
        at: u64,
        topics: impl IntoIterator<Item = String>,
    ) -> Vec<String> {
        let mut out = Wants::default();
        refusals.chores(Moment(at * SECOND), &mut out);
        for topic in topics {
            let refused = Refused { topic, why: "no".to_owned() };
            refusals.note(Moment(at * SECOND), false, refused, &mut out);
        }
        out.effects()
            .map(|effect| match effect {
                Effect::Say(words) => words.clone(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn of(topic: &str, times: usize) -> Vec<String> {
        vec![topic.to_owned(); times]
    }

    #[test]
    fn a_topic_has_a_line_a_minute_with_the_count_of_the_rest() {
        let mut refusals = Refusals::default();
        assert_eq!(told(&mut refusals, 0, of("a", 5)), ["Refused a: no"]);
        assert_eq!(told(&mut refusals, 1, of("b", 1)), ["Refused b: no"]);
        assert_eq!(told(&mut refusals, 60, of("a", 2)), ["Refused a 4 more times: no"]);
        assert_eq!(told(&mut refusals, 120, []), ["Refused a 2 more times: no"]);
        assert!(told(&mut refusals, 180, []).is_empty());
        assert!(refusals.lately.is_empty(), "nothing stays");
        assert_eq!(refusals.total(), 8);
    }

    #[test]
    fn more_topics_than_a_log_can_bear_share_a_line() {
        let mut refusals = Refusals::default();
        let lines = told(&mut refusals, 0, (0..1000).map(|n| n.to_string()));
        assert_eq!(lines.len(), TOPICS + 1);
        assert_eq!(lines.last().unwrap(), "Refused many other topics: no");
        assert_eq!(
            told(&mut refusals, 60, []),
            [format!("Refused {OTHERS} {} more times: no", 999 - TOPICS)]
        );
    }
}
