//! What waits to be written: taken in at once, in order, and bounded.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use broker_core::Keep;
use broker_core::Moment;

/// How long changes collect before they are written. 20 ms: fifty small transactions a second at most, and a kill
/// loses no more than a blink.
const COLLECT: Duration = Duration::from_millis(20);
/// Changes that may wait. 262,144: a full store of retained messages, and all the sessions beside it; 20 MiB.
const MOST: usize = 256 * 1024;
/// Bytes of messages that may wait. 64 MiB: the broker holds most of them anyway, as its retained messages.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Changes after which it is worth looking for those that others have made pointless. 4,096: a third of a
/// millisecond.
const LOOK: usize = 4096;

/// Where the core's changes lie until the writer takes them.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pending: Mutex<Pending>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    changes: Vec<Keep>,
    bytes: usize,
    /// Length at which `changes` is looked through for pointless ones.
    look_at: usize,
    /// The broker's time at the last change.
    now: Moment,
    /// When the first of the changes came.
    since: Option<Instant>,
    /// Single changes were given up: only writing everything anew helps.
    gave_up: bool,
    closing: bool,
    /// Why the file cannot be written.
    trouble: Option<String>,
}

/// What the writer has to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Write these; the last came at this time of the broker.
    Changes(Vec<Keep>, Moment),
    /// Too much was waiting: write everything anew.
    Everything,
    /// The time that was given has come.
    Sync,
    /// Nothing more will come, and nothing is left; or all of it, if single changes were given up.
    Closed { complete: bool },
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes changes in; leaves `changes` empty.
    pub(crate) fn put(&self, now: Moment, changes: &mut Vec<Keep>) {
        let mut pending = self.lock();
        if pending.gave_up {
            return changes.clear();
        }
        pending.now = now;
        pending.bytes += changes.iter().map(weight).sum::<usize>();
        pending.changes.append(changes);
        if pending.changes.len() >= pending.look_at.max(LOOK) || pending.bytes > MOST_BYTES {
            pending.look_through();
        }
        if pending.since.is_none() {
            pending.since = Some(Instant::now());
            self.news.notify_one();
        }
    }

    /// Waits for work. Something else is due at `until`; if that is another try at a file in trouble, nothing else is
    /// of use before.
    pub(super) fn take(&self, until: Option<Instant>, in_trouble: bool) -> Work {
        let mut pending = self.lock();
        loop {
            let now = Instant::now();
            let due = pending.since.map(|since| since + COLLECT);
            let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
            if pending.closing && (pending.gave_up || pending.changes.is_empty()) {
                return Work::Closed { complete: !pending.gave_up };
            }
            if pending.gave_up && (!in_trouble || passed(until)) {
                return Work::Everything;
            }
            if pending.closing || passed(due) {
                return pending.all();
            }
            if passed(until) {
                return Work::Sync;
            }
            pending = match due.into_iter().chain(until).min() {
                None => self.news.wait(pending).unwrap_or_else(PoisonError::into_inner),
                Some(wake) => {
                    let left = wake.saturating_duration_since(now);
                    let waited = self.news.wait_timeout(pending, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Single changes can no longer be written.
    pub(super) fn give_up(&self, trouble: String) {
        let mut pending = self.lock();
        pending.trouble = Some(trouble);
        pending.give_up();
    }

    /// Everything is at hand as it is now: from here on single changes count again.
    pub(crate) fn begin_anew(&self, now: Moment) {
        let mut pending = self.lock();
        (pending.gave_up, pending.now) = (false, now);
        pending.clear();
    }

    /// The file is written again.
    pub(super) fn recovered(&self) {
        self.lock().trouble = None;
    }

    /// The broker's time when it last had something to say.
    pub(super) fn now(&self) -> Moment {
        self.lock().now
    }

    /// Why the file cannot be written, if it cannot.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.news.notify_one();
    }
}

impl Pending {
    fn all(&mut self) -> Work {
        let changes = std::mem::take(&mut self.changes);
        self.clear();
        Work::Changes(changes, self.now)
    }

    fn clear(&mut self) {
        self.changes.clear();
        (self.bytes, self.look_at, self.since) = (0, 0, None);
    }

    fn give_up(&mut self) {
        self.gave_up = true;
        self.changes = Vec::new();
        self.clear();
    }

    /// Drops what later changes have made pointless; gives up if most of it was not.
    fn look_through(&mut self) {
        without_pointless(&mut self.changes);
        self.bytes = self.changes.iter().map(weight).sum();
        self.look_at = 2 * self.changes.len();
        if self.changes.len() > MOST / 2 || self.bytes > MOST_BYTES / 2 {
            tracing::info!(
                changes = self.changes.len(),
                bytes = self.bytes,
                "the broker's file is behind; everything will be written anew"
            );
            self.give_up();
            // The writer is told by `since`, which `put` sets.
        }
    }
}

/// Keeps only the last change of each retained message.
pub(super) fn without_pointless(changes: &mut Vec<Keep>) {
    let mut last: HashMap<&str, usize> = HashMap::new();
    for (at, change) in changes.iter().enumerate() {
        last.extend(topic(change).map(|topic| (topic, at)));
    }
    let mut needed = vec![true; changes.len()];
    for (at, change) in changes.iter().enumerate() {
        needed[at] = topic(change).is_none_or(|topic| last.get(topic) == Some(&at));
    }
    let mut needed = needed.into_iter();
    changes.retain(|_| needed.next().unwrap_or(true));
}

fn topic(change: &Keep) -> Option<&str> {
    match change {
        Keep::Retained(message) => Some(&message.topic),
        Keep::Cleared(topic) => Some(topic),
        _ => None,
    }
}

/// Bytes that a change keeps in memory while it waits.
fn weight(change: &Keep) -> usize {
    match change {
        Keep::Retained(message) => message.weight(),
        Keep::Waiting(_, waiting) => waiting.message.weight(),
        Keep::Asleep(_, waiting, _) => waiting.iter().map(|waiting| waiting.message.weight()).sum(),
        Keep::Will(last) => last.will.publish.topic.len() + last.will.publish.payload.len(),
        Keep::Cleared(topic) | Keep::Unsubscribed(_, topic) => topic.len(),
        Keep::Subscribed(_, filter, _) => filter.path.len(),
        Keep::Session(_) | Keep::SessionEnded(_) | Keep::WillOver(_) | Keep::Gateways => 0,
        Keep::Awake(_) | Keep::Received(..) | Keep::Delivered(..) => 0,
    }
}
