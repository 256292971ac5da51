//! What a broker holds for zones until their owners have it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::planted;
use crate::claims::Claim;
use crate::id::{NodeId, Token};
use crate::message::{Message, Qos};
use crate::moment::Moment;
use crate::wire::{Report, Why};

/// Publishes of one zone held here. 4,096: half a minute of a zone's hundred busy sensors while its owner moves.
pub const HELD_MESSAGES: usize = 4_096;
/// Bytes of all that is held here. 64 MiB.
pub const HELD_BYTES: usize = 64 * 1024 * 1024;
/// QoS 0 publishes held for one zone. 64: fresh readings matter, old ones do not.
pub const LOOSE: usize = 64;
/// Reports of one zone on their way to its owner. 64: what an owner's session takes at a time.
pub const UNDER_WAY: usize = 64;
/// How long after a refusal a report is sent again, if no new claim comes first. 50 ms: an owner opens its session within
/// ten.
pub const RETRY: Duration = Duration::from_millis(50);

/// All zones with something held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    zones: BTreeMap<Box<str>, Line>,
    bytes: usize,
    dropped: u64,
}

/// What is held for one zone, the oldest first.
#[derive(Debug, Default)]
struct Line {
    entries: VecDeque<Entry>,
    /// Number of the last one. It goes on when everything is acknowledged, so the line stays.
    last: u64,
    /// How many from the front are on their way.
    sent: usize,
    /// Counts beginnings.
    round: u64,
    to: Option<Claim>,
    /// Nothing is sent before.
    not_before: Option<Moment>,
    loose: usize,
}

#[derive(Debug)]
struct Entry {
    counter: u64,
    message: Arc<Message>,
    /// Whose acknowledgement is withheld; nobody's with QoS 0.
    token: Option<Token>,
}

