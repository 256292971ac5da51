//! What was published at a node, for its peers.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::cursor::Cursor;
use super::planted;
use crate::id::{Counter, NodeId, Nodes};
use crate::message::{Message, Qos};
use crate::moment::Moment;
use crate::wire::{Frame, Gap, Publish};

/// Bytes that are kept for peers that are away or slow. 64 MiB: what zones may hold, and five minutes of a busy home.
pub const MESSAGES: usize = 64 * 1024 * 1024;
/// How long a message is kept for a peer that is away. 5 minutes: a switch that restarts, a cable that is moved.
pub const TIME: Duration = Duration::from_secs(300);
/// Bytes of QoS 0 that wait for peers. 4 MiB: one window; what is more, nobody was promised.
pub const LOOSE_BYTES: usize = 4 * 1024 * 1024;
/// How long QoS 0 waits for a peer that is away. 5 s: fresh readings matter, old ones do not.
pub const LOOSE_TIME: Duration = Duration::from_secs(5);
/// Messages and bytes on their way to one peer. 4,096 and 4 MiB: 100,000 a second with a round trip of 40 ms.
pub const WINDOW: (usize, usize) = (4_096, 4 * 1024 * 1024);
/// Messages behind a full window from which on publishers are not read further. 1,000: what one client may have open.
const CROWD: u64 = 1_000;
/// Topics of lost messages that a peer is told by name. 1,024; when there are more, it has to expect any.
const LOST_TOPICS: usize = 1_024;

/// All messages that a peer may still need.
#[derive(Debug, Default)]
pub struct Log {
    /// Numbered without holes, up to `last`.
    items: VecDeque<Item>,
    last: Counter,
    bytes: usize,
    /// QoS 0 messages among them.
    loose: VecDeque<Counter>,
    loose_bytes: usize,
    cursors: BTreeMap<NodeId, Cursor>,
    lost: Lost,
    dropped: Dropped,
}

#[derive(Debug)]
struct Item {
    at: Moment,
    /// None if it was QoS 0 and there was no room.
    body: Option<Body>,
}

#[derive(Debug)]
struct Body {
    message: Arc<Message>,
    /// Which node was chosen for which shared subscription.
    chosen: Vec<(Box<str>, NodeId)>,
    /// Ordinary subscribers have had it already.
    again: bool,
}

/// Messages that were given up before everybody had them.
#[derive(Debug, Default)]
struct Lost {
    upto: Counter,
    /// Their topics, unless there are too many.
    topics: BTreeSet<Box<str>>,
    many: bool,
}

/// What was given up, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// QoS 0 messages.
    pub loose: u64,
    /// QoS 1 and 2 messages; peers that miss them are told.
    pub promised: u64,
}

/// What a peer wants of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Its subscribers want it.
    pub deliver: bool,
    /// Its map wants it.
    pub record: bool,
}

/// A message whose chosen member of a shared subscription has died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The message.
    pub message: Arc<Message>,
    /// The shared subscription.
    pub group: Box<str>,
}

impl Log {
    /// A node that messages are kept for from now on.
    pub fn add(&mut self, node: NodeId) {
        let at = self.last;
        self.cursors.entry(node).or_insert_with(|| {
            let mut cursor = Cursor::default();
            cursor.begin(at);
            cursor.end();
            cursor
        });
    }

    /// Nothing is kept for this node any more.
    pub fn remove(&mut self, node: NodeId) {
        self.cursors.remove(&node);
        self.trim();
    }

    /// Whether messages are kept for anybody.
    #[must_use]
    pub fn has_peers(&self) -> bool {
        !self.cursors.is_empty()
    }

    /// Number of the last message.
    #[must_use]
    pub fn last(&self) -> Counter {
        self.last
    }

    /// What was given up so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Bytes of all that is kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a message; its number.
    pub fn push(
        &mut self,
        now: Moment,
        message: Arc<Message>,
        chosen: Vec<(Box<str>, NodeId)>,
    ) -> Counter {
        self.enter(now, Body { message, chosen, again: false })
    }

    /// Takes a message once more, for another member of a shared subscription.
    pub fn push_again(&mut self, now: Moment, orphan: Orphan, chosen: NodeId) -> Counter {
        let Orphan { message, group } = orphan;
        self.enter(now, Body { message, chosen: alloc::vec![(group, chosen)], again: true })
    }

