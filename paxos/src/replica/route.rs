//! What each message means to the role that it concerns.

use alloc::vec::Vec;

use super::{Replica, Role};
use crate::candidate::{Candidate, Progress};
use crate::event::{Event, SteppedDown};
use crate::id::{Ballot, ReplicaId, Slot};
use crate::learner::Learner;
use crate::message::{Entry, Message, Opinion, Request, Value};
use crate::planted;
use crate::step::{Fetch, Step};

impl Replica {
    pub(super) fn message(&mut self, from: ReplicaId, message: Message, step: &mut Step) {
        if self.is_nonsense(&message) {
            return;
        }
        if let Some(ballot) = claimed(&message) {
            // Only its owner speaks for a ballot, and nobody needs to lead himself.
            if ballot.replica != from || (from == self.id() && !is_prepare(&message)) {
                return;
            }
        }
        self.take(from, message, step);
    }

    fn take(&mut self, from: ReplicaId, message: Message, step: &mut Step) {
        match message {
            Message::Seek => self.on_seek(from, step),
            Message::Blank { to } => self.on_blank(from, to, step),
            Message::Founded { founders, chosen } => {
                self.on_founded(from, founders, step);
                self.hear_chosen(from, chosen);
            }
            // Whoever knows no group has no part in what its replicas say to each other.
            _ if self.is_blank() => {}
            Message::PreVote { attempt, chosen, replacing } => {
                self.on_pre_vote(from, attempt, (chosen, replacing), step)
            }
            Message::PreVoteAnswer { attempt, opinion, promised, chosen } => {
                self.election.see(promised);
                self.hear_chosen(from, chosen);
                self.on_opinion(from, attempt, opinion, step);
            }
            Message::Prepare { ballot, from } => self.on_prepare(ballot, from, step),
            Message::Promise { ballot, from: first, to, chosen, entries } => {
                self.hear_chosen(from, chosen);
                self.on_promise(from, ballot, (first, to), chosen, entries, step);
            }
            Message::Accept { ballot, chosen, slot, value } => {
                self.on_accept(ballot, chosen, slot, value, step)
            }
            Message::Accepted { ballot, from: first, to, chosen } => {
                self.on_accepted(from, ballot, (first, to), chosen, step)
            }
            Message::Nack { ballot, promised, chosen } => {
                self.on_nack(from, ballot, promised, chosen, step)
            }
            Message::TooFarBehind { ballot, chosen } => {
                self.hear_chosen(from, chosen);
                self.on_too_far_behind(ballot, step);
            }
            Message::Heartbeat { ballot, beat, chosen } => {
                self.on_heartbeat(ballot, beat, chosen, step)
            }
            Message::HeartbeatAck { ballot, beat, chosen } => {
                self.on_heartbeat_ack(from, ballot, beat, chosen)
            }
            Message::Commit { ballot, chosen } => {
                self.on_mark(ballot, chosen, step);
            }
            Message::Propose { requests } => self.on_propose(from, requests, step),
            Message::Refuse { requests } => self.pending.refuse(requests, step),
            Message::CatchUp { from: first } => self.on_catch_up(from, first, step),
            Message::Suffix { chosen, entries } => self.on_suffix(from, chosen, entries, step),
            Message::Handover { ballot } => {
                if self.election.leader_ballot() == Some(ballot) {
                    self.pre_vote(Some(ballot), step);
                }
            }
        }
    }

    fn on_too_far_behind(&mut self, ballot: Ballot, step: &mut Step) {
        if matches!(&self.role, Role::Candidate(own) if own.ballot == ballot) {
            self.step_down(SteppedDown::TooFarBehind, step);
        }
    }

    fn on_heartbeat_ack(&mut self, from: ReplicaId, ballot: Ballot, beat: u64, chosen: Slot) {
        if let Role::Leader(leader) = &mut self.role
            && leader.ballot == ballot
        {
            // It may follow without a vote, by word that was meant for the disk before it.
            leader.observed_by(from, chosen, self.now);
            leader.hear(from, beat, chosen, self.now);
        }
    }

    pub(super) fn hear_chosen(&mut self, peer: ReplicaId, chosen: Slot) {
        let own = self.log.chosen();
        self.catch_up.hear(peer, chosen, own, self.now, &self.group.config);
    }

