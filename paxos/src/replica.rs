//! One replica: routes each input to the role that it concerns, and keeps the roles in step.

mod members;
mod nonsense;
mod route;

use alloc::vec::Vec;
use core::time::Duration;

use crate::acceptor::Acceptor;
use crate::candidate::Candidate;
use crate::catchup::CatchUp;
use crate::config::{Config, Group};
use crate::election::Election;
use crate::event::{Event, SteppedDown};
use crate::founding::Founding;
use crate::id::{Ballot, Moment, ReplicaId, Slot};
use crate::leader::Leader;
use crate::learner::{Learner, choose_next};
use crate::log::Log;
use crate::message::{Message, Request};
use crate::pending::Pending;
use crate::planted;
use crate::random::Random;
use crate::record::Recovered;
use crate::step::{Input, Step};
use crate::voters::Voters;

/// Why a replica wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// What was recovered from disk waits in the first step.
    Start,
    /// No leader was heard for too long, or a candidacy takes too long.
    Election,
    /// A leader owes a heartbeat.
    Heartbeat,
    /// Something unanswered is to be sent again.
    Resend,
    /// A leader checks that it still hears a majority.
    QuorumCheck,
    /// A late replica asks for chosen entries.
    CatchUp,
    /// A blank replica asks whether there is a group.
    Founding,
}

/// One replica of a group: acceptor, learner and, at times, leader.
///
/// # The caller's contract
///
/// 1. **One input at a time.** Call [`step`](Self::step) with each message, request and, at the latest at
///    [`deadline`](Self::deadline), a tick. Time never runs backwards; being late costs time, not safety.
/// 2. **Steps in order.** Gather as many steps as you like in one, with [`step_into`](Self::step_into) or
///    [`absorb`](Step::absorb), then [`take_immediate`](Step::take_immediate) and send, then
///    [`persist`](Step::persist), then send what the [`Durable`](crate::Durable) holds. Steps are persisted in the
///    order in which they were made. Several steps may be made while an earlier write is still under way.
/// 3. **Durable means durable.** The write returns after the records are on disk, all of them or none. If it
///    fails, stop the replica for good: its memory is ahead of its disk.
/// 4. **Messages to oneself** come back as [`Input::Message`] from the replica's own id, after the write.
/// 5. **Apply in order, after the write.** Apply what a step chose in the same transaction as its records, or
///    later. On start, [`Recovered::applied`] says how far that came; later slots are reported again.
/// 6. **Keep the log** on disk from some slot on, and answer each [`Fetch`](crate::Fetch) from it with chosen
///    entries, or with none if it is trimmed there; never trim above what is applied. A replica that is told
///    [`Event::SnapshotNeeded`] gets a snapshot by other means, then [`Input::Installed`], and puts the snapshot
///    in place in the transaction that writes [`Record::Installed`]. A snapshot tells who votes after it.
/// 7. **One disk, one id.** A replica whose disk was lost, cloned or put back to an older state must come back
///    under another [`ReplicaId`], with the same number if you like. It is an observer then, and gets its vote
///    back through the log: by itself, if its number had one and the disk that held it stays silent.
/// 8. **The transport** may lose, delay, duplicate and reorder, but names senders truly and keeps messages whole.
///    It delivers by number.
/// 9. **Requests** are chosen at least once; the state machine makes that exactly once by their numbers. A request
///    is kept and sent again until it is chosen, refused, or the process ends. Requests of one session may be
///    reordered on the way to a leader; the one out of order is then a gap, and its sender proposes it again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    group: Group,
    now: Moment,
    random: Random,
    founding: Founding,
    /// Who votes in slot 1; nobody while this replica is blank.
    founders: Voters,
    acceptor: Acceptor,
    log: Log,
    learner: Learner,
    election: Election,
    role: Role,
    pending: Pending,
    catch_up: CatchUp,
    /// How far the disk says that everything is chosen; what is not reported yet leaves with the first step.
    recovered: Slot,
    /// The last slot that was looked at for a change of voters.
    regrouped: Slot,
    /// No handover before this, and how long to wait after the next: it doubles, so that a preferred replica
    /// that cannot keep a majority does not make leadership flap.
    handover: (Moment, Duration),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Role {
    Follower,
    Candidate(Candidate),
    Leader(Leader),
}

impl Role {
    const fn ballot(&self) -> Option<Ballot> {
        match self {
            Self::Follower => None,
            Self::Candidate(candidate) => Some(candidate.ballot),
            Self::Leader(leader) => Some(leader.ballot),
        }
    }
}

