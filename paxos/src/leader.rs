//! Phase 2: a leader gets values accepted, many slots at a time, and keeps its majority.

mod beats;
mod members;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;

use beats::RecentBeats;

use crate::acceptor::Acceptor;
use crate::config::Group;
use crate::event::Event;
use crate::id::{Ballot, Moment, ReplicaId, Slot};
use crate::learner::choose_next;
use crate::log::Log;
use crate::message::{Message, Value};
use crate::pending::Pending;
use crate::planted::leader as planted;
use crate::step::Step;
use crate::voters::{Voters, Votes};

/// One slot on its way to being chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Round {
    votes: Votes,
    /// When it was last sent.
    sent: Moment,
}

/// What the leader knows of a follower.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Peer {
    /// When it last answered in this ballot.
    heard: Moment,
    /// The latest heartbeat that it answered.
    beat: u64,
    /// Its chosen prefix.
    chosen: Slot,
    /// The slot that gave it its vote, if this leader proposed it.
    votes_since: Slot,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    pub(crate) ballot: Ballot,
    since: Moment,
    /// The first slot without a round.
    next: Slot,
    /// The slot of the no-op that ended phase 1's inheritance: once it is chosen, all earlier choices are known.
    barrier: Slot,
    /// Values from phase 1 that wait for the window.
    inherited: VecDeque<Value>,
    /// One for each slot between the chosen prefix and `next`; at most `config.window`.
    rounds: VecDeque<Round>,
    peers: BTreeMap<ReplicaId, Peer>,
    /// Replicas without a vote that ask for the log; at most [`OBSERVERS`].
    observers: BTreeMap<ReplicaId, Peer>,
    /// Who shall vote, once the barrier is chosen.
    change: Option<Voters>,
    /// The last slot with a change of voters: nothing is proposed behind it until it is chosen.
    changed: Slot,
    beat: u64,
    beat_due: Moment,
    recent: RecentBeats,
    /// Tickets, each with the heartbeat that a majority must answer; at most `config.queue`.
    confirms: VecDeque<(u64, u64)>,
    /// The commit mark that was last sent to everyone.
    announced: Slot,
}

impl Leader {
    pub(crate) fn new(
        ballot: Ballot,
        inherited: VecDeque<Value>,
        chosen: Slot,
        now: Moment,
        group: &Group,
    ) -> Self {
        Self {
            ballot,
            since: now,
            next: chosen.next(),
            barrier: chosen.plus(inherited.len() as u64),
            inherited,
            rounds: VecDeque::new(),
            peers: group.peers().map(|id| (id, Peer::new(now))).collect(),
            observers: BTreeMap::new(),
            change: None,
            changed: Slot::ZERO,
            beat: 0,
            beat_due: now,
            recent: RecentBeats::new(now),
            confirms: VecDeque::new(),
            announced: Slot::ZERO,
        }
    }

    /// Starts rounds while the window has room.
    pub(crate) fn pump(
        &mut self,
        now: Moment,
        group: &Group,
        acceptor: &mut Acceptor,
        log: &mut Log,
        pending: &mut Pending,
        step: &mut Step,
    ) {
        let window = planted::window(group.config.window);
        while self.next.above(log.chosen()) <= window
            && planted::is_settled(self.changed <= log.chosen())
        {
            let Some(value) = self.next_value(group, log, pending) else {
                break;
            };
            let slot = self.next;
            self.next = slot.next();
            let ballot = self.ballot;
            step.events.push(Event::RoundStarted { slot, ballot });
            if value.voters().is_some() {
                self.changed = slot;
            }
            acceptor.accept(ballot, slot, value, Slot(u64::MAX), log, step);
            let round = Round { votes: Votes::default(), sent: now };
            self.send(slot, &round, log, group, step);
            self.rounds.push_back(round);
            self.announced = log.chosen();
        }
    }

    fn next_value(&mut self, group: &Group, log: &Log, pending: &mut Pending) -> Option<Value> {
        if let Some(inherited) = self.inherited.pop_front() {
            return Some(inherited);
        }
        let change = self.change.take_if(|_| log.chosen() >= self.barrier);
        let change = change.map(|voters| Value::Voters(Arc::new(voters)));
        change.or_else(|| pending.batch(&group.config))
    }

