//! Topic aliases towards one connection [MQTT 5, 3.3.2.3.4]: topics that repeat are sent once and then as a number.
//!
//! An alias is given at a topic's second message, so that a burst of topics that come once, such as retained ones,
//! takes none from those that repeat.

use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use crate::codec::Alias;

/// Aliases of one connection. 32: what a client watches closely; more would make the look-up dearer than the bytes,
/// and a busy connection spends at most 5 KiB on them.
const MOST: u16 = 32;
/// Topics remembered that came once. 64: twice the aliases.
const SEEN: usize = 64;

/// The aliases of one connection; they end with it.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    most: u16,
    given: Vec<Given>,
    /// Hashes of topics that came once, oldest first. Two topics with one hash only get an alias early.
    seen: VecDeque<u64>,
    clock: u64,
}

#[derive(Debug)]
struct Given {
    hash: u64,
    topic: Box<str>,
    used: u64,
}

impl Aliases {
    /// `maximum` is the client's Topic Alias Maximum.
    pub(crate) fn new(maximum: u16) -> Option<Box<Self>> {
        let most = maximum.min(MOST);
        (most > 0).then(|| Box::new(Self { most, ..Self::default() }))
    }

    /// How to send the next message of a topic. What it says must be sent so, or [`Aliases::unsent`] be called.
    pub(crate) fn next(&mut self, topic: &str) -> Alias {
        self.clock += 1;
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(topic);
        let known = |given: &Given| given.hash == hash && &*given.topic == topic;
        if let Some(at) = self.given.iter().position(known) {
            self.given[at].used = self.clock;
            return Alias::Use(number(at));
        }
        if !self.seen.contains(&hash) {
            if self.seen.len() >= SEEN {
                self.seen.pop_front();
            }
            self.seen.push_back(hash);
            return Alias::None;
        }
        self.seen.retain(|&seen| seen != hash);
        let given = Given { hash, topic: topic.into(), used: self.clock };
        if self.given.len() < usize::from(self.most) {
            self.given.push(given);
            return Alias::Set(number(self.given.len() - 1));
        }
        let oldest = (0..self.given.len()).min_by_key(|&at| self.given[at].used).unwrap_or(0);
        self.given[oldest] = given;
        Alias::Set(number(oldest))
    }

    /// A message that was to make a number known is not sent: nobody knows what the number means.
    pub(crate) fn unsent(&mut self, alias: Alias) {
        if let Alias::Set(number) = alias
            && let Some(given) = self.given.get_mut(usize::from(number - 1))
        {
            // No topic is empty, so it is never looked up, and it is the next to be replaced.
            *given = Given { hash: 0, topic: Box::default(), used: 0 };
        }
    }
}

/// Aliases begin with 1.
fn number(at: usize) -> u16 {
    at as u16 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_repeats_gets_a_number_and_the_least_used_one_loses_it() {
        let mut aliases = Aliases::new(2).unwrap();
        let mut sent = String::new();
        for topic in ["a", "a", "a", "b", "c", "b", "c", "a", "b"] {
            sent += &format!("{topic} {:?}, ", aliases.next(topic));
        }
        let expected =
            "a None, a Set(1), a Use(1), b None, c None, b Set(2), c Set(1), a None, b Use(2), ";
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_client_that_wants_none_gets_none() {
        assert!(Aliases::new(0).is_none());
    }

    #[test]
    fn a_number_that_never_arrived_is_not_used() {
        let mut aliases = Aliases::new(1).unwrap();
        aliases.next("a");
        let set = aliases.next("a");
        aliases.unsent(set);
        assert_eq!([aliases.next("a"), aliases.next("a")], [Alias::None, Alias::Set(1)]);
    }

    #[test]
    fn a_burst_of_topics_that_come_once_takes_no_number() {
        let mut aliases = Aliases::new(1).unwrap();
        aliases.next("a");
        aliases.next("a");
        for topic in 0..1000 {
            assert_eq!(aliases.next(&topic.to_string()), Alias::None);
        }
        assert_eq!(aliases.next("a"), Alias::Use(1));
    }
}