impl Replica {
    /// A replica that starts from what its disk holds.
    ///
    /// # Panics
    /// If `config` is not [valid](Config::validate), or if an entry between `recovered.applied` and
    /// `recovered.chosen` is missing: the disk is then not the one that this replica wrote.
    pub fn new(config: Config, recovered: Recovered, now: Moment) -> Self {
        let config = config.validate();
        let Ok(config) = config else {
            panic!("the configuration was not validated: {config:?}");
        };
        let accepted = recovered.accepted.iter().map(|entry| entry.ballot).max();
        let promised = planted::replica::recovered(recovered.promised);
        let promised = promised.max(accepted.unwrap_or(Ballot::ZERO));
        let log = Log::recover(&recovered);
        let mut unreported = (recovered.applied.0 + 1..=recovered.chosen.0).map(Slot);
        let missing = unreported.find(|slot| log.get(*slot).is_none());
        assert!(missing.is_none(), "slot {missing:?} is chosen, but the disk does not hold it");
        let mut random = Random::new(config.seed);
        let handover = (now, config.election_max);
        let group = Group { config, voters: recovered.voters };
        Self {
            now,
            election: Election::new(now, &group, &mut random),
            random,
            founding: Founding::new(now),
            founders: recovered.founders,
            acceptor: Acceptor::new(promised),
            learner: Learner::new(),
            role: Role::Follower,
            pending: Pending::default(),
            catch_up: CatchUp::default(),
            recovered: recovered.chosen,
            regrouped: log.chosen(),
            log,
            handover,
            group,
        }
    }

    /// Takes one input at time `now` and says what to do.
    ///
    /// # Panics
    /// Where [`step_into`](Self::step_into) does.
    pub fn step(&mut self, now: Moment, input: Input) -> Step {
        let mut step = Step::default();
        self.step_into(now, input, &mut step);
        step
    }

    /// Like [`step`](Self::step), but adds to a step that the caller has, and that has room already.
    ///
    /// # Panics
    /// If an invariant of Paxos is broken, such as two values for one slot: a peer's disk or memory is corrupt,
    /// or a contract was not kept. The replica must then stop.
    pub fn step_into(&mut self, now: Moment, input: Input, step: &mut Step) {
        self.now = self.now.max(now);
        let before = step.chosen.len();
        if self.log.chosen() < self.recovered {
            while self.log.chosen() < self.recovered {
                choose_next(&mut self.log, &self.group.config, step);
            }
            self.regroup(step);
        }
        match input {
            Input::Tick => self.tick(step),
            Input::Message { from, message } => self.message(from, message, step),
            Input::Propose(requests) => self.propose(requests, step),
            Input::Confirm(ticket) => self.confirm(ticket, step),
            Input::Suspect(suspect) => self.suspect(suspect),
            Input::Campaign => self.campaign(step),
            Input::HandOver => self.hand_over_now(step),
            Input::ChangeVoters(voters) => self.change_voters(voters, step),
            Input::Fetched { to, mut entries } => {
                entries.retain(|entry| entry.slot <= self.log.chosen());
                let chosen = self.log.chosen();
                step.send(to, Message::Suffix { chosen, entries });
            }
            Input::Installed { slot, voters } => self.installed(slot, voters, step),
        }
        self.settle(before, step);
    }

    /// When to call [`step`](Self::step) with [`Input::Tick`] at the latest, and why.
    pub fn deadline(&self) -> (Moment, Reason) {
        if self.is_blank() {
            return (self.founding.due, Reason::Founding);
        }
        if self.log.chosen() < self.recovered {
            return (self.now, Reason::Start);
        }
        let election = (self.election.timer, Reason::Election);
        let resend = |at: Option<Moment>| (at.unwrap_or(Moment::NEVER), Reason::Resend);
        let late = (self.catch_up.due().unwrap_or(Moment::NEVER), Reason::CatchUp);
        match &self.role {
            Role::Follower => {
                let forwarded = self.pending.due().filter(|_| self.follows().is_some());
                election.min(resend(forwarded)).min(late)
            }
            Role::Candidate(candidate) => {
                let asked = candidate.sent + self.group.config.resend;
                election.min(resend(Some(asked))).min(late)
            }
            Role::Leader(leader) => {
                let beat = (leader.beat_due(), Reason::Heartbeat);
                let quorum = (leader.quorum_until(&self.group), Reason::QuorumCheck);
                beat.min(quorum).min(resend(leader.resend_due(&self.group)))
            }
        }
    }

    /// Who this is.
    pub const fn id(&self) -> ReplicaId {
        self.group.config.id
    }

    /// The settings it runs with.
    pub const fn config(&self) -> &Config {
        &self.group.config
    }

