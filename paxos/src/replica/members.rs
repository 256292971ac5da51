//! Who belongs to the group, as the log says it.

use super::{Replica, Role};
use crate::event::{Event, NoChange, SteppedDown};
use crate::id::{ReplicaId, Slot};
use crate::message::Message;
use crate::planted::learner as planted;
use crate::record::Record;
use crate::step::Step;
use crate::voters::Voters;

impl Replica {
    pub(super) fn on_seek(&mut self, from: ReplicaId, step: &mut Step) {
        if self.is_blank() {
            self.founding.sought(from, &self.group.config, step);
        } else if !self.founders.is_empty() {
            self.tell_of_the_group(from, step);
        }
    }

    pub(super) fn on_blank(&mut self, from: ReplicaId, to: ReplicaId, step: &mut Step) {
        if self.is_blank()
            && to == self.id()
            && let Some(founders) = self.founding.is_blank(from, &self.group.config)
        {
            self.found(founders, step);
        }
    }

    pub(super) fn on_founded(&mut self, from: ReplicaId, founders: Voters, step: &mut Step) {
        if self.is_blank()
            && !founders.is_empty()
            && self.founding.believes(from, &founders, &self.group.config)
        {
            self.found(founders, step);
        }
    }

    /// The group exists. Whoever knows it already is told what it is told.
    pub(super) fn found(&mut self, founders: Voters, step: &mut Step) {
        step.events.push(Event::Founded(founders.clone()));
        step.records.push(Record::Founded(founders.clone()));
        self.founders = founders.clone();
        self.group.voters = founders;
        self.election.regroup(self.now, &self.group, &mut self.random);
        let first = self.group.config.founders.first() == Some(&self.id().number());
        for founder in self.group.voters.iter().filter(|id| first && *id != self.id()) {
            self.tell_of_the_group(founder, step);
        }
        self.begin_alone(step);
    }

    fn tell_of_the_group(&self, to: ReplicaId, step: &mut Step) {
        let (founders, chosen) = (self.founders.clone(), self.log.chosen());
        // It may be this replica's own founding, which is not written yet.
        step.send_durable(to, Message::Founded { founders, chosen });
    }

    /// Follows the changes of voters up to the chosen prefix. A slot says who votes behind it, so this comes before
    /// anything is decided about a later slot.
    pub(super) fn regroup(&mut self, step: &mut Step) {
        if self.regrouped < self.log.chosen() {
            self.look_for_changes(step);
        }
    }

    fn look_for_changes(&mut self, step: &mut Step) {
        let mut new = step.chosen.iter().rev().take_while(|entry| entry.slot > self.regrouped);
        let last = new.find_map(|entry| Some((entry.slot, entry.value.voters()?.clone())));
        self.regrouped = self.log.chosen();
        if let Some((slot, voters)) = last {
            self.change_group(slot, voters, step);
        }
    }

    fn change_group(&mut self, slot: Slot, voters: Voters, step: &mut Step) {
        step.events.push(Event::Voting { slot, voters: voters.clone() });
        self.part_with_those_before(slot, step);
        self.group.voters = voters;
        self.election.regroup(self.now, &self.group, &mut self.random);
        if let Role::Leader(leader) = &mut self.role {
            leader.regroup(slot, self.now, &self.group);
            if !self.group.votes() {
                self.hand_over_now(step);
            }
        }
        if !self.group.votes() {
            self.step_down(SteppedDown::Removed, step);
        }
        self.begin_alone(step);
    }

    /// A voter alone need not wait for silence: there is nobody to hear.
    fn begin_alone(&mut self, step: &mut Step) {
        if self.group.voters.len() == 1 && matches!(self.role, Role::Follower) {
            self.pre_vote(None, step);
        }
    }

    /// A snapshot also tells who votes behind it.
    pub(super) fn installed(&mut self, slot: Slot, voters: Voters, step: &mut Step) {
        if slot <= self.log.chosen() {
            return;
        }
        // What a leader or candidate was about to propose there is history now.
        self.step_down(SteppedDown::Installed, step);
        self.log.install(slot);
        self.regrouped = slot;
        self.group.voters = planted::installed_voters(voters, &self.group.voters);
        self.election.regroup(self.now, &self.group, &mut self.random);
        step.records.push(Record::Installed(slot));
        planted::snapshot_is_written(step);
        self.catch_up.progressed(self.now);
        self.begin_alone(step);
    }

    /// A leader's last word to the old group: whoever loses the vote with this slot learns of it at once.
    fn part_with_those_before(&self, chosen: Slot, step: &mut Step) {
        if let Role::Leader(leader) = &self.role {
            let ballot = leader.ballot;
            for peer in self.group.peers() {
                step.send(peer, Message::Commit { ballot, chosen });
            }
        }
    }

    pub(super) fn change_voters(&mut self, voters: Voters, step: &mut Step) {
        let result = match &mut self.role {
            Role::Leader(leader) => {
                leader.change_voters(voters.clone(), self.now, &self.group, &self.log)
            }
            Role::Follower | Role::Candidate(_) => Err(NoChange::NotLeading),
        };
        if let Err(why) = result {
            step.events.push(Event::VotersRefused { voters, why });
        }
    }

    /// Gives a lost disk's replica its vote back.
    pub(super) fn readmit(&mut self, step: &mut Step) {
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        if let Some(voters) = leader.readmission(self.now, &self.group, &self.log) {
            self.change_voters(voters, step);
        }
    }
}