    fn on_pre_vote(
        &mut self,
        from: ReplicaId,
        attempt: u64,
        candidate: (Slot, Option<Ballot>),
        step: &mut Step,
    ) {
        self.hear_chosen(from, candidate.0);
        let opinion = match self.role {
            Role::Candidate(_) => Opinion::LeaderAlive(self.id()),
            Role::Follower | Role::Leader(_) => {
                self.election.opinion(from, candidate, &self.log, self.now, &self.group)
            }
        };
        let answer = Message::PreVoteAnswer {
            attempt,
            opinion,
            promised: self.acceptor.promised(),
            chosen: self.log.chosen(),
        };
        step.send(from, answer);
    }

    fn on_opinion(&mut self, from: ReplicaId, attempt: u64, opinion: Opinion, step: &mut Step) {
        match opinion {
            Opinion::Granted => {
                if self.election.granted(from, attempt, &self.group) {
                    self.campaign(step);
                }
            }
            Opinion::LeaderAlive(_) => {}
            Opinion::Behind | Opinion::Stranger => self.election.abandon(attempt),
        }
    }

    fn on_prepare(&mut self, ballot: Ballot, from: Slot, step: &mut Step) {
        let (candidate, chosen) = (ballot.replica, self.log.chosen());
        if !self.group.voters.contains(candidate) && from <= chosen.next() {
            // It knows no more than this replica, and has lost its vote: it is to learn that.
            return step.send(candidate, Message::TooFarBehind { ballot, chosen });
        }
        self.election.see(ballot);
        let config = &self.group.config;
        let promised = self.acceptor.prepare(ballot, from, &self.log, config, step);
        if !promised || ballot.replica == self.id() {
            return;
        }
        if self.role.ballot().is_some() {
            self.step_down(SteppedDown::HigherBallot(ballot), step);
        }
        self.election.promised(ballot, self.now, &self.group, &mut self.random);
    }

    fn on_promise(
        &mut self,
        by: ReplicaId,
        ballot: Ballot,
        range: (Slot, Slot),
        chosen: Slot,
        entries: Vec<Entry>,
        step: &mut Step,
    ) {
        let asked =
            |own: &Candidate| planted::candidate::asked(own.ballot == ballot && own.asked(by));
        if !matches!(&self.role, Role::Candidate(own) if asked(own)) {
            return;
        }
        let known = planted::candidate::known(chosen);
        let learnt = entries.iter().filter(|entry| entry.slot <= known);
        let contradicts =
            |entry: &&Entry| self.log.contradicts(entry.slot, entry.ballot, &entry.value);
        if let Some(Entry { slot, ballot, .. }) = learnt.clone().find(contradicts) {
            // The rest of such a promise is worth nothing, either.
            let (slot, ballot) = (*slot, *ballot);
            return step.events.push(Event::Contradicted { by, slot, ballot });
        }
        for entry in learnt {
            let (acceptor, log) = (&mut self.acceptor, &mut self.log);
            Learner::learn(entry.clone(), by, acceptor, log, &self.group.config, step);
        }
        self.regroup(step);
        let Role::Candidate(candidate) = &mut self.role else {
            return;
        };
        let own = self.log.chosen();
        match candidate.promise(by, range, entries) {
            Progress::Waiting => {}
            Progress::More => candidate.ask_one(by, step),
            Progress::Complete if candidate.has_majority(own, &self.group) => self.lead(step),
            Progress::Complete => candidate.ask_new(own, &self.group, step),
        }
    }

    fn on_accept(
        &mut self,
        ballot: Ballot,
        chosen: Slot,
        slot: Slot,
        value: Value,
        step: &mut Step,
    ) {
        let ahead = self.group.config.log_window + self.group.config.window;
        let bound = self.log.chosen().plus(ahead);
        self.acceptor.accept(ballot, slot, value, bound, &mut self.log, step);
        if ballot >= self.acceptor.promised() {
            self.follow(ballot, step);
            self.advance(ballot, chosen, step);
        }
    }

    /// Takes a leader's commit mark; false if the leader was refused.
    fn on_mark(&mut self, ballot: Ballot, chosen: Slot, step: &mut Step) -> bool {
        if self.acceptor.refuse(ballot.replica, ballot, &self.log, step) {
            return false;
        }
        self.follow(ballot, step);
        self.advance(ballot, chosen, step);
        true
    }

    fn advance(&mut self, ballot: Ballot, chosen: Slot, step: &mut Step) {
        self.learner.hear(ballot, chosen);
        self.learner.advance(&mut self.log, &self.group.config, step);
        self.hear_chosen(ballot.replica, chosen);
    }

