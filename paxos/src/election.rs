//! Who is followed, when to doubt it, and the pre-vote that precedes every unasked-for election.
//!
//! A leader is kept as long as a majority hears it: voters that hear one refuse pre-votes, so a replica that is
//! cut off one way cannot depose it; a leader that loses its majority steps down, so that whoever does reach
//! one can win (OmniPaxos, 5.2).

use core::time::Duration;

use crate::config::{Config, Group};
use crate::event::Event;
use crate::id::{Ballot, Moment, ReplicaId, Slot};
use crate::log::Log;
use crate::message::{Message, Opinion};
use crate::planted::election as planted;
use crate::random::Random;
use crate::step::Step;
use crate::voters::Votes;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Election {
    /// The ballot of the leader that is followed.
    leader: Option<Ballot>,
    /// Who was last heard leading, or was promised to lead, and when.
    heard: Option<(ReplicaId, Moment)>,
    /// Signs of that leader's death came since.
    suspected: bool,
    /// When to ask for votes, if nothing happens until then.
    pub(crate) timer: Moment,
    /// The highest ballot that anyone mentioned.
    seen: Ballot,
    attempt: u64,
    /// The pre-vote under way, and the ballot whose leader asked for it.
    votes: Option<(Votes, Option<Ballot>)>,
    /// Attempts in a row that led to nothing; widens the random part of the timeout.
    failures: u32,
    /// The silence to wait for. Drawn anew for every leader and after every attempt, and not with every word of the
    /// same leader.
    patience: Duration,
}

impl Election {
    pub(crate) fn new(now: Moment, group: &Group, random: &mut Random) -> Self {
        let mut election = Self {
            leader: None,
            heard: None,
            suspected: false,
            timer: now,
            seen: Ballot::ZERO,
            attempt: 0,
            votes: None,
            failures: 0,
            patience: Duration::ZERO,
        };
        election.rearm(now, group, random);
        election
    }

    pub(crate) fn leader(&self) -> Option<ReplicaId> {
        self.leader.map(|ballot| ballot.replica)
    }

    pub(crate) const fn leader_ballot(&self) -> Option<Ballot> {
        self.leader
    }

    pub(crate) fn see(&mut self, ballot: Ballot) {
        self.seen = self.seen.max(ballot);
    }

    pub(crate) const fn seen(&self) -> Ballot {
        self.seen
    }

    /// The interval from `election_min` to `election_max` is shared out by rank, so that the preferred replica asks
    /// first and two seldom ask at once. Nobody waits for the leader whose silence this measures.
    fn draw(&mut self, group: &Group, random: &mut Random) {
        let config = &group.config;
        let voters = group.voters.len().max(1) as u32;
        let share = (config.election_max - config.election_min) / voters;
        let rank = group.rank(self.heard.map(|(replica, _)| replica));
        let back_off = config.election_max * (self.failures.min(4) / 2);
        let chance = random.up_to(share) + random.up_to(back_off);
        self.patience = config.election_min + share * rank + chance;
    }

    pub(crate) fn rearm(&mut self, now: Moment, group: &Group, random: &mut Random) {
        self.draw(group, random);
        self.timer = now + self.patience;
    }

    /// A leader of `ballot` was heard. True if it was not followed before.
    pub(crate) fn follow(
        &mut self,
        ballot: Ballot,
        now: Moment,
        group: &Group,
        random: &mut Random,
    ) -> bool {
        self.see(ballot);
        self.heard = Some((ballot.replica, now));
        self.suspected = false;
        self.votes = self.votes.filter(|(_, asked)| *asked == Some(ballot));
        let failed = core::mem::take(&mut self.failures) > 0;
        let new = self.leader.replace(ballot) != Some(ballot);
        if new || failed {
            self.draw(group, random);
        }
        self.timer = now + self.patience;
        new
    }

    /// A promise was given: its candidate gets time to finish.
    pub(crate) fn promised(
        &mut self,
        ballot: Ballot,
        now: Moment,
        group: &Group,
        random: &mut Random,
    ) {
        if self.leader != Some(ballot) {
            self.leader = None;
            self.suspected = false;
            self.heard = Some((ballot.replica, now));
            self.votes = None;
            self.rearm(now, group, random);
        }
    }