    /// Sends a round to everyone who has not accepted it. It may leave at once: it rests on the ballot, which
    /// was durable before phase 1, and not on the leader's own acceptance.
    fn send(&self, slot: Slot, round: &Round, log: &Log, group: &Group, step: &mut Step) {
        let Some((_, value)) = log.get(slot) else {
            panic!("slot {slot} has a round, but the leader has not accepted its value");
        };
        for peer in group.peers() {
            if !round.votes.contains(peer, &group.voters) {
                let accept = Message::Accept {
                    ballot: self.ballot,
                    chosen: log.chosen(),
                    slot,
                    value: value.clone(),
                };
                step.send(peer, accept);
            }
        }
    }

    /// A voter, maybe this one, has durably accepted these slots in this ballot.
    pub(crate) fn accepted(
        &mut self,
        by: ReplicaId,
        (from, to): (Slot, Slot),
        group: &Group,
        log: &mut Log,
        step: &mut Step,
    ) {
        let (first, ballot) = (self.first(), self.ballot);
        let open = from.max(first).0..to.next().min(self.next).0;
        for slot in open.map(Slot) {
            let round = &mut self.rounds[slot.above(first) as usize];
            if round.votes.insert(by, &group.voters) {
                step.events.push(Event::Accepted { slot, ballot, by });
            }
        }
        while self.rounds.front().is_some_and(|round| round.votes.is_majority(&group.voters)) {
            assert!(self.first() == log.chosen().next(), "the leader's rounds and its log parted");
            self.rounds.pop_front();
            choose_next(log, &group.config, step);
        }
    }

    /// The slot of the first open round, if there is one.
    fn first(&self) -> Slot {
        Slot(self.next.0 - self.rounds.len() as u64)
    }

    /// A follower or an observer answered in this ballot.
    pub(crate) fn hear(&mut self, peer: ReplicaId, beat: u64, chosen: Slot, now: Moment) {
        // Nobody can have followed a heartbeat that was not sent yet.
        if beat > self.beat {
            return;
        }
        let known = self.peers.get_mut(&peer).or_else(|| self.observers.get_mut(&peer));
        if let Some(peer) = known {
            peer.heard = now;
            peer.beat = peer.beat.max(beat);
            peer.chosen = peer.chosen.max(chosen);
        }
    }

    /// Does what is due: heartbeat and resends.
    pub(crate) fn tick(&mut self, now: Moment, group: &Group, log: &Log, step: &mut Step) {
        if now >= self.beat_due {
            self.heartbeat(now, group, log, step);
        }
        let late = |round: &Round| planted::is_late(now >= round.sent + group.config.resend);
        let first = self.first();
        let mut rounds = core::mem::take(&mut self.rounds);
        for (round, slot) in rounds.iter_mut().zip(first.0..).filter(|(round, _)| late(round)) {
            round.sent = now;
            self.send(Slot(slot), round, log, group, step);
        }
        self.rounds = rounds;
    }

    fn heartbeat(&mut self, now: Moment, group: &Group, log: &Log, step: &mut Step) {
        self.beat += 1;
        self.beat_due = now + group.config.heartbeat;
        self.recent.sent(self.beat, now, group.config.election_max);
        let silent = group.config.election_max * 4;
        self.observers.retain(|_, observer| now.since(observer.heard) <= silent);
        for peer in group.peers().chain(self.observers.keys().copied()) {
            let chosen = planted::mark(log.chosen());
            let heartbeat = Message::Heartbeat { ballot: self.ballot, beat: self.beat, chosen };
            step.send(peer, heartbeat);
        }
        self.announced = log.chosen();
    }

    /// Tells everyone what is chosen, if no accept or heartbeat has: an owner waits for it.
    pub(crate) fn announce(&mut self, group: &Group, log: &Log, step: &mut Step) {
        if self.announced < log.chosen() {
            self.announced = log.chosen();
            let (ballot, chosen) = (self.ballot, log.chosen());
            for peer in group.peers() {
                step.send(peer, Message::Commit { ballot, chosen });
            }
        }
    }

