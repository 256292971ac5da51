//! How much may happen. The code under test is the same whatever the bounds are.

use std::fmt;

use paxos::{ReplicaId, Voters};

/// What may happen, and how often, until the whole space of states is visited.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How often each replica's election timer fires, at most: one new ballot each time. Its length is the
    /// number of replicas.
    pub campaigns: Vec<u8>,
    /// Crashes, of any replicas, at most.
    pub crashes: u8,
    /// Slots of the log: what is said about later ones gets lost.
    pub slots: u64,
    /// Slots that a leader has in flight; at least half of `slots`.
    pub window: u64,
    /// Steps of one replica that are not on its disk yet, at most; until the oldest is, it takes no more input. With
    /// 0, a step is written before anything else happens, or lost in a crash.
    pub unwritten: usize,
    /// Who proposes a request of its own, once, while it leads.
    pub clients: Vec<u64>,
    /// What is wrong with the group on purpose.
    pub broken: Option<Broken>,
}

/// A way to break persistence; each must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The driver sends what rests on a write before the write.
    SentBeforeWritten,
    /// A disk forgets its promise in a crash.
    PromiseLost,
}

impl Bounds {
    /// Three replicas, of which two may lead, once each: two ballots, two slots, one crash.
    pub fn three() -> Self {
        Self {
            campaigns: vec![1, 1, 0],
            crashes: 1,
            slots: 2,
            window: 1,
            unwritten: 0,
            clients: vec![1, 2],
            broken: None,
        }
    }

    /// The same, with persistence broken.
    #[must_use]
    pub fn broken(self, broken: Broken) -> Self {
        Self { broken: Some(broken), ..self }
    }

    pub(crate) fn replicas(&self) -> impl Iterator<Item = ReplicaId> + use<> {
        (1..=self.campaigns.len() as u64).map(ReplicaId)
    }

    pub(crate) fn founders(&self) -> Voters {
        match Voters::new(self.replicas()) {
            Ok(voters) => voters,
            Err(error) => panic!("the bounds name no group: {error}"),
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replicas, campaigns {:?}, ", self.campaigns.len(), self.campaigns)?;
        write!(f, "{} slots, window {}, ", self.slots, self.window)?;
        write!(f, "requests of {:?}, {} crashes, ", self.clients, self.crashes)?;
        match self.unwritten {
            0 => write!(f, "each step written at once or lost, ")?,
            steps => write!(f, "{steps} unwritten steps each, ")?,
        }
        write!(f, "every message lost, late, or any number of times")?;
        match self.broken {
            None => Ok(()),
            Some(Broken::SentBeforeWritten) => write!(f, "; BROKEN: sent before written"),
            Some(Broken::PromiseLost) => write!(f, "; BROKEN: a crash loses the promise"),
        }
    }
}