    fn enter(&mut self, now: Moment, body: Body) -> Counter {
        let message = &body.message;
        self.last = self.last.next();
        let weight = message.weight();
        self.bytes += weight;
        if message.qos == Qos::AtMostOnce {
            self.loose.push_back(self.last);
            self.loose_bytes += weight;
        }
        self.items.push_back(Item { at: now, body: Some(body) });
        self.bound(now);
        self.last
    }

    /// Lets go of what is too much or too old.
    pub fn bound(&mut self, now: Moment) {
        while let Some(&first) = self.loose.front()
            && (self.loose_bytes > LOOSE_BYTES || self.age(first, now) > LOOSE_TIME)
        {
            self.drop_loose(first);
        }
        while let Some(first) = self.items.front()
            && (self.bytes > MESSAGES || now.since(first.at) > TIME)
        {
            self.give_up();
        }
    }

    fn first(&self) -> Counter {
        Counter(self.last.0 + 1 - self.items.len() as u64)
    }

    fn index(&self, counter: Counter) -> usize {
        counter.0.saturating_sub(self.first().0) as usize
    }

    fn age(&self, counter: Counter, now: Moment) -> Duration {
        self.items.get(self.index(counter)).map_or(Duration::MAX, |item| now.since(item.at))
    }

    /// Lets go of the oldest QoS 0 message, but not of its number.
    fn drop_loose(&mut self, counter: Counter) {
        self.loose.pop_front();
        let index = self.index(counter);
        let Some(body) = self.items.get_mut(index).and_then(|item| item.body.take()) else {
            return;
        };
        self.loose_bytes -= body.message.weight();
        self.bytes -= body.message.weight();
        let missed = self.cursors.values().any(|cursor| cursor.passed < counter);
        self.dropped.loose += u64::from(missed);
        self.trim();
    }

    /// Lets go of the oldest message, though somebody may need it.
    fn give_up(&mut self) {
        let counter = self.first();
        let Some(body) = self.pop() else { return };
        if body.message.qos == Qos::AtMostOnce {
            self.dropped.loose += 1;
            return;
        }
        self.dropped.promised += 1;
        if self.cursors.values().all(|cursor| cursor.kept >= self.lost.upto) {
            self.lost.topics.clear();
            self.lost.many = false;
        }
        self.lost.upto = counter;
        if self.lost.topics.len() < LOST_TOPICS {
            self.lost.topics.insert(body.message.topic.clone());
        } else {
            self.lost.many |= !self.lost.topics.contains(&body.message.topic);
        }
    }

    fn pop(&mut self) -> Option<Body> {
        let counter = self.first();
        let body = self.items.pop_front()?.body?;
        self.bytes -= body.message.weight();
        if self.loose.front() == Some(&counter) {
            self.loose.pop_front();
            self.loose_bytes -= body.message.weight();
        }
        Some(body)
    }

    /// Lets go of what everybody has.
    fn trim(&mut self) {
        while let Some(item) = self.items.front() {
            let counter = self.first();
            let has = |cursor: &Cursor| match &item.body {
                // It was given up, or its sender was promised nothing and it is on its way.
                None => true,
                Some(body) if body.message.qos == Qos::AtMostOnce && cursor.linked => {
                    cursor.passed >= counter
                }
                Some(_) => planted::has_it(cursor.kept >= counter, cursor.passed >= counter),
            };
            if !self.cursors.values().all(has) {
                return;
            }
            self.pop();
        }
    }

    /// A link to a peer is open. `got` is how far it got with this life's messages; a new life of the peer has been
    /// `serving` clients for so long, and what is older concerns none of them.
    pub fn resume(&mut self, now: Moment, node: NodeId, got: Option<Counter>, serving: Duration) {
        let at = got.unwrap_or_else(|| self.before(now, serving)).min(self.last);
        if let Some(cursor) = self.cursors.get_mut(&node) {
            cursor.begin(planted::resumed_at(at, self.last));
        }
        self.trim();
    }

    /// The last message that is older than `age`.
    fn before(&self, now: Moment, age: Duration) -> Counter {
        let younger = self.items.iter().rev().take_while(|item| now.since(item.at) <= age).count();
        Counter(self.last.0 - younger as u64)
    }

    /// A peer has no link any more.
    pub fn away(&mut self, node: NodeId) {
        if let Some(cursor) = self.cursors.get_mut(&node) {
            cursor.end();
        }
    }

    /// A peer says how far it got.
    pub fn confirm(&mut self, node: NodeId, got: Counter, kept: Counter) {
        if let Some(cursor) = self.cursors.get_mut(&node) {
            cursor.confirm(got, kept);
        }
        self.trim();
    }

