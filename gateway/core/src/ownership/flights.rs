//! The proposals of one zone that are not applied yet, in order.

use std::collections::VecDeque;
use std::sync::Arc;

use paxos::{Moment, Request, SessionId};
use wire::Epoch;

use crate::id::{Generation, Token};
use crate::planted;
use crate::reply::Reply;

/// The proposals of one epoch of a zone.
#[derive(Debug)]
pub(crate) struct Flights {
    epoch: Epoch,
    /// Number of the next proposal.
    next: u64,
    flights: VecDeque<Flight>,
    /// Those of them that nobody waits for, and how many there may be.
    unpromised: usize,
    most_unpromised: usize,
    /// Publishes at QoS 0 that there was no room for.
    dropped: u64,
    /// A proposal was refused, or chosen before one that it follows: propose again from the first.
    gap: bool,
}

/// A proposal that is not applied yet.
#[derive(Debug)]
struct Flight {
    number: u64,
    payload: Arc<[u8]>,
    sent: Moment,
    promised: bool,
    requester: Requester,
}

/// Who asked for a proposal.
#[derive(Debug)]
pub(crate) struct Requester {
    /// What is to be acknowledged; none when the session was lost since, and delivers it again.
    pub(crate) delivery: Option<Handle>,
    pub(crate) reply: Reply,
    /// Answer only when the order is fulfilled.
    pub(crate) wait_for_state: bool,
}

/// By which a delivery of a zone's session is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) generation: Generation,
    pub(crate) token: Token,
}

impl Flights {
    /// None yet; `next` is the first number of the epoch that is free.
    pub(crate) const fn new(epoch: Epoch, next: u64, most_unpromised: usize) -> Self {
        Self {
            epoch,
            next,
            flights: VecDeque::new(),
            unpromised: 0,
            most_unpromised,
            dropped: 0,
            gap: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.flights.len()
    }

    /// Whether there is room for a publish at QoS 0.
    pub(crate) const fn takes_unpromised(&self) -> bool {
        self.unpromised < self.most_unpromised
    }

    /// A publish at QoS 0 is dropped.
    pub(crate) const fn note_dropped(&mut self) {
        self.dropped = self.dropped.saturating_add(1);
    }

    /// Publishes at QoS 0 that were dropped in this epoch.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The number of the next proposal.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Takes a proposal with the next number.
    pub(crate) fn push(
        &mut self,
        payload: Arc<[u8]>,
        requester: Requester,
        promised: bool,
        now: Moment,
    ) -> Request {
        let flight = Flight { number: self.next, payload, sent: now, promised, requester };
        self.next += 1;
        self.unpromised += usize::from(!promised);
        let request = flight.request(self.epoch);
        self.flights.push_back(flight);
        request
    }

    /// The session was lost: what it delivered will be delivered again, and found to be applied already.
    pub(crate) fn session_lost(&mut self) {
        for flight in &mut self.flights {
            flight.requester.delivery = None;
        }
    }

    /// A snapshot is in place, in which all before `next` is applied.
    pub(crate) fn applied_before(&mut self, next: u64) {
        self.flights.retain(|flight| flight.number >= next);
        self.unpromised = self.flights.iter().filter(|flight| !flight.promised).count();
    }

    /// What was proposed is to be proposed again.
    pub(crate) fn note_gap(&mut self) {
        self.gap = true;
    }

    /// The proposal with this number is applied, or refused by apply.
    pub(crate) fn land(&mut self, number: u64) -> Option<Requester> {
        let at = self.flights.iter().position(|flight| flight.number == number)?;
        let flight = self.flights.remove(at)?;
        self.unpromised -= usize::from(!flight.promised);
        Some(flight.requester)
    }

    /// Whether there is a gap, or the first proposal takes longer than `patience`.
    pub(crate) fn are_late(&self, now: Moment, patience: std::time::Duration) -> bool {
        self.gap || self.flights.front().is_some_and(|flight| now >= flight.sent + patience)
    }

    /// All proposals from the first that is not applied, so that order is kept.
    pub(crate) fn again(&mut self, applied: u64, now: Moment) -> Vec<Request> {
        self.gap = false;
        let epoch = self.epoch;
        let late = self.flights.iter_mut().filter(|flight| flight.number >= applied);
        let requests = late.map(|flight| {
            flight.sent = now;
            flight.request(epoch)
        });
        planted::zones::gap_left_open(requests.collect())
    }

    /// The delivery of a proposal.
    pub(crate) fn delivery(&self, number: u64) -> Option<Handle> {
        let flight = self.flights.iter().find(|flight| flight.number == number)?;
        flight.requester.delivery
    }
}

impl Flight {
    fn request(&self, epoch: Epoch) -> Request {
        let session = SessionId(epoch.0);
        Request { session, number: self.number, payload: self.payload.clone() }
    }
}
