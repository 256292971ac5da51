//! How much may happen. The code under test is the same whatever the bounds are.

use std::fmt;

use paxos::{ReplicaId, Voters};

/// What may happen, and how often, until the whole space of states is visited.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How often each replica's election timer fires, at most: one new ballot each time. Its length is the
    /// number of replicas.
    pub campaigns: Vec<u8>,
    /// How many of them, the last ones, have no vote in the beginning.
    pub strangers: usize,
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
    /// The voters for whom the first replica wishes, once, while it leads.
    pub wish: Vec<u64>,
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
    /// A replica starts again with those who voted in the beginning, whatever its state machine says.
    VotersForgotten,
}

impl Bounds {
    /// Three replicas, of which two may lead, once each: two ballots, two slots, one crash.
    pub fn three() -> Self {
        Self {
            campaigns: vec![1, 1, 0],
            strangers: 0,
            crashes: 1,
            slots: 2,
            window: 1,
            unwritten: 0,
            clients: vec![1, 2],
            wish: Vec::new(),
            broken: None,
        }
    }

    /// Three voters, of which the third shall make room for a fourth replica: a majority before and one after may share
    /// nobody. The replica that leads next is in both groups.
    pub fn change() -> Self {
        let campaigns = vec![1, 1, 0, 0];
        let wish = vec![1, 2, 4];
        Self {
            campaigns,
            strangers: 1,
            slots: 3,
            crashes: 0,
            clients: vec![1],
            wish,
            ..Self::three()
        }
    }

    /// Three voters, of which the first shall be left alone, and a crash: who restarts has to know who votes.
    pub fn alone() -> Self {
        Self { slots: 3, clients: vec![1], wish: vec![1], ..Self::three() }
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
        group(self.replicas().take(self.campaigns.len() - self.strangers))
    }

    pub(crate) fn strangers(&self) -> impl Iterator<Item = ReplicaId> + use<> {
        self.replicas().skip(self.campaigns.len() - self.strangers)
    }

    pub(crate) fn wished(&self) -> Voters {
        group(self.wish.iter().copied().map(ReplicaId))
    }
}

fn group(voters: impl Iterator<Item = ReplicaId>) -> Voters {
    match Voters::new(voters) {
        Ok(voters) => voters,
        Err(error) => panic!("the bounds name no group: {error}"),
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} replicas, campaigns {:?}, ", self.campaigns.len(), self.campaigns)?;
        if self.strangers > 0 {
            write!(f, "voters {}, ", self.founders())?;
        }
        write!(f, "{} slots, window {}, ", self.slots, self.window)?;
        write!(f, "requests of {:?}, {} crashes, ", self.clients, self.crashes)?;
        if !self.wish.is_empty() {
            write!(f, "1 wishes for the voters {}, ", self.wished())?;
        }
        match self.unwritten {
            0 => write!(f, "each step written at once or lost, ")?,
            steps => write!(f, "{steps} unwritten steps each, ")?,
        }
        write!(f, "every message lost, late, or any number of times")?;
        match self.broken {
            None => Ok(()),
            Some(Broken::SentBeforeWritten) => write!(f, "; BROKEN: sent before written"),
            Some(Broken::PromiseLost) => write!(f, "; BROKEN: a crash loses the promise"),
            Some(Broken::VotersForgotten) => write!(f, "; BROKEN: a start forgets who votes"),
        }
    }
}
