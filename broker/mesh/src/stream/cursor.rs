//! How far one peer is with a node's messages.

use alloc::collections::VecDeque;

use crate::id::Counter;
use crate::moment::Moment;
use crate::wire::{Frame, Mark};

/// A message on its way.
#[derive(Debug, Clone, Copy)]
struct Flying {
    counter: Counter,
    bytes: usize,
    at: Moment,
}

/// One peer.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// Whether there is a link.
    pub(super) linked: bool,
    /// Everything up to here was sent, or was not for this peer.
    pub(super) passed: Counter,
    /// Everything up to here has come to the peer.
    pub(super) got: Counter,
    /// Everything up to here is as safe as was promised.
    pub(super) kept: Counter,
    /// The last message that a frame has named.
    pub(super) told: Counter,
    /// The last mark.
    marked: Counter,
    marked_at: Moment,
    flying: VecDeque<Flying>,
    flying_bytes: usize,
}

impl Cursor {
    /// A new link, on which the peer has everything up to here.
    pub(super) fn begin(&mut self, at: Counter) {
        *self = Self {
            linked: true,
            passed: at,
            got: at,
            kept: at,
            told: at,
            marked: at,
            ..Self::default()
        };
    }

    /// There is no link any more: what is not confirmed was not sent.
    pub(super) fn end(&mut self) {
        let (got, kept) = (self.got, self.kept);
        *self = Self { passed: got, got, kept, told: got, marked: got, ..Self::default() };
    }

    /// A message is on its way.
    pub(super) fn sent(&mut self, at: Moment, counter: Counter, bytes: usize) {
        self.told = counter;
        self.flying.push_back(Flying { counter, bytes, at });
        self.flying_bytes += bytes;
    }

    /// Messages and bytes under way.
    pub(super) fn flying(&self) -> (usize, usize) {
        (self.flying.len(), self.flying_bytes)
    }

    /// A frame names this message.
    pub(super) fn tell(&mut self, counter: Counter) {
        self.told = self.told.max(counter);
    }

    /// Asks the peer to confirm that it knows of everything up to `last`, unless a frame has named that already. There is
    /// one mark under way at a time.
    pub(super) fn mark(&mut self, now: Moment, last: Counter) -> Option<Frame> {
        if self.passed < last || self.told >= last || self.marked > self.got {
            return None;
        }
        (self.told, self.marked, self.marked_at) = (last, last, now);
        Some(Mark { counter: last }.into())
    }

    /// Since when the peer owes a confirmation.
    pub(super) fn waits_since(&self) -> Option<Moment> {
        let mark = (self.marked > self.got).then_some(self.marked_at);
        self.flying.front().map(|flying| flying.at).into_iter().chain(mark).min()
    }

    /// The peer says how far it got.
    pub(super) fn confirm(&mut self, got: Counter, kept: Counter) {
        self.got = self.got.max(got.min(self.passed));
        self.kept = self.kept.max(kept.min(self.got));
        while let Some(Flying { counter, bytes, .. }) = self.flying.front().copied()
            && counter <= self.got
        {
            self.flying.pop_front();
            self.flying_bytes -= bytes;
        }
    }
}