    fn on_accepted(
        &mut self,
        by: ReplicaId,
        ballot: Ballot,
        slots: (Slot, Slot),
        chosen: Slot,
        step: &mut Step,
    ) {
        if let Role::Leader(leader) = &mut self.role
            && planted::leader::is_own(leader.ballot == ballot)
        {
            leader.hear(by, 0, chosen, self.now);
            leader.accepted(by, slots, &self.group, &mut self.log, step);
        }
    }

    fn on_nack(
        &mut self,
        from: ReplicaId,
        ballot: Ballot,
        promised: Ballot,
        chosen: Slot,
        step: &mut Step,
    ) {
        self.election.see(promised);
        self.hear_chosen(from, chosen);
        // One that lost its vote may have promised anything.
        let votes = match &self.role {
            Role::Candidate(candidate) => candidate.asks(from, self.log.chosen(), &self.group),
            Role::Follower | Role::Leader(_) => self.group.voters.contains(from),
        };
        if planted::leader::heeds(votes) && self.role.ballot() == Some(ballot) && promised > ballot
        {
            let led = self.is_leading();
            self.step_down(SteppedDown::HigherBallot(promised), step);
            // A ballot that one stray voter promised is no reason for the majority to wait a whole timeout.
            if led {
                self.election.hurry(self.now, &self.group, &mut self.random);
            }
        }
    }

    fn on_heartbeat(&mut self, ballot: Ballot, beat: u64, chosen: Slot, step: &mut Step) {
        if self.on_mark(ballot, chosen, step) {
            let chosen = self.log.chosen();
            let ack = Message::HeartbeatAck { ballot, beat, chosen };
            step.send(ballot.replica, ack);
        }
    }

    /// A replica that does not lead stays silent: the sender sends again to whoever it follows by then.
    fn on_propose(&mut self, from: ReplicaId, requests: Vec<Request>, step: &mut Step) {
        if self.is_leading() {
            let refused = self.pending.enqueue(requests, &self.group.config);
            if !refused.is_empty() {
                step.send(from, Message::Refuse { requests: refused });
            }
        }
    }

    fn on_catch_up(&mut self, to: ReplicaId, from: Slot, step: &mut Step) {
        if let Role::Leader(leader) = &mut self.role {
            leader.observed_by(to, Slot(from.0.saturating_sub(1)), self.now);
        }
        let chosen = self.log.chosen();
        if from > chosen {
            return;
        }
        if from >= self.log.floor() {
            let entries = self.log.suffix(from, &self.group.config);
            step.send(to, Message::Suffix { chosen, entries });
        } else {
            let limit = self.group.config.chunk_entries;
            step.fetch.push(Fetch { to, from, limit });
        }
    }

    fn on_suffix(&mut self, from: ReplicaId, chosen: Slot, entries: Vec<Entry>, step: &mut Step) {
        // A leader learns from its own rounds only, so that its proposals and its log cannot part.
        if self.is_leading() {
            return;
        }
        self.hear_chosen(from, chosen);
        if planted::catchup::needs_snapshot(entries.is_empty() && chosen > self.log.chosen()) {
            let missing = self.log.chosen().next();
            step.events.push(Event::SnapshotNeeded { from, missing });
            return;
        }
        let before = self.log.chosen();
        for entry in entries {
            let (acceptor, log) = (&mut self.acceptor, &mut self.log);
            Learner::learn(entry, from, acceptor, log, &self.group.config, step);
        }
        self.learner.advance(&mut self.log, &self.group.config, step);
        if self.log.chosen() > before {
            self.catch_up.progressed(self.now);
        }
    }
}

/// The ballot for which a message speaks as its leader or candidate.
const fn claimed(message: &Message) -> Option<Ballot> {
    match message {
        Message::Prepare { ballot, .. }
        | Message::Accept { ballot, .. }
        | Message::Heartbeat { ballot, .. }
        | Message::Commit { ballot, .. }
        | Message::Handover { ballot } => Some(*ballot),
        Message::Seek
        | Message::Blank { .. }
        | Message::Founded { .. }
        | Message::PreVote { .. }
        | Message::PreVoteAnswer { .. }
        | Message::Promise { .. }
        | Message::Accepted { .. }
        | Message::Nack { .. }
        | Message::TooFarBehind { .. }
        | Message::HeartbeatAck { .. }
        | Message::Propose { .. }
        | Message::Refuse { .. }
        | Message::CatchUp { .. }
        | Message::Suffix { .. } => None,
    }
}

const fn is_prepare(message: &Message) -> bool {
    matches!(message, Message::Prepare { .. })
}