    /// Nobody is followed any more; the next attempt is due after a timeout.
    pub(crate) fn forget(&mut self, failed: bool, now: Moment, group: &Group, random: &mut Random) {
        self.leader = None;
        self.heard = None;
        self.votes = None;
        self.failures += u32::from(failed);
        self.rearm(now, group, random);
    }

    /// This replica leads.
    pub(crate) fn lead(&mut self, ballot: Ballot) {
        self.leader = Some(ballot);
        self.heard = None;
        self.suspected = false;
        self.votes = None;
        self.failures = 0;
        self.timer = Moment::NEVER;
    }

    /// Signs of a leader's death: ask soon, the preferred replica soonest.
    pub(crate) fn suspect(
        &mut self,
        suspect: ReplicaId,
        now: Moment,
        group: &Group,
        random: &mut Random,
    ) {
        let heard = self.heard.map(|(replica, _)| replica);
        let Some(suspect) = heard.filter(|replica| replica.number() == suspect.number()) else {
            return;
        };
        self.suspected = true;
        let share = group.config.heartbeat / 4;
        let delay = share * group.rank(Some(suspect)) + random.up_to(share);
        self.timer = self.timer.min(now + delay);
    }

    /// A higher ballot exists, but maybe nobody leads it: ask soon.
    pub(crate) fn hurry(&mut self, now: Moment, group: &Group, random: &mut Random) {
        let delay = random.up_to(group.config.heartbeat);
        self.timer = self.timer.min(now + delay);
    }

    /// Asks everyone whether they would promise, maybe because the leader of `replacing` wishes it.
    /// True if this replica alone is a majority.
    pub(crate) fn ask(
        &mut self,
        chosen: Slot,
        replacing: Option<Ballot>,
        now: Moment,
        group: &Group,
        random: &mut Random,
        step: &mut Step,
    ) -> bool {
        // A leader that was heard a moment ago may well live: it is followed until the votes are in.
        if self.silent(now, &group.config) {
            self.leader = None;
        }
        self.attempt += 1;
        let attempt = self.attempt;
        step.events.push(Event::Asking { attempt });
        let mut votes = Votes::default();
        votes.insert(group.config.id, &group.voters);
        self.votes = Some((votes, replacing));
        for peer in group.peers() {
            let ask = Message::PreVote { attempt, chosen, replacing };
            step.send(peer, ask);
        }
        self.rearm(now, group, random);
        self.failures += 1;
        votes.is_majority(&group.voters)
    }

    fn silent(&self, now: Moment, config: &Config) -> bool {
        self.heard.is_none_or(|(_, when)| now.since(when) >= config.election_min)
    }

    /// What this replica, which does not campaign, thinks of a candidate. A leader hears itself.
    pub(crate) fn opinion(
        &self,
        candidate: ReplicaId,
        (chosen, replacing): (Slot, Option<Ballot>),
        log: &Log,
        now: Moment,
        group: &Group,
    ) -> Opinion {
        // Whoever knows more than this replica may know that it votes by now.
        if !group.voters.contains(candidate) && chosen <= log.chosen() {
            return Opinion::Stranger;
        }
        let wanted = planted::wanted(replacing.is_some() && replacing == self.leader);
        let leads = self.leader().filter(|leader| *leader == group.config.id);
        let heard = self.heard.filter(|_| !self.suspected && !self.silent(now, &group.config));
        let alive = leads.or(heard.map(|(leader, _)| leader));
        match alive.filter(|leader| !wanted && *leader != candidate) {
            Some(leader) => Opinion::LeaderAlive(leader),
            None if chosen.next() < log.floor() => Opinion::Behind,
            None => Opinion::Granted,
        }
    }

    /// Counts a granted pre-vote. True once there is a majority, and only then.
    pub(crate) fn granted(&mut self, by: ReplicaId, attempt: u64, group: &Group) -> bool {
        let current = attempt == self.attempt;
        let Some((votes, _)) = self.votes.as_mut().filter(|_| current) else {
            return false;
        };
        votes.insert(by, &group.voters);
        votes.is_majority(&group.voters)
    }

