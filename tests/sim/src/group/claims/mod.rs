//! What must always hold, checked as it happens: one claim per function, named as the claim.

mod agreement;
mod durability;
mod groups;
mod leadership;

use std::collections::BTreeSet;

use paxos::{Ballot, Chosen, Event, Message, Replica, ReplicaId, RequestId, Slot, Voters};

use self::agreement::Agreement;
use self::durability::Durability;
pub(crate) use self::groups::{is_majority, votes};
use self::leadership::Leadership;
use super::disk::Disk;
use super::node::Ticket;
use super::plan::Plan;

/// Everything the checker remembers of a run.
pub(crate) struct Claims {
    agreement: Agreement,
    durability: Durability,
    leadership: Leadership,
    /// Leave the checks of single messages out, to see what the outcome alone proves.
    blind: bool,
    /// Requests that some replica reported as chosen.
    pub(crate) reached: BTreeSet<RequestId>,
    /// The highest slot that anyone reported as chosen.
    pub(crate) top: Slot,
}

impl Claims {
    pub(crate) fn new(blind: bool, plan: &Plan) -> Self {
        Self {
            agreement: Agreement::new(&plan.config),
            durability: Durability::default(),
            leadership: Leadership::default(),
            blind,
            reached: BTreeSet::new(),
            top: Slot::ZERO,
        }
    }

    /// Called as a message leaves, with what its sender has on disk then.
    pub(crate) fn on_send(&mut self, from: ReplicaId, message: &Message, disk: &Disk) {
        self.agreement.on_send(from, message);
        self.leadership.on_send(message);
        if !self.blind {
            self.durability.on_send(from, message, disk);
        }
    }

    pub(crate) fn on_event(&mut self, by: ReplicaId, event: &Event) {
        self.leadership.on_event(by, event);
    }

    /// A replica knows of a group now; the others' disks tell of these.
    pub(crate) fn on_founded<'a>(
        &mut self,
        founders: &Voters,
        known: impl Iterator<Item = &'a Voters>,
    ) {
        self.agreement.one_group_is_founded(founders, known);
    }

    /// Who votes in the next slot.
    pub(crate) fn voters(&self) -> &Voters {
        self.agreement.groups.last()
    }

    /// Every group that may be deciding now: the last one, and those that are proposed to follow it.
    pub(crate) fn groups_in_force(&self) -> impl Iterator<Item = &Voters> {
        self.agreement.groups.in_force()
    }

    /// The slot that changed the voters last, and who voted up to there.
    pub(crate) fn group_before(&self) -> Option<(Slot, &Voters)> {
        self.agreement.groups.before_last()
    }

    /// How often the voters changed.
    pub(crate) fn changes(&self) -> u64 {
        self.agreement.groups.changes()
    }

    /// Called with what a step reported, before anything of it is written.
    pub(crate) fn on_chosen(
        &mut self,
        by: ReplicaId,
        before: Slot,
        chosen: &[Chosen],
        replica: &Replica,
    ) {
        agreement::chosen_in_order_once(by, before, chosen, replica.chosen_to());
        for entry in chosen {
            if self.agreement.one_value_per_slot(by, entry) {
                self.agreement.a_chosen_value_binds_higher_ballots(entry.slot);
                if !self.blind {
                    self.agreement.a_majority_of_the_voters_accepted(entry);
                }
            }
            self.top = self.top.max(entry.slot);
            let requests = entry.value.requests().iter();
            self.reached.extend(requests.map(paxos::Request::id));
        }
        if !chosen.is_empty() {
            durability::memory_is_bounded(replica);
        }
    }

    pub(crate) fn on_applied(&mut self, by: ReplicaId, disk: &Disk) {
        self.agreement.equal_states_at_equal_slots(by, &disk.machine);
    }

    /// A question that is asked now.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket { number: 0, top: self.top, deciding: self.agreement.deciding }
    }

    /// The answer to it; with yes how far the leader knew what is chosen, and its ballot.
    pub(crate) fn on_answer(
        &self,
        by: ReplicaId,
        ticket: Option<Ticket>,
        yes: Option<(Slot, Ballot)>,
    ) {
        let ticket = leadership::answers_have_questions(by, ticket);
        if let Some((chosen, ballot)) = yes {
            leadership::confirmed_leaders_are_fresh(by, ticket.top, chosen);
            leadership::one_confirmed_leader_at_a_time(by, ticket.deciding, ballot);
        }
    }

    /// After all faults: every replica has everything that was ever reported as chosen.
    pub(crate) fn at_the_end(&self, disks: &[&Disk]) {
        self.agreement.all_histories_are_equal(self.top, disks);
    }
}
