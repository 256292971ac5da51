//! What waits on a session while its connection takes no more.
//!
//! A session is never given up because it is slow. What only the newest is wanted of (a device's state, its order)
//! replaces what waits of the same kind, so that as much waits as there are devices. Answers wait in their turn. While
//! many do, acknowledgements wait behind them: the broker sends no more than its window of messages that are not
//! acknowledged, so whoever asks waits too, and nothing is lost.

use std::collections::{BTreeMap, HashMap, VecDeque};

use wire::{Topic, ZoneVerb};

/// What waits on one session: messages `M`, and acknowledgements `A` that wait for them.
#[derive(Debug)]
pub struct Outbox<M, A> {
    /// By place in the line.
    line: BTreeMap<u64, Waiting<M>>,
    /// Where the message of a topic stands whose newest alone is wanted.
    newest: HashMap<String, u64>,
    last: u64,
    /// Messages in the line that each are wanted.
    each: usize,
    held: VecDeque<A>,
    bounds: Bounds,
}

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Answers in the line from which on acknowledgements wait.
    pub crowded: usize,
    /// Answers in the line past which further ones are dropped.
    pub most: usize,
}

impl Bounds {
    /// 256 answers are a few milliseconds of a broker's work. Past them come at most those of one window (64 messages
    /// that are not acknowledged) and of requests that were answered late or asked at QoS 0: 4,096 leaves room for all
    /// of the former; the latter may be lost.
    pub const USUAL: Self = Self { crowded: 256, most: 4096 };
}

/// Which messages of a topic are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Only the newest, whatever was said before.
    Newest,
    /// Each.
    Each,
}

impl Wanted {
    /// Of a device's state and its order only the newest counts; all else is an answer or an announcement.
    #[must_use]
    pub const fn on(topic: Option<&Topic>) -> Self {
        match topic {
            Some(Topic::Device(_, _, ZoneVerb::State | ZoneVerb::Command)) => Self::Newest,
            _ => Self::Each,
        }
    }
}

#[derive(Debug)]
struct Waiting<M> {
    /// Set if a newer message of the topic takes its place.
    topic: Option<String>,
    message: M,
}

impl<M, A> Outbox<M, A> {
    /// Nothing waits.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let (line, newest, held) = (BTreeMap::new(), HashMap::new(), VecDeque::new());
        Self { line, newest, last: 0, each: 0, held, bounds }
    }

    /// Whether nothing waits: the next message need not either.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// A message waits from here on. Gives it back if too many answers wait.
    ///
    /// # Errors
    /// With the message, which finds no room.
    pub fn push(&mut self, topic: &str, wanted: Wanted, message: M) -> Result<(), M> {
        match wanted {
            Wanted::Newest => {
                if let Some(waiting) = self.newest.get(topic).and_then(|at| self.line.get_mut(at)) {
                    waiting.message = message;
                    return Ok(());
                }
                let at = self.append(Some(topic.to_owned()), message);
                self.newest.insert(topic.to_owned(), at);
            }
            Wanted::Each if self.each >= self.bounds.most => return Err(message),
            Wanted::Each => {
                self.each += 1;
                self.append(None, message);
            }
        }
        Ok(())
    }

    /// The message whose turn it is.
    pub fn pop(&mut self) -> Option<M> {
        let (_, Waiting { topic, message }) = self.line.pop_first()?;
        match topic {
            Some(topic) => drop(self.newest.remove(&topic)),
            None => self.each -= 1,
        }
        Some(message)
    }

    /// An acknowledgement that is due: gives it back if it may leave at once.
    #[must_use]
    pub fn acknowledge(&mut self, acknowledgement: A) -> Option<A> {
        if self.held.is_empty() && self.each < self.bounds.crowded {
            return Some(acknowledgement);
        }
        self.held.push_back(acknowledgement);
        None
    }

    /// The next acknowledgement that need not wait any longer.
    pub fn released(&mut self) -> Option<A> {
        if self.each < self.bounds.crowded { self.held.pop_front() } else { None }
    }

    fn append(&mut self, topic: Option<String>, message: M) -> u64 {
        self.last += 1;
        self.line.insert(self.last, Waiting { topic, message });
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { crowded: 2, most: 4 };

    fn outbox() -> Outbox<&'static str, u8> {
        Outbox::new(SMALL)
    }

    fn rest(outbox: &mut Outbox<&'static str, u8>) -> Vec<&'static str> {
        std::iter::from_fn(|| outbox.pop()).collect()
    }

    #[test]
    fn the_newest_state_takes_the_place_of_an_older_one() {
        let mut outbox = outbox();
        for (topic, state) in [("lamp", "1"), ("door", "2"), ("lamp", "3")] {
            assert_eq!(outbox.push(topic, Wanted::Newest, state), Ok(()));
        }
        assert_eq!(rest(&mut outbox), ["3", "2"]);
        assert_eq!(outbox.push("lamp", Wanted::Newest, "4"), Ok(()));
        assert_eq!(rest(&mut outbox), ["4"]);
    }

    #[test]
    fn answers_wait_in_their_turn_up_to_the_bound() {
        let mut outbox = outbox();
        for answer in ["1", "2", "3", "4"] {
            assert_eq!(outbox.push("reply", Wanted::Each, answer), Ok(()));
        }
        assert_eq!(outbox.push("reply", Wanted::Each, "5"), Err("5"));
        // States are bounded by the devices that there are.
        assert_eq!(outbox.push("lamp", Wanted::Newest, "6"), Ok(()));
        assert_eq!(rest(&mut outbox), ["1", "2", "3", "4", "6"]);
    }

    #[test]
    fn acknowledgements_wait_while_many_answers_do_and_keep_their_order() {
        let mut outbox = outbox();
        assert_eq!(outbox.acknowledge(1), Some(1));
        for answer in ["1", "2", "3"] {
            assert_eq!(outbox.push("reply", Wanted::Each, answer), Ok(()));
        }
        assert_eq!((outbox.acknowledge(2), outbox.acknowledge(3)), (None, None));
        assert_eq!(outbox.pop(), Some("1"));
        assert_eq!(outbox.released(), None);
        assert_eq!(outbox.pop(), Some("2"));
        assert_eq!(outbox.released(), Some(2));
        assert_eq!(outbox.acknowledge(4), None, "not before those that wait");
        assert_eq!(
            (outbox.released(), outbox.released(), outbox.released()),
            (Some(3), Some(4), None)
        );
    }
}
