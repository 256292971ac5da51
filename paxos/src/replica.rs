//! One replica.

use crate::config::Config;
use crate::id::{Ballot, Moment, ReplicaId, Slot};
use crate::record::Recovered;
use crate::step::{Input, Step};

/// Why a replica wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A follower or candidate has heard no leader for too long.
    Election,
    /// A leader owes a heartbeat.
    Heartbeat,
    /// Something unanswered is to be sent again.
    Resend,
    /// A leader checks that it still hears a majority.
    QuorumCheck,
    /// A late replica asks for chosen entries.
    CatchUp,
}

/// One replica of a group.
#[derive(Debug)]
pub struct Replica {
    config: Config,
    now: Moment,
}

impl Replica {
    /// A replica that starts from what its disk holds.
    pub fn new(config: Config, _recovered: Recovered, now: Moment) -> Self {
        Self { config, now }
    }

    /// Takes one input.
    pub fn step(&mut self, now: Moment, _input: Input) -> Step {
        self.now = now;
        Step::default()
    }

    /// When to call [`step`](Self::step) with [`Input::Tick`] at the latest, and why.
    pub fn deadline(&self) -> (Moment, Reason) {
        (self.now + self.config.heartbeat, Reason::Heartbeat)
    }

    /// Who this is.
    pub fn id(&self) -> ReplicaId {
        self.config.id
    }

    /// Who leads, as far as this replica knows.
    pub fn leader(&self) -> Option<ReplicaId> {
        None
    }

    /// True from the end of phase 1 until it steps down.
    pub fn is_leading(&self) -> bool {
        false
    }

    /// The highest ballot promised.
    pub fn ballot(&self) -> Ballot {
        Ballot::ZERO
    }

    /// The last slot of the chosen prefix.
    pub fn chosen_to(&self) -> Slot {
        Slot::ZERO
    }
}
