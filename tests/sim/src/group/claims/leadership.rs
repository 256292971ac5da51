//! Who leads, and what a leader may say.

use std::collections::BTreeSet;

use paxos::{Ballot, Event, Message, ReplicaId, Slot};

use crate::group::node::Ticket;
use crate::verdict::{broken, claim};

#[derive(Default)]
pub(crate) struct Leadership {
    /// Ballots for which a prepare has left.
    used: BTreeSet<Ballot>,
    led: BTreeSet<Ballot>,
}

impl Leadership {
    pub(crate) fn on_send(&mut self, message: &Message) {
        if let Message::Prepare { ballot, .. } = message {
            self.used.insert(*ballot);
        }
    }

    pub(crate) fn on_event(&mut self, by: ReplicaId, event: &Event) {
        match event {
            Event::Campaigning { ballot } => self.no_ballot_is_used_twice(by, *ballot),
            Event::Leading { ballot } => self.a_ballot_leads_once(by, *ballot),
            Event::Contradicted { .. } => no_peer_contradicts_another(by, event),
            _ => {}
        }
    }

    /// One that was chosen and never left the process may come again.
    fn no_ballot_is_used_twice(&self, by: ReplicaId, ballot: Ballot) {
        claim!(
            ballot.replica == by && !self.used.contains(&ballot),
            "no ballot is used twice",
            "replica {by} campaigns with {ballot}"
        );
    }

    fn a_ballot_leads_once(&mut self, by: ReplicaId, ballot: Ballot) {
        let first = self.led.insert(ballot);
        claim!(
            first && ballot.replica == by,
            "a ballot leads once, by its owner",
            "replica {by} leads {ballot}"
        );
    }
}

/// Nobody forges anything here.
fn no_peer_contradicts_another(by: ReplicaId, event: &Event) {
    broken("no peer contradicts another", format!("replica {by}: {event}"))
}

pub(crate) fn answers_have_questions(by: ReplicaId, ticket: Option<Ticket>) -> Ticket {
    ticket.unwrap_or_else(|| {
        broken("answers have questions", format!("replica {by} answers what nobody asked"))
    })
}

/// A confirmed leader knows of all that was reported anywhere when it was asked.
pub(crate) fn confirmed_leaders_are_fresh(by: ReplicaId, asked_at_top: Slot, chosen: Slot) {
    claim!(
        chosen >= asked_at_top,
        "confirmed leaders are fresh",
        "replica {by} was confirmed at slot {chosen}, but slot {asked_at_top} was chosen before it was asked"
    );
}

/// When it was asked, no later leader had got anything chosen.
pub(crate) fn one_confirmed_leader_at_a_time(by: ReplicaId, deciding: Ballot, own: Ballot) {
    claim!(
        own >= deciding,
        "one confirmed leader at a time",
        "replica {by} was confirmed in {own}, but {deciding} had already decided when it was asked"
    );
}