    /// Begins a heartbeat for this ticket. One that began earlier would prove too little.
    pub(crate) fn confirm(
        &mut self,
        ticket: u64,
        now: Moment,
        group: &Group,
        log: &Log,
        step: &mut Step,
    ) {
        if self.confirms.len() >= group.config.queue {
            step.confirmed.push((ticket, false));
            return;
        }
        self.heartbeat(now, group, log, step);
        self.confirms.push_back((planted::confirming(self.beat), ticket));
    }

    /// Answers the tickets whose heartbeat a majority answered, once the barrier is chosen.
    pub(crate) fn resolve(&mut self, group: &Group, log: &Log, step: &mut Step) {
        if log.chosen() < planted::barrier(self.barrier) {
            return;
        }
        while let Some((beat, ticket)) = self.confirms.front().copied() {
            let mut votes = Votes::default();
            votes.insert(group.config.id, &group.voters);
            let answered = self.peers.iter().filter(|(_, peer)| peer.beat >= beat);
            answered.for_each(|(id, _)| {
                votes.insert(*id, &group.voters);
            });
            if !planted::is_confirmed(votes.is_majority(&group.voters)) {
                break;
            }
            self.confirms.pop_front();
            step.confirmed.push((ticket, true));
        }
    }

    /// When the majority's answers are too old, unless new ones come.
    pub(crate) fn quorum_until(&self, group: &Group) -> Moment {
        let others = group.voters.majority().saturating_sub(1);
        if others == 0 {
            return Moment::NEVER;
        }
        let mut heard = [Moment::default(); Voters::MOST];
        for (place, peer) in heard.iter_mut().zip(self.peers.values()) {
            *place = peer.heard;
        }
        let heard = &mut heard[..self.peers.len()];
        heard.sort_unstable_by(|one, other| other.cmp(one));
        // The latest moment since which a majority, this replica included, was heard.
        planted::quorum_until(heard[others - 1] + group.config.election_max)
    }

    /// The earliest resend, if a round is open.
    pub(crate) fn resend_due(&self, group: &Group) -> Option<Moment> {
        let sent = self.rounds.iter().map(|round| round.sent).min();
        sent.map(|sent| sent + group.config.resend)
    }

    pub(crate) const fn beat_due(&self) -> Moment {
        self.beat_due
    }

    /// The end: open rounds and tickets fail.
    pub(crate) fn end(self, higher: Option<Ballot>, step: &mut Step) {
        let ballot = self.ballot;
        for slot in (self.first().0..self.next.0).map(Slot) {
            step.events.push(Event::RoundFailed { slot, ballot, higher });
        }
        let failed = self.confirms.into_iter().map(|(_, ticket)| (ticket, false));
        step.confirmed.extend(failed);
    }
}