    /// Others vote now: what was counted does not count, and what failed was another group's.
    pub(crate) fn regroup(&mut self, now: Moment, group: &Group, random: &mut Random) {
        self.votes = None;
        self.failures = 0;
        if self.timer != Moment::NEVER {
            self.rearm(now, group, random);
        }
    }

    /// A replica without a vote: when to look for someone who knows more.
    pub(crate) fn observe(&mut self, now: Moment, config: &Config) {
        self.leader = None;
        self.votes = None;
        self.timer = now + config.resend;
    }

    /// A voter says that too much is missing here, or that this replica has no vote.
    pub(crate) fn abandon(&mut self, attempt: u64) {
        if attempt == self.attempt {
            self.votes = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Recovered;
    use crate::voters::Voters;

    const MS: Duration = Duration::from_millis(1);

    fn setup() -> (Election, Group, Random, Log) {
        let config = Config::new(ReplicaId(1), 1..=3);
        let voters = Voters::new([1, 2, 3].map(ReplicaId)).unwrap_or_default();
        let group = Group { config, voters };
        let mut random = Random::new(7);
        let election = Election::new(Moment(0), &group, &mut random);
        (election, group, random, Log::recover(&Recovered::empty()))
    }

    const LEADER: Ballot = Ballot { round: 1, replica: ReplicaId(2) };

    #[test]
    fn a_live_leader_is_defended_until_it_is_suspected_or_silent() {
        let (mut election, group, mut random, log) = setup();
        let ask = |election: &Election, now| {
            election.opinion(ReplicaId(3), (Slot::ZERO, None), &log, now, &group)
        };
        assert_eq!(ask(&election, Moment(0)), Opinion::Granted);
        assert!(election.follow(LEADER, Moment(0), &group, &mut random));
        assert_eq!(ask(&election, Moment(1)), Opinion::LeaderAlive(ReplicaId(2)));
        assert_eq!(ask(&election, Moment(0) + group.config.election_min), Opinion::Granted);
        election.suspect(ReplicaId(3), Moment(1), &group, &mut random);
        assert_eq!(ask(&election, Moment(2)), Opinion::LeaderAlive(ReplicaId(2)));
        election.suspect(ReplicaId(2), Moment(1), &group, &mut random);
        assert_eq!(ask(&election, Moment(2)), Opinion::Granted);
        assert!(election.timer <= Moment(1) + group.config.heartbeat);
    }

    #[test]
    fn a_leaders_wish_opens_the_way_for_its_own_ballot_only() {
        let (mut election, group, mut random, log) = setup();
        election.follow(LEADER, Moment(0), &group, &mut random);
        let ask = |replacing| {
            let candidate = (Slot::ZERO, Some(replacing));
            election.opinion(ReplicaId(3), candidate, &log, Moment(1), &group)
        };
        assert_eq!(ask(LEADER), Opinion::Granted);
        let alive = Opinion::LeaderAlive(ReplicaId(2));
        assert_eq!(ask(LEADER.succeeded_by(ReplicaId(2))), alive);
    }

    #[test]
    fn timeouts_stay_in_their_share() {
        let (mut election, mut group, mut random, _) = setup();
        group.config.priority.insert(1, 9);
        for _ in 0..100 {
            election.rearm(Moment(0), &group, &mut random);
            assert!(
                election.timer >= Moment(0) + MS * 300 && election.timer <= Moment(0) + MS * 400
            );
        }
    }

    #[test]
    fn answers_to_an_older_attempt_do_not_count() {
        let (mut election, group, mut random, _) = setup();
        let mut step = Step::default();
        for _ in 0..2 {
            assert!(!election.ask(Slot::ZERO, None, Moment(0), &group, &mut random, &mut step));
        }
        assert!(!election.granted(ReplicaId(2), 1, &group));
        assert!(election.granted(ReplicaId(2), 2, &group));
    }
}