/// There is no room for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Held {
    /// Takes a report. With QoS 0 the oldest one makes room.
    ///
    /// # Errors
    /// There is no room; its publisher is not read further.
    pub(crate) fn admit(
        &mut self,
        zone: &str,
        message: Arc<Message>,
        token: Option<Token>,
    ) -> Result<(), Full> {
        let line = self.zones.entry(zone.into()).or_default();
        if message.qos != Qos::AtMostOnce
            && (line.entries.len() - line.loose >= HELD_MESSAGES
                || self.bytes + message.weight() > HELD_BYTES)
        {
            return Err(Full);
        }
        self.bytes += message.weight();
        let counter = if token.is_some() { line.number() } else { 0 };
        line.loose += usize::from(token.is_none());
        line.entries.push_back(Entry { counter, message, token });
        if line.loose > LOOSE
            && let Some(at) = line.entries.iter().position(|entry| entry.token.is_none())
        {
            self.dropped += 1;
            self.bytes -= line.take(at).map_or(0, |entry| entry.message.weight());
        }
        Ok(())
    }

    /// Bytes of all that is held.
    #[must_use]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// QoS 0 publishes that made room for later ones.
    #[must_use]
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Zones with something held that nobody claims, to be announced.
    pub(crate) fn unclaimed(&self) -> impl Iterator<Item = &str> {
        let waits = self.zones.iter().filter(|(_, l)| l.to.is_none() && !l.entries.is_empty());
        waits.map(|(zone, _)| &**zone)
    }

    /// How many publishes a zone has not acknowledged.
    #[must_use]
    pub(crate) fn waiting(&self, zone: &str) -> usize {
        self.zones.get(zone).map_or(0, |line| line.entries.len())
    }

    /// A zone is claimed; a new claim gets everything unacknowledged, in order.
    pub(crate) fn direct(&mut self, zone: &str, to: Claim) {
        let line = self.zones.entry(zone.into()).or_default();
        if line.to.is_some_and(|old| old == to || to.epoch < old.epoch) {
            return;
        }
        line.to = Some(to);
        if planted::from_the_first(true) {
            line.begin_again(None);
        }
    }

    /// The lane to a node has ended, or begun: what was under way there is sent again.
    pub(crate) fn begin_again(&mut self, node: NodeId) {
        for line in self.zones.values_mut() {
            if line.to.is_some_and(|claim| claim.at.node == node) {
                line.begin_again(None);
            }
        }
    }

    /// What is to be sent for a zone now, and to whom. `reached` tells whether a node can be sent something.
    pub(crate) fn next(
        &mut self,
        now: Moment,
        zone: &str,
        reached: impl Fn(NodeId) -> bool,
    ) -> Option<(NodeId, Vec<Report>)> {
        let line = self.zones.get_mut(zone)?;
        let claim = line.to.filter(|claim| reached(claim.at.node))?;
        if line.not_before.is_some() {
            return None;
        }
        let mut reports = Vec::new();
        while line.sent < line.entries.len().min(UNDER_WAY) {
            reports.extend(line.send(now, zone, claim));
        }
        self.bytes -= line.forget_loose();
        (!reports.is_empty()).then_some((claim.at.node, reports))
    }

    /// Zones that have something to send.
    #[must_use]
    pub(crate) fn ready(&self) -> Vec<Box<str>> {
        let ready = |line: &Line| line.to.is_some() && line.sent < line.entries.len();
        self.zones.iter().filter(|(_, line)| ready(line)).map(|(zone, _)| zone.clone()).collect()
    }

    /// The owner has a report, or refuses it for good; whose acknowledgement was withheld.
    pub(crate) fn taken(&mut self, zone: &str, counter: u64) -> Option<Token> {
        let line = self.zones.get_mut(zone)?;
        let at = line.entries.iter().position(|e| e.counter == counter && e.token.is_some())?;
        let entry = line.take(at)?;
        self.bytes -= entry.message.weight();
        entry.token
    }

    /// A report was not taken: the zone begins again from the first that is not acknowledged.
    pub(crate) fn refused(&mut self, now: Moment, zone: &str, round: u64, counter: u64, why: Why) {
        let Some(line) = self.zones.get_mut(zone).filter(|line| line.round == round) else {
            return;
        };
        let first = line.entries.front().is_none_or(|entry| entry.counter == counter);
        let at_once = why == Why::Predecessor && !first;
        line.begin_again((!at_once).then(|| now.after(RETRY)));
    }

    /// Lets zones go on whose pause after a refusal is over.
    pub(crate) fn go_on(&mut self, now: Moment) {
        for line in self.zones.values_mut() {
            line.not_before = line.not_before.filter(|at| *at > now);
        }
    }

    /// When something is to be sent again.
    pub(crate) fn next_retry(&self) -> Option<Moment> {
        self.zones.values().filter_map(|line| line.not_before).min()
    }
}

impl Line {
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn begin_again(&mut self, not_before: Option<Moment>) {
        self.round += 1;
        self.sent = 0;
        self.not_before = not_before;
    }

    fn send(&mut self, now: Moment, zone: &str, claim: Claim) -> Option<Report> {
        let entry = self.entries.get(self.sent)?;
        let before = self.entries.range(..self.sent).rev().find(|e| e.token.is_some());
        let before = planted::before(before.map_or(0, |entry| entry.counter));
        self.sent += 1;
        if entry.token.is_none() && entry.message.expired(now) {
            return None;
        }
        Some(Report {
            zone: zone.into(),
            epoch: claim.epoch,
            round: self.round,
            counter: entry.counter,
            before,
            left: now.left(entry.message.expires),
            message: entry.message.clone(),
        })
    }

    /// Lets go of QoS 0 that was sent; nobody acknowledges it.
    fn forget_loose(&mut self) -> usize {
        let mut bytes = 0;
        while self.loose > 0
            && let Some(at) =
                self.entries.range(..self.sent).position(|entry| entry.token.is_none())
        {
            bytes += self.take(at).map_or(0, |entry| entry.message.weight());
        }
        bytes
    }

    fn take(&mut self, at: usize) -> Option<Entry> {
        let entry = self.entries.remove(at)?;
        self.sent -= usize::from(at < self.sent);
        self.loose -= usize::from(entry.token.is_none());
        Some(entry)
    }
}
