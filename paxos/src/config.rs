//! How a replica is set up: checked once, then taken as true.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;
use core::time::Duration;

use crate::id::ReplicaId;
use crate::planted::election as planted;
use crate::voters::Voters;

/// A replica's settings. All replicas of a group share everything but `id` and `seed`. Who votes is no setting: the
/// log says it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Who this replica is.
    pub id: ReplicaId,
    /// The numbers of those who found a new group, 1 to 7 of them. Whoever is not among them, or finds that the
    /// group exists, asks them for it.
    pub founders: BTreeSet<u8>,
    /// Who should lead, by number: the higher the likelier. Absent means 0; equal priorities are left as they are.
    pub priority: BTreeMap<u8, u8>,
    /// Between two heartbeats of a leader; at least 1 ms.
    pub heartbeat: Duration,
    /// A leader that was heard within this is alive; at least twice `heartbeat`.
    pub election_min: Duration,
    /// The longest silence before a pre-vote; above `election_min`.
    pub election_max: Duration,
    /// Until what was not answered is sent again; at least 1 ms.
    pub resend: Duration,
    /// Requests in one slot, at least 1.
    pub batch_requests: usize,
    /// Payload bytes in one slot; a single larger request still goes alone.
    pub batch_bytes: usize,
    /// Slots that the leader has in flight, at least 1.
    pub window: u64,
    /// Requests that wait at one replica (its own, or as a leader everyone's) before it refuses, at least 1.
    pub queue: usize,
    /// Chosen slots kept in memory for late peers and candidates; at least `window`.
    pub log_window: u64,
    /// Entries in one message of a catch-up or a promise, at least 1.
    pub chunk_entries: usize,
    /// Payload bytes in one message of a catch-up or a promise; a single larger entry still goes alone.
    pub chunk_bytes: usize,
    /// Where this replica's randomness starts; give each replica and each start its own.
    pub seed: u64,
}

/// What is wrong with a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// There must be 1 to 7 founders.
    Founders(usize),
    /// `heartbeat` or `resend` is below 1 ms.
    TooFast,
    /// `election_min` must be at least twice `heartbeat`, and `election_max` above `election_min`.
    ElectionTimeouts,
    /// A bound that must be at least 1 is 0; its name.
    Zero(&'static str),
    /// `log_window` is below `window`.
    LogWindow,
}

impl Config {
    /// Settings for a local network: heartbeats every 50 ms, elections after 300 to 600 ms of silence.
    pub fn new(id: ReplicaId, founders: impl IntoIterator<Item = u8>) -> Self {
        Self {
            id,
            founders: founders.into_iter().collect(),
            priority: BTreeMap::new(),
            heartbeat: Duration::from_millis(50),
            election_min: Duration::from_millis(300),
            election_max: Duration::from_millis(600),
            resend: Duration::from_millis(100),
            batch_requests: 512,
            batch_bytes: 256 * 1024,
            window: 8,
            queue: 8192,
            log_window: 4096,
            chunk_entries: 64,
            chunk_bytes: 512 * 1024,
            seed: id.0,
        }
    }

    /// Checks every bound.
    ///
    /// # Errors
    /// The first bound that does not hold.
    pub fn validate(self) -> Result<Self, ConfigError> {
        if !(1..=Voters::MOST).contains(&self.founders.len()) {
            return Err(ConfigError::Founders(self.founders.len()));
        }
        let least = Duration::from_millis(1);
        if self.heartbeat < least || self.resend < least {
            return Err(ConfigError::TooFast);
        }
        if self.election_min < self.heartbeat * 2 || self.election_max <= self.election_min {
            return Err(ConfigError::ElectionTimeouts);
        }
        let bounds = [
            ("batch_requests", self.batch_requests as u64),
            ("batch_bytes", self.batch_bytes as u64),
            ("window", self.window),
            ("queue", self.queue as u64),
            ("chunk_entries", self.chunk_entries as u64),
            ("chunk_bytes", self.chunk_bytes as u64),
        ];
        if let Some((name, _)) = bounds.iter().find(|(_, bound)| *bound == 0) {
            return Err(ConfigError::Zero(name));
        }
        if self.log_window < self.window {
            return Err(ConfigError::LogWindow);
        }
        Ok(self)
    }

    /// A replica's priority.
    pub fn priority_of(&self, replica: ReplicaId) -> u8 {
        self.priority.get(&replica.number()).copied().unwrap_or(0)
    }
}

/// The settings, and who votes in the slot after the chosen prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Group {
    pub(crate) config: Config,
    pub(crate) voters: Voters,
}

impl Group {
    /// Every voter but this replica.
    pub(crate) fn peers(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.voters.iter().filter(|peer| *peer != self.config.id)
    }

    /// Whether this replica has a vote.
    pub(crate) fn votes(&self) -> bool {
        planted::may_lead(self.voters.contains(self.config.id))
    }

    /// How many voters, `gone` not counted, should try to lead before this replica.
    pub(crate) fn rank(&self, gone: Option<ReplicaId>) -> u32 {
        let order = |id: ReplicaId| (self.config.priority_of(id), id.number());
        let before = self.peers().filter(|peer| Some(*peer) != gone);
        before.filter(|peer| order(*peer) > order(self.config.id)).count() as u32
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Founders(count) => write!(f, "a group has 1 to 7 founders, not {count}"),
            Self::TooFast => write!(f, "heartbeat and resend must be at least 1 ms"),
            Self::ElectionTimeouts => write!(
                f,
                "election_min must be at least twice heartbeat, and election_max above election_min"
            ),
            Self::Zero(name) => write!(f, "{name} must be at least 1"),
            Self::LogWindow => write!(f, "log_window must be at least window"),
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(founders: u8) -> Config {
        Config::new(ReplicaId(1), 1..=founders)
    }

    #[test]
    fn bad_bounds_are_named() {
        assert_eq!(config(0).validate(), Err(ConfigError::Founders(0)));
        assert_eq!(config(8).validate(), Err(ConfigError::Founders(8)));
        let mut config = config(3);
        config.window = 0;
        assert_eq!(config.validate(), Err(ConfigError::Zero("window")));
    }

    #[test]
    fn the_higher_priority_ranks_first_and_the_gone_are_not_waited_for() {
        let mut config = config(3);
        config.priority.insert(3, 9);
        let voters = Voters::new([1, 2, 3].map(ReplicaId)).unwrap_or_default();
        let group = Group { config, voters };
        assert_eq!(group.rank(None), 2);
        assert_eq!(group.rank(Some(ReplicaId(3))), 1);
    }
}
