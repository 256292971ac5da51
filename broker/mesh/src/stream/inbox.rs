//! How far a node has come with the messages of one life of a peer.

use alloc::collections::BTreeSet;

use crate::id::{Counter, Incarnation};

/// What has come from a peer.
#[derive(Debug)]
pub struct Inbox {
    /// Which life of the peer numbers them.
    life: Incarnation,
    got: Counter,
    /// Those that a second node is to have before they count as kept.
    open: BTreeSet<Counter>,
}

impl Inbox {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(life: Incarnation) -> Self {
        Self { life, got: Counter::default(), open: BTreeSet::new() }
    }

    /// Which life of the peer this is about.
    #[must_use]
    pub fn life(&self) -> Incarnation {
        self.life
    }

    /// A message, a mark or a gap has come; whether it is the first time.
    pub fn take(&mut self, counter: Counter) -> bool {
        let new = counter > self.got;
        self.got = self.got.max(counter);
        new
    }

    /// The message that came last counts as kept only once it is released.
    pub fn hold(&mut self, counter: Counter) {
        self.open.insert(counter);
    }

    /// A second node has this message, or is not waited for any longer.
    pub fn release(&mut self, counter: Counter) -> bool {
        self.open.remove(&counter)
    }

    /// How far it got.
    #[must_use]
    pub fn got(&self) -> Counter {
        self.got
    }

    /// Up to which message everything is as safe as was promised.
    #[must_use]
    pub fn kept(&self) -> Counter {
        self.open.first().map_or(self.got, |first| Counter(first.0.saturating_sub(1)))
    }
}