    /// Who votes in the slot after the chosen prefix; nobody before the group is founded.
    pub const fn voters(&self) -> &Voters {
        &self.group.voters
    }

    /// Who votes in slot 1, and until the log says otherwise; nobody while this replica is blank.
    pub const fn founders(&self) -> &Voters {
        &self.founders
    }

    /// Whether this replica votes.
    pub fn votes(&self) -> bool {
        self.group.votes()
    }

    /// True until this replica knows a group.
    pub const fn is_blank(&self) -> bool {
        self.founders.is_empty() && self.group.voters.is_empty()
    }

    /// Of a leader: the replicas without a vote that follow it, each with its chosen prefix.
    pub fn observers(&self) -> impl Iterator<Item = (ReplicaId, Slot)> + '_ {
        let leader = if let Role::Leader(leader) = &self.role { Some(leader) } else { None };
        leader.into_iter().flat_map(Leader::observers)
    }

    /// Who leads, as far as this replica knows; itself if it leads.
    pub fn leader(&self) -> Option<ReplicaId> {
        self.election.leader()
    }

    /// True from the end of phase 1 until it steps down.
    pub const fn is_leading(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// The highest ballot promised here.
    pub const fn ballot(&self) -> Ballot {
        self.acceptor.promised()
    }

    /// The last slot of the chosen prefix.
    pub const fn chosen_to(&self) -> Slot {
        self.log.chosen()
    }

    /// The lowest slot still in memory; older ones are fetched from the caller's disk.
    pub const fn memory_from(&self) -> Slot {
        self.log.floor()
    }

    fn follows(&self) -> Option<ReplicaId> {
        let leader = self.election.leader();
        leader.filter(|_| matches!(self.role, Role::Follower))
    }

    fn tick(&mut self, step: &mut Step) {
        if self.is_blank() {
            let founders = self.founding.tick(self.now, &self.group.config, step);
            return founders.map_or((), |founders| self.found(founders, step));
        }
        let (now, group) = (self.now, &self.group);
        match &mut self.role {
            Role::Leader(leader) if now >= leader.quorum_until(group) => {
                self.step_down(SteppedDown::LostQuorum, step);
            }
            Role::Leader(leader) => {
                leader.tick(now, group, &self.log, step);
                self.hand_over(step);
                self.readmit(step);
            }
            Role::Candidate(_) if planted::candidate::gives_up(now >= self.election.timer) => {
                self.step_down(SteppedDown::NoMajority, step);
            }
            Role::Candidate(candidate) => {
                if now >= candidate.sent + group.config.resend {
                    candidate.ask(now, self.log.chosen(), group, step);
                }
            }
            Role::Follower if now < self.election.timer => {}
            Role::Follower if group.votes() => self.pre_vote(None, step),
            Role::Follower => {
                self.election.observe(now, &group.config);
                self.catch_up.poll(self.log.chosen(), group, step);
            }
        }
    }

    fn pre_vote(&mut self, replacing: Option<Ballot>, step: &mut Step) {
        if !self.votes() {
            return;
        }
        let chosen = self.log.chosen();
        let alone =
            self.election.ask(chosen, replacing, self.now, &self.group, &mut self.random, step);
        if alone {
            self.campaign(step);
        }
    }

    fn hand_over(&mut self, step: &mut Step) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let settled = self.group.config.election_max;
        let successor = leader.successor(settled, self.now, &self.group, &self.log);
        let (at, wait) = self.handover;
        if let Some(to) = successor.filter(|_| self.now >= at) {
            self.handover = (self.now + wait, (wait * 2).min(self.group.config.election_max * 64));
            self.hand_over_to(to, step);
        }
    }

    fn hand_over_now(&mut self, step: &mut Step) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        if let Some(heir) = leader.heir(self.now, &self.group, &self.log) {
            self.hand_over_to(heir, step);
        }
    }

    fn hand_over_to(&self, to: ReplicaId, step: &mut Step) {
        if let Some(ballot) = self.role.ballot() {
            step.events.push(Event::HandingOver { to });
            step.send(to, Message::Handover { ballot });
        }
    }

    fn propose(&mut self, requests: Vec<Request>, step: &mut Step) {
        let leader = self.follows();
        if matches!(self.role, Role::Follower) && leader.is_none() {
            let refused = requests.iter().map(Request::id).collect();
            step.events.push(Event::Refused(refused));
            return;
        }
        let config = &self.group.config;
        let admitted = self.pending.admit(requests, config, step);
        if matches!(self.role, Role::Leader(_)) {
            let refused = self.pending.enqueue(admitted, config);
            self.pending.refuse(refused, step);
        } else if let Some(leader) = leader {
            self.pending.forward(admitted, leader, self.now, config, step);
        }
    }

    fn confirm(&mut self, ticket: u64, step: &mut Step) {
        match &mut self.role {
            Role::Leader(leader) => leader.confirm(ticket, self.now, &self.group, &self.log, step),
            Role::Follower | Role::Candidate(_) => step.confirmed.push((ticket, false)),
        }
    }

    fn suspect(&mut self, suspect: ReplicaId) {
        if matches!(self.role, Role::Follower) && self.votes() {
            self.election.suspect(suspect, self.now, &self.group, &mut self.random);
        }
    }

    /// Takes a ballot that was never used, and asks for promises once it is durable.
    pub(crate) fn campaign(&mut self, step: &mut Step) {
        if !matches!(self.role, Role::Follower) || !self.votes() {
            return;
        }
        let highest = self.acceptor.promised().max(self.election.seen());
        let ballot = highest.succeeded_by(self.id());
        self.acceptor.raise(planted::candidate::own_ballot(ballot), step);
        self.election.forget(false, self.now, &self.group, &mut self.random);
        step.events.push(Event::Campaigning { ballot });
        let mut candidate = Candidate::new(ballot, self.log.chosen(), self.now);
        candidate.ask(self.now, self.log.chosen(), &self.group, step);
        self.role = Role::Candidate(candidate);
    }

    /// Phase 1 is complete.
    fn lead(&mut self, step: &mut Step) {
        let Role::Candidate(candidate) = core::mem::replace(&mut self.role, Role::Follower) else {
            return;
        };
        let (ballot, chosen) = (candidate.ballot, self.log.chosen());
        let inherited = candidate.inherit(chosen);
        self.pending.lead(&inherited);
        self.election.lead(ballot);
        step.events.push(Event::Leading { ballot });
        let mut leader = Leader::new(ballot, inherited, chosen, self.now, &self.group);
        leader.tick(self.now, &self.group, &self.log, step);
        self.role = Role::Leader(leader);
    }

    fn step_down(&mut self, reason: SteppedDown, step: &mut Step) {
        let role = core::mem::replace(&mut self.role, Role::Follower);
        let Some(ballot) = role.ballot() else {
            return;
        };
        step.events.push(Event::SteppedDown { ballot, reason });
        let failed = matches!(role, Role::Candidate(_));
        if let Role::Leader(leader) = role {
            let higher = match reason {
                SteppedDown::HigherBallot(higher) => Some(higher),
                SteppedDown::LostQuorum
                | SteppedDown::TooFarBehind
                | SteppedDown::NoMajority
                | SteppedDown::Removed
                | SteppedDown::Installed => None,
            };
            leader.end(higher, step);
        }
        self.pending.restart(self.now);
        self.election.forget(failed, self.now, &self.group, &mut self.random);
    }

    /// A leader with a ballot at least as high as every promise here was heard.
    fn follow(&mut self, ballot: Ballot, step: &mut Step) {
        if self.role.ballot().is_some_and(|own| own < ballot) {
            self.step_down(SteppedDown::HigherBallot(ballot), step);
        }
        let new = self.election.follow(ballot, self.now, &self.group, &mut self.random);
        if new {
            self.pending.restart(self.now);
            let leader = ballot.replica;
            step.events.push(Event::Following { leader, ballot });
        }
    }

    /// What follows from any change, in whatever role.
    fn settle(&mut self, before: usize, step: &mut Step) {
        self.regroup(step);
        let (now, promised) = (self.now, self.acceptor.promised());
        if self.role.ballot().is_some_and(|own| own < promised) {
            self.step_down(SteppedDown::HigherBallot(promised), step);
        }
        if let Role::Candidate(candidate) = &self.role
            && candidate.has_majority(self.log.chosen(), &self.group)
        {
            // A change of voters that was just learnt may leave nobody to wait for.
            self.lead(step);
        }
        for chosen in &step.chosen[before..] {
            self.pending.chosen(&chosen.value);
        }
        let (group, log, pending) = (&self.group, &mut self.log, &mut self.pending);
        if let Role::Leader(leader) = &mut self.role {
            assert!(leader.ballot == promised, "a leader acts on a ballot that it gave up");
            leader.pump(now, group, &mut self.acceptor, log, pending, step);
            leader.announce(group, log, step);
            leader.resolve(group, log, step);
            return;
        }
        let (chosen, leader, config) = (log.chosen(), self.election.leader(), &group.config);
        self.catch_up.settle(chosen, step);
        self.catch_up.tick(chosen, leader, now, config, step);
        if let Some(leader) = leader.filter(|_| matches!(self.role, Role::Follower)) {
            self.pending.resend(leader, now, config, step);
        }
    }
}
