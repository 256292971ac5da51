//! The agreement: this gateway's replica of Paxos, and what is asked of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use paxos::{
    Input, Moment, Outgoing, Recovered, Replica, ReplicaId, Request, SessionId, Slot, Voters,
};
use wire::GatewayId;

use crate::event::Read;
use crate::id::{Ticket, gateway};
use crate::peer::PeerMessage;
use crate::settings::Settings;
use crate::want::{Question, Want, Wants};

/// The replica of Paxos, the numbers of this gateway's own proposals, and the questions that wait for a round.
pub(crate) struct Agreement {
    paxos: Replica,
    begins_alone: bool,
    /// Under which this life of the gateway numbers its own proposals, those of no zone.
    session: SessionId,
    /// Number of the last of them.
    number: u64,
    questions: BTreeMap<Ticket, Question>,
    ticket: Ticket,
    /// For whom the store reads old entries: one read each, however often they ask.
    fetching_for: BTreeSet<GatewayId>,
}

impl Agreement {
    /// # Errors
    /// When the settings cannot make a group; the text says why.
    pub(crate) fn new(
        settings: &Settings,
        recovered: Recovered,
        now: Moment,
    ) -> Result<Self, paxos::ConfigError> {
        let config = config(settings)?;
        let begins_alone = last_voters(&recovered).iter().eq([config.id]);
        Ok(Self {
            begins_alone,
            paxos: Replica::new(config, recovered, now),
            session: own_session(settings),
            number: 0,
            questions: BTreeMap::new(),
            ticket: Ticket::default(),
            fetching_for: BTreeSet::new(),
        })
    }

    /// Takes the first of `inputs`. What follows from it comes before the rest.
    pub(crate) fn step(&mut self, now: Moment, mut inputs: VecDeque<Input>, out: &mut Wants) {
        let Some(input) = inputs.pop_front() else { return };
        let mut step = self.paxos.step(now, input);
        let me = self.paxos.id();
        for Outgoing { to, message } in step.take_immediate() {
            if to == me {
                inputs.push_back(Input::Message { from: me, message });
            } else {
                out.send(gateway(to), PeerMessage::Paxos(message));
            }
        }
        for event in step.events() {
            out.push(Want::Happened(event.clone()));
        }
        for chosen in step.take_chosen() {
            out.push(Want::Apply(chosen));
        }
        for fetch in step.fetch() {
            if self.fetching_for.insert(gateway(fetch.to)) {
                out.read(Read::Log(*fetch));
            }
        }
        let confirmed = step.confirmed().to_vec();
        out.push(Want::Stepped(step));
        for (ticket, leads) in confirmed {
            if let Some(question) = self.questions.remove(&Ticket(ticket)) {
                out.push(Want::Confirmed(question, leads));
            }
        }
        if !inputs.is_empty() {
            out.push(Want::Agree(inputs));
        }
    }

    /// What other replicas sent that is now written, or this one to itself.
    pub(crate) fn written(&self, messages: Vec<Outgoing>, out: &mut Wants) {
        let me = self.paxos.id();
        for Outgoing { to, message } in messages {
            if to == me {
                out.agree(Input::Message { from: me, message });
            } else {
                out.send(gateway(to), PeerMessage::Paxos(message));
            }
        }
    }

    /// The number of the next proposal of this gateway's own.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Proposes an entry of no zone under that number.
    pub(crate) fn propose(&self, number: u64, payload: std::sync::Arc<[u8]>, out: &mut Wants) {
        let request = Request { session: self.session, number, payload };
        out.agree(Input::Propose(vec![request]));
    }

    /// Asks whether this gateway leads still; the answer is [`Want::Confirmed`].
    pub(crate) fn confirm(&mut self, question: Question, out: &mut Wants) {
        self.ticket = self.ticket.next();
        self.questions.insert(self.ticket, question);
        out.agree(Input::Confirm(self.ticket.0));
    }

    /// The store has read what a late replica asked for.
    pub(crate) fn fetched(&mut self, to: ReplicaId, entries: Vec<paxos::Entry>, out: &mut Wants) {
        self.fetching_for.remove(&gateway(to));
        out.agree(Input::Fetched { to, entries });
    }

    pub(crate) const fn session(&self) -> SessionId {
        self.session
    }

    /// The number of the last proposal of this gateway's own.
    pub(crate) const fn last_number(&self) -> u64 {
        self.number
    }

    /// How many questions wait for a round.
    pub(crate) fn waiting(&self) -> usize {
        self.questions.len()
    }

    pub(crate) const fn id(&self) -> ReplicaId {
        self.paxos.id()
    }

    pub(crate) fn deadline(&self) -> Moment {
        self.paxos.deadline().0
    }

    /// Whether the chosen part of the log, applied or not, says that this replica alone votes.
    pub(crate) const fn begins_alone(&self) -> bool {
        self.begins_alone
    }

    pub(crate) fn leader(&self) -> Option<GatewayId> {
        self.paxos.leader().map(gateway)
    }

    pub(crate) const fn leads(&self) -> bool {
        self.paxos.is_leading()
    }

    pub(crate) fn votes(&self) -> bool {
        self.paxos.votes()
    }

    pub(crate) const fn voters(&self) -> &Voters {
        self.paxos.voters()
    }

    pub(crate) const fn founders(&self) -> &Voters {
        self.paxos.founders()
    }

    /// Replicas without a vote that follow, and how far they are.
    pub(crate) fn observers(&self) -> impl Iterator<Item = (ReplicaId, Slot)> + '_ {
        self.paxos.observers()
    }

    /// Whether this replica's disk knows of no group yet.
    pub(crate) const fn is_blank(&self) -> bool {
        self.paxos.is_blank()
    }

    /// The round of the highest ballot that this replica has promised.
    pub(crate) const fn round(&self) -> u64 {
        self.paxos.ballot().round
    }
}

/// Who votes behind everything that is known to be chosen, also if it is not applied yet.
fn last_voters(recovered: &Recovered) -> &Voters {
    let chosen = recovered.accepted.iter().filter(|entry| entry.slot <= recovered.chosen);
    let unapplied = chosen.filter(|entry| entry.slot > recovered.applied);
    let mut voters = unapplied.filter_map(|entry| entry.value.voters());
    voters.next_back().unwrap_or(&recovered.voters)
}

fn own_session(settings: &Settings) -> SessionId {
    // The highest bit keeps it apart from the epochs, which number the sessions of zones.
    let incarnation = settings.incarnation.0 & ((1 << 52) - 1);
    SessionId(1 << 63 | u64::from(settings.id.0) << 52 | incarnation)
}

fn config(settings: &Settings) -> Result<paxos::Config, paxos::ConfigError> {
    let timing = &settings.timing;
    let founders = settings.founders.iter().map(|id| id.0);
    let mut config = paxos::Config::new(ReplicaId::new(settings.id.0, settings.disk), founders);
    let ranks = settings.leaders.iter().rev().zip(1..);
    config.priority = ranks.map(|(id, rank)| (id.0, rank)).collect();
    config.heartbeat = timing.leader_beat;
    config.election_min = timing.election_min;
    config.election_max = timing.election_max;
    config.log_window = settings.log_window();
    config.seed = settings.incarnation.0 ^ u64::from(settings.id.0) << 56;
    config.validate()
}