    /// The peers that have kept a message.
    #[must_use]
    pub fn kept_by(&self, counter: Counter) -> Nodes {
        let kept = self.cursors.iter().filter(|(_, cursor)| cursor.kept >= counter);
        kept.map(|(node, _)| *node).collect()
    }

    /// Since when a linked peer owes a confirmation.
    #[must_use]
    pub fn waits_since(&self, node: NodeId) -> Option<Moment> {
        self.cursors.get(&node).filter(|cursor| cursor.linked)?.waits_since()
    }

    /// The last message that a peer was sent, or that was not for it.
    #[must_use]
    pub fn passed(&self, node: NodeId) -> Counter {
        self.cursors.get(&node).map_or(self.last, |cursor| cursor.passed)
    }

    /// Whether publishers should not be read further, because a linked peer is behind.
    #[must_use]
    pub fn crowded(&self) -> bool {
        self.cursors.values().any(|cursor| {
            let behind = self.last.0 - cursor.passed.0;
            cursor.linked && is_full(cursor) && behind > CROWD
        })
    }

    /// What a linked peer is to be sent now; `wants` says what it wants of a message.
    pub fn next(
        &mut self,
        now: Moment,
        node: NodeId,
        wants: impl Fn(Counter, &Message) -> Verdict,
        out: &mut Vec<Frame>,
    ) {
        let (first, last) = (self.first(), self.last);
        let Some(cursor) = self.cursors.get_mut(&node).filter(|cursor| cursor.linked) else {
            return;
        };
        if cursor.passed.0 + 1 < first.0 {
            cursor.passed = Counter(first.0 - 1);
            if planted::tells(self.lost.upto > cursor.told) {
                cursor.tell(self.lost.upto);
                out.push(self.lost.told().into());
            }
        }
        let from = (cursor.passed.0 + 1).saturating_sub(first.0) as usize;
        for item in self.items.range(from.min(self.items.len())..) {
            if is_full(cursor) {
                return;
            }
            let counter = cursor.passed.next();
            cursor.passed = counter;
            let Some(body) = item.body.as_ref().filter(|body| !body.message.expired(now)) else {
                continue;
            };
            let frame = body.for_peer(now, node, counter, wants(counter, &body.message));
            if let Some(frame) = frame {
                cursor.sent(now, counter, body.message.weight());
                out.push(frame);
            }
        }
        out.extend(cursor.mark(now, last));
    }

    /// What a peer that has died had not confirmed of shared subscriptions, for another member. QoS 2 is not given
    /// twice, and QoS 0 was not promised.
    pub fn orphans(&mut self, node: NodeId) -> Vec<Orphan> {
        let Some(kept) = self.cursors.get(&node).map(|cursor| cursor.kept) else {
            return Vec::new();
        };
        let from = (kept.0 + 1).saturating_sub(self.first().0) as usize;
        let mut orphans = Vec::new();
        for item in self.items.range_mut(from.min(self.items.len())..) {
            let Some(body) = &mut item.body else { continue };
            let message = body.message.clone();
            let again = message.qos == Qos::AtLeastOnce;
            for (group, _) in body.chosen.extract_if(.., |(_, chosen)| *chosen == node) {
                orphans.extend(again.then(|| Orphan { message: message.clone(), group }));
            }
        }
        orphans
    }
}

impl Body {
    fn for_peer(
        &self,
        now: Moment,
        node: NodeId,
        counter: Counter,
        verdict: Verdict,
    ) -> Option<Frame> {
        let chosen = self.chosen.iter().filter(|(_, chosen)| *chosen == node);
        let groups: Vec<Box<str>> = chosen.map(|(group, _)| group.clone()).collect();
        let Verdict { deliver, record } = if self.again { Verdict::default() } else { verdict };
        let wanted = deliver || record || !groups.is_empty();
        wanted.then(|| {
            let left = now.left(self.message.expires);
            let message = self.message.clone();
            Publish { counter, deliver, groups, left, message }.into()
        })
    }
}

impl Lost {
    fn told(&self) -> Gap {
        let topics = (!self.many).then(|| self.topics.iter().cloned().collect());
        Gap { upto: self.upto, topics }
    }
}

fn is_full(cursor: &Cursor) -> bool {
    let (messages, bytes) = cursor.flying();
    messages >= WINDOW.0 || bytes >= WINDOW.1
}
