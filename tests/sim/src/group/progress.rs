//! What must happen once the faults have ended.

use paxos::RequestId;

use super::claims::votes;
use super::world::World;
use crate::verdict::claim;

/// How often it is looked whether something has happened.
const LOOK: u64 = 5_000;

/// Until all replicas are equal, in true time, beside what must be fetched.
const EQUAL_WITHIN: u64 = 10_000_000;

impl World {
    /// Silence repairs everything, and so does load.
    pub(crate) fn the_group_recovers(&mut self) {
        let since = self.now;
        if self.dice.chance(50) {
            self.all_become_equal(since);
        }
        self.a_proposal_is_chosen(0..self.nodes.len());
        self.all_become_equal(since);
    }

    /// A write commits within three election timeouts, wherever it is proposed.
    fn a_proposal_is_chosen(&mut self, at: std::ops::Range<usize>) {
        let began = self.now;
        let within = self.commit_within();
        let mut asked: Vec<RequestId> = Vec::new();
        let mut next = began;
        while !asked.iter().any(|id| self.claims.reached.contains(id)) {
            if self.now >= next {
                let node = at.start + self.dice.below(at.len());
                asked.push(self.propose_anew(node, 0));
                next = self.now + 4 * LOOK;
            }
            self.run(LOOK);
            let took = self.now - began;
            claim!(
                took <= within,
                "a calm group commits within three election timeouts",
                "nothing is chosen after {} ms",
                took / 1000
            );
        }
        let took = self.now - began;
        self.summary.longest_commit = self.summary.longest_commit.max(took);
    }

    /// Three election timeouts, as the slowest clock counts them, and some of the slowest messages and writes.
    fn commit_within(&self) -> u64 {
        let timeouts = 3 * self.plan.config.election_max.as_micros() as u64;
        let message = self.plan.network.delay.1 + self.plan.disk.write.1;
        let spent = timeouts + timeouts * self.plan.drift as u64 / 1_000_000 + 12 * message;
        // Halfway through a change of voters two groups are asked, and either may have promised more to others.
        if self.claims.groups_in_force().nth(1).is_some() { 2 * spent } else { spent }
    }

    fn all_become_equal(&mut self, since: u64) {
        let mut catch_up = 0;
        while let Some(missing) = self.what_is_missing() {
            // What waited for a leader is chosen after the faults, and is to be fetched too.
            catch_up = catch_up.max(self.catch_up_within());
            claim!(
                self.now - since <= EQUAL_WITHIN + catch_up,
                "calm replicas become equal within ten seconds",
                "{missing}"
            );
            self.run(LOOK);
        }
        let took = self.now - since;
        self.summary.longest_recovery = self.summary.longest_recovery.max(took);
        let disks: Vec<_> = self.nodes.iter().map(|node| &node.disk).collect();
        self.claims.at_the_end(&disks);
    }

    /// One suffix after another for all that the last replica lacks, each with the slowest messages and writes.
    fn catch_up_within(&self) -> u64 {
        let top = self.claims.top;
        let lacks = self.nodes.iter().map(|node| top.0.saturating_sub(node.disk.applied_to().0));
        let suffixes = lacks.max().unwrap_or(0).div_ceil(self.plan.config.chunk_entries as u64);
        suffixes * (2 * self.plan.network.delay.1 + self.plan.disk.write.1)
    }

    /// One leader that all follow, equal histories, and no admitted request or question without an answer.
    fn what_is_missing(&self) -> Option<String> {
        let leader = self.nodes.iter().find(|node| node.leads()).map(|node| node.id);
        if let Some(lost) = self.lost_voter() {
            return Some(format!("replica {lost} votes, but its disk is lost"));
        }
        for node in &self.nodes {
            let id = node.id;
            let votes = votes(self.claims.voters(), id);
            if leader.is_none() || votes && node.follows() != leader {
                return Some(format!("replica {id} follows {:?}", node.follows()));
            }
            if node.leads() != (leader == Some(id)) {
                return Some(format!("replica {id} leads too"));
            }
            let (applied, top) = (node.disk.applied_to(), self.claims.top);
            if applied != top {
                return Some(format!("replica {id} has applied {applied} of {top} slots"));
            }
            // Without a vote a replica may have promised more than the leader's ballot, and then follows nobody.
            let follows = node.follows() == leader;
            let lost = |open: &&RequestId| follows && !self.claims.reached.contains(open);
            if let Some(request) = node.open.iter().find(lost) {
                return Some(format!("{request:?} was admitted by {id} but never chosen"));
            }
            if let Some(ticket) = node.tickets.first() {
                return Some(format!("{ticket:?} was never answered by {id}"));
            }
        }
        None
    }

    /// When all that is left is one replica that everyone can reach, and nobody reaches anyone else, the group still
    /// agrees on things, and leadership stays where it is.
    pub(crate) fn a_bridge_is_enough(&mut self) {
        self.heal();
        // A group is founded by all or not at all, and whoever lost his disk gets his vote from the others.
        let since = self.now;
        self.all_become_equal(since);
        let hub = self.dice.below(self.nodes.len());
        let id = self.nodes[hub].id;
        if !self.claims.groups_in_force().all(|group| votes(group, id)) {
            return;
        }
        self.star(hub);
        self.run(5_000_000);
        let before = self.summary.leader_changes;
        self.a_proposal_is_chosen(hub..hub + 1);
        self.run(2_000_000);
        let changes = self.summary.leader_changes - before;
        claim!(
            changes <= 1,
            "leadership does not flap between replicas that do not hear each other",
            "{changes} leaders in less than four seconds"
        );
    }

    /// The end of the load loses the last message of each kind; then nobody says anything any more.
    pub(crate) fn lost_last_words_are_repeated(&mut self) {
        for _ in 0..self.dice.between(1, 4) {
            let node = self.dice.below(self.nodes.len());
            let client = self.dice.below(self.clients.len());
            self.propose(node, client);
        }
        let until = self.dice.between(0, 2 * self.plan.network.delay.1);
        self.run(until);
        self.lose_last_words();
        let since = self.now;
        self.all_become_equal(since);
        self.last_words = None;
    }

    /// Whatever a client was told has happened, has happened everywhere.
    pub(crate) fn nothing_acknowledged_is_lost(&self) {
        for client in self.clients.iter().filter(|client| client.acknowledged > 0) {
            let id = client.acknowledged();
            let everywhere = self.nodes.iter().all(|node| node.disk.machine.has_done(id));
            claim!(everywhere, "nothing acknowledged is lost", "{id:?} is");
        }
    }
}
