//! Who votes: wishes for other voters, and disks that are lost and come back as new replicas.

use paxos::{Input, Message, Outgoing, ReplicaId, Voters};

use super::claims::{is_majority, votes};
use super::disk::Disk;
use super::faults::Fault;
use super::node::Node;
use super::planted::{self, Mutant};
use super::world::{Due, FIRST_DISK, World};

/// More wishes than there may be under way, with leaders that do not know of each other.
const REMEMBERED: usize = 4;

/// What separates those who know of a change from those who do not.
const AFTER_A_CHANGE: [Fault; 5] =
    [Fault::CrashLeader, Fault::IsolateLeader, Fault::Divide, Fault::Divide, Fault::Duel];

impl World {
    /// An operator adds, removes or replaces replicas.
    pub(crate) fn next_change(&mut self) {
        let Some(every) = self.plan.change_every.filter(|_| self.calm.is_none()) else {
            return;
        };
        let next = self.dice.between(1, 2 * every);
        self.after(next, Due::Change);
        let node = self.dice.below(self.nodes.len());
        // Mostly whoever leads is asked; others refuse.
        let node = if self.dice.chance(80) { self.leader_or(node) } else { node };
        let Some(replica) = &self.nodes[node].replica else {
            return;
        };
        let voters = replica.voters().clone();
        let wish = self.wish(&voters);
        if self.dice.chance(10) {
            self.note(node, "told to hand over", String::new);
            return self.input(node, Input::HandOver);
        }
        let intact = |group: &Voters| is_majority(self.nodes.iter().map(|it| &it.id), group);
        // An operator who gives the majority to disks that are lost has lost the group.
        if let Some(wish) = wish.filter(intact) {
            self.note(node, "told to change voters", || wish.to_string());
            let refused = self.refused_wishes;
            self.input(node, Input::ChangeVoters(wish.clone()));
            // A wish that was taken may be proposed much later; one that was refused never is.
            if self.refused_wishes == refused {
                self.wishes.retain(|other| *other != wish);
                self.wishes.push(wish);
                let first = self.wishes.len().saturating_sub(REMEMBERED);
                self.wishes.drain(..first);
            }
            // Halfway through a change is the worst moment to lose the leader.
            if self.dice.chance(40) {
                let (soon, fault) = (self.dice.tail(500, 80_000), self.dice.pick(&AFTER_A_CHANGE));
                self.after(soon, Due::Fault { only: Some(fault) });
            }
        }
    }

    /// So is the moment at which a voter has said yes to a change, and does not know yet what has become of it.
    pub(crate) fn accepts_a_change(&mut self, node: usize, out: &Outgoing) {
        let Message::Accepted { from, to, .. } = out.message else {
            return;
        };
        let mut accepted = self.nodes[node].disk.accepted.range(from..=to);
        let change = accepted.any(|(_, (_, value))| value.voters().is_some());
        if change && out.to != self.nodes[node].id && self.dice.chance(40) {
            let fault = self.dice.pick(&AFTER_A_CHANGE);
            self.after(0, Due::Fault { only: Some(fault) });
        }
    }

    fn wish(&mut self, voters: &Voters) -> Option<Voters> {
        let some = self.nodes[self.dice.below(self.nodes.len())].id;
        let other = self.nodes[self.dice.below(self.nodes.len())].id;
        match self.dice.below(8) {
            0 | 1 => voters.with(some).ok(),
            2 => voters.without(some).ok(),
            3 => voters.without(some).ok()?.with(other).ok(),
            // Back to the full size, so that a world of changes does not end with one voter.
            4 => Voters::new(self.nodes.iter().map(|node| node.id)).ok(),
            // Any of them: the old majority and the new one may share nobody.
            _ => {
                let sides = self.dice.next();
                let all = self.nodes.iter().map(|node| node.id).zip(0..);
                Voters::new(all.filter(|(_, at)| sides >> at & 1 == 1).map(|(id, _)| id)).ok()
            }
        }
    }

    /// A disk is lost, or fails its checksums when it is read: a new replica takes its number, and knows nothing.
    /// Only when everyone knows of the group, and only so many at a time that every group that may decide keeps a
    /// majority of its disks; a group that lost more has lost what it agreed on.
    pub(crate) fn lose_disk(&mut self, node: usize) {
        if !self.may_lose(node) {
            return;
        }
        let lost = self.nodes[node].id;
        self.crash(node);
        self.disks += 1;
        self.summary.lost_disks += 1;
        let it = &mut self.nodes[node];
        if !planted::is_active(Mutant::LostDiskKeepsItsName) {
            it.id = ReplicaId::new(it.id.number(), self.disks);
        }
        it.disk = Disk::new();
        self.forget_questions(lost);
        self.note(node, "its disk is lost", String::new);
    }

    fn may_lose(&self, node: usize) -> bool {
        let lost = self.nodes[node].id;
        let waits = |it: &Node| it.disk.founders.is_empty() && it.id.disk() == FIRST_DISK;
        // Founders that are all blank found a group, whoever votes by now: one of them has to know that there is one.
        let knows = |it: &Node| it.id != lost && !it.disk.founders.is_empty();
        let mut founders = self.nodes.iter().filter(|it| it.id.number() <= self.plan.founders);
        if !founders.any(knows) || self.nodes.iter().any(waits) {
            return false;
        }
        let survives = |group: &Voters| {
            let intact = self.nodes.iter().map(|it| &it.id).filter(|id| **id != lost);
            !votes(group, lost) || is_majority(intact, group)
        };
        // The group before the last is asked until a majority of the last knows that it is the last.
        let before = self.claims.group_before().filter(|(slot, _)| {
            let known = self.nodes.iter().filter(|it| it.disk.applied_to() >= *slot);
            let known = known.map(|it| &it.id).filter(|id| **id != lost);
            !is_majority(known, self.claims.voters())
        });
        let before = before.map(|(_, group)| group);
        // A leader may be about to propose what it was told, or to give this very disk a vote.
        let mut groups = self.claims.groups_in_force().chain(&self.wishes).chain(before);
        groups.all(|group| survives(group) && group.with(lost).is_ok_and(|with| survives(&with)))
    }

    /// Every voter's disk is there.
    pub(crate) fn lost_voter(&self) -> Option<ReplicaId> {
        let voters = self.claims.voters();
        voters.iter().find(|voter| self.nodes[self.node_of(*voter)].id != *voter)
    }
}