impl Peer {
    const fn new(now: Moment) -> Self {
        Self { heard: now, beat: 0, chosen: Slot::ZERO, votes_since: Slot::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::config::Config;
    use crate::id::SessionId;
    use crate::message::Request;
    use crate::record::Recovered;

    const BALLOT: Ballot = Ballot { round: 1, replica: ReplicaId(1) };
    const ONLY: (Slot, Slot) = (Slot(1), Slot(1));

    fn leading(count: u8) -> (Leader, Group, Log, Step) {
        let config = Config::new(ReplicaId(1), 1..=count);
        let voters = Voters::new((1..=count).map(|number| ReplicaId::new(number, 0)));
        let group = Group { config, voters: voters.unwrap_or_default() };
        let (mut log, mut step) = (Log::recover(&Recovered::empty()), Step::default());
        let inherited = VecDeque::from([Value::NoOp]);
        let mut leader = Leader::new(BALLOT, inherited, Slot::ZERO, Moment(0), &group);
        let mut acceptor = Acceptor::new(BALLOT);
        let mut pending = Pending::default();
        leader.pump(Moment(0), &group, &mut acceptor, &mut log, &mut pending, &mut step);
        (leader, group, log, step)
    }

    #[test]
    fn a_slot_is_chosen_by_distinct_voters_also_in_even_groups() {
        let (mut leader, group, mut log, mut step) = leading(4);
        for by in [1, 2, 2, 2] {
            leader.accepted(ReplicaId(by), ONLY, &group, &mut log, &mut step);
        }
        assert_eq!(log.chosen(), Slot::ZERO);
        leader.accepted(ReplicaId(3), ONLY, &group, &mut log, &mut step);
        assert_eq!(log.chosen(), Slot(1));
    }

    #[test]
    fn an_acceptance_counts_for_the_slots_that_it_names_and_no_others() {
        let (mut leader, mut group, mut log, mut step) = leading(3);
        group.config.batch_requests = 1;
        let request = |number| Request { session: SessionId(1), number, payload: Arc::from([]) };
        let mut pending = Pending::default();
        pending.enqueue((1..=4).map(request).collect(), &group.config);
        let mut acceptor = Acceptor::new(BALLOT);
        leader.pump(Moment(0), &group, &mut acceptor, &mut log, &mut pending, &mut step);
        for by in [1, 2] {
            leader.accepted(ReplicaId(by), (Slot(3), Slot(4)), &group, &mut log, &mut step);
            leader.accepted(ReplicaId(by), (Slot(9), Slot(u64::MAX)), &group, &mut log, &mut step);
            leader.accepted(ReplicaId(by), (Slot(2), Slot(1)), &group, &mut log, &mut step);
        }
        assert_eq!(log.chosen(), Slot::ZERO);
        for by in [3, 2] {
            leader.accepted(ReplicaId(by), (Slot::ZERO, Slot(2)), &group, &mut log, &mut step);
        }
        assert_eq!(log.chosen(), Slot(4));
        leader.accepted(ReplicaId(3), (Slot(1), Slot(u64::MAX)), &group, &mut log, &mut step);
        leader.accepted(ReplicaId(2), (Slot(5), Slot(5)), &group, &mut log, &mut step);
        assert_eq!(log.chosen(), Slot(5));
    }

    #[test]
    fn a_ticket_waits_for_the_barrier_and_for_a_later_heartbeat() {
        let (mut leader, group, mut log, mut step) = leading(3);
        leader.hear(ReplicaId(2), 0, Slot::ZERO, Moment(1));
        leader.confirm(77, Moment(1), &group, &log, &mut step);
        leader.resolve(&group, &log, &mut step);
        leader.hear(ReplicaId(2), 1, Slot::ZERO, Moment(1));
        leader.resolve(&group, &log, &mut step);
        assert!(step.confirmed.is_empty());
        for by in [1, 3] {
            leader.accepted(ReplicaId(by), ONLY, &group, &mut log, &mut step);
        }
        leader.resolve(&group, &log, &mut step);
        assert_eq!(step.confirmed, [(77, true)]);
    }

    #[test]
    fn only_an_answer_to_a_recent_heartbeat_tells_that_a_disk_may_get_the_vote() {
        let (mut leader, group, log, mut step) = leading(3);
        let disk = ReplicaId::new(3, 1);
        leader.observed_by(disk, Slot::ZERO, Moment(0));
        let silent = group.config.election_max * 3;
        let end = Moment(0) + silent;
        let mut now = Moment(0);
        while now < end {
            leader.tick(now, &group, &log, &mut step);
            leader.hear(disk, 1, Slot::ZERO, now);
            now = now + group.config.heartbeat;
        }
        assert_eq!(leader.readmission(now, &group, &log), None);
        leader.hear(disk, leader.beat, Slot::ZERO, now);
        assert!(leader.readmission(now, &group, &log).is_some_and(|voters| voters.contains(disk)));
    }

    #[test]
    fn unanswered_rounds_go_again_to_those_who_did_not_answer() {
        let (mut leader, group, mut log, mut step) = leading(3);
        leader.accepted(ReplicaId(2), ONLY, &group, &mut log, &mut step);
        let mut later = Step::default();
        leader.tick(Moment(0) + group.config.resend, &group, &log, &mut later);
        let again =
            later.immediate.iter().filter(|out| matches!(out.message, Message::Accept { .. }));
        let to: Vec<_> = again.map(|out| out.to).collect();
        assert_eq!(to, [ReplicaId(3)]);
    }

    #[test]
    fn a_leader_counts_on_the_majority_it_hears() {
        let (mut leader, group, ..) = leading(3);
        leader.hear(ReplicaId(3), 0, Slot::ZERO, Moment(500));
        assert_eq!(leader.quorum_until(&group), Moment(500) + group.config.election_max);
    }
}
