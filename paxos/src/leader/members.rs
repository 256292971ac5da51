//! Whom a leader knows: voters and observers, who of them may vote from some slot on, and who could lead.

use core::time::Duration;

use super::{Leader, Peer};
use crate::config::Group;
use crate::event::NoChange;
use crate::id::{Moment, ReplicaId, Slot};
use crate::log::Log;
use crate::planted::leader as planted;
use crate::voters::Voters;

/// More than a group replaces at once.
const OBSERVERS: usize = 8;

impl Leader {
    /// Takes a wish for other voters; `Err` says why not.
    pub(crate) fn change_voters(
        &mut self,
        voters: Voters,
        now: Moment,
        group: &Group,
        log: &Log,
    ) -> Result<(), NoChange> {
        if self.change.is_some() || self.changed > log.chosen() || log.chosen() < self.barrier {
            return Err(NoChange::Busy);
        }
        let ready = |id: &ReplicaId| self.is_ready(*id, now, group, log);
        let new_are_ready = voters.iter().all(|id| group.voters.contains(id) || ready(&id));
        if !new_are_ready || voters.iter().filter(ready).count() < voters.majority() {
            return Err(NoChange::NotReady);
        }
        self.change = (voters != group.voters).then_some(voters);
        Ok(())
    }

    /// Alive, and not so late that its first vote would be long in coming. A disk that is lost may seem to be alive as
    /// long as its last messages are under way, so only an answer to a recent heartbeat counts.
    fn is_ready(&self, id: ReplicaId, now: Moment, group: &Group, log: &Log) -> bool {
        let known = self.peers.get(&id).or_else(|| self.observers.get(&id));
        id == group.config.id
            || known.is_some_and(|peer| {
                now.since(peer.heard) <= group.config.election_max
                    && self.recent.contain(peer.beat)
                    && log.chosen().above(peer.chosen) <= group.config.window * 2
            })
    }

    /// A lost disk's replica is back under its number: once it is up to date, and the disk with the vote is
    /// silent, it gets the vote.
    pub(crate) fn readmission(&self, now: Moment, group: &Group, log: &Log) -> Option<Voters> {
        let silent = |voter: ReplicaId| {
            let peer = self.peers.get(&voter);
            peer.is_some_and(|peer| now.since(peer.heard) > group.config.election_max)
        };
        let mut observers = self.observers.keys().copied();
        let back = observers.find(|id| {
            let voter = group.voters.numbered(id.number());
            let silent = planted::is_silent(voter.is_some_and(silent));
            silent && self.is_ready(*id, now, group, log)
        })?;
        group.voters.with(back).ok()
    }

    /// These vote behind `slot`.
    pub(crate) fn regroup(&mut self, slot: Slot, now: Moment, group: &Group) {
        let mut before = core::mem::take(&mut self.peers);
        let mut observers = core::mem::take(&mut self.observers);
        let mut peer = |id| {
            let elected =
                || Peer { votes_since: slot, ..observers.remove(&id).unwrap_or(Peer::new(now)) };
            (id, before.remove(&id).unwrap_or_else(elected))
        };
        self.peers = group.peers().map(&mut peer).collect();
        self.observers = observers;
        self.observers.append(&mut before);
        while self.observers.len() > OBSERVERS {
            self.observers.pop_first();
        }
    }

    /// A replica without a vote asks for the log, or answers: it is told of this leader from now on.
    pub(crate) fn observed_by(&mut self, observer: ReplicaId, chosen: Slot, now: Moment) {
        if self.observers.len() < OBSERVERS && !self.peers.contains_key(&observer) {
            self.observers.entry(observer).or_insert_with(|| Peer::new(now));
        }
        self.hear(observer, 0, chosen, now);
    }

    /// The replicas without a vote that follow, each with its chosen prefix.
    pub(crate) fn observers(&self) -> impl Iterator<Item = (ReplicaId, Slot)> + '_ {
        self.observers.iter().map(|(id, peer)| (*id, peer.chosen))
    }

    /// Someone of higher priority who is alive and caught up, once this leadership has lasted for `settled`.
    pub(crate) fn successor(
        &self,
        settled: Duration,
        now: Moment,
        group: &Group,
        log: &Log,
    ) -> Option<ReplicaId> {
        if now.since(self.since) < settled || log.chosen() < self.barrier {
            return None;
        }
        let own = group.config.priority_of(group.config.id);
        self.heir(now, group, log).filter(|id| group.config.priority_of(*id) > own)
    }

    /// Whoever of the others should lead if this replica stops: alive, caught up, aware that it votes, and of the
    /// highest priority.
    pub(crate) fn heir(&self, now: Moment, group: &Group, log: &Log) -> Option<ReplicaId> {
        let config = &group.config;
        let fit = |peer: &Peer| {
            now.since(peer.heard) <= config.heartbeat * 2
                && peer.chosen >= peer.votes_since
                && log.chosen().above(peer.chosen) <= config.window
        };
        let peers = self.peers.iter().filter(|(_, peer)| fit(peer));
        peers.map(|(id, _)| *id).max_by_key(|id| (config.priority_of(*id), id.number()))
    }
}
