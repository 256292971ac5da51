//! What a seed draws before it starts: sizes, rates, delays. Each seed is another world.

use std::time::Duration;

use paxos::{Config, ReplicaId};

use crate::rng::Rng;

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) replicas: u8,
    /// Microseconds of trouble.
    pub(crate) chaos: u64,
    /// Percent of messages.
    pub(crate) drop: u64,
    pub(crate) duplicate: u64,
    /// Percent of messages that take up to a second.
    pub(crate) straggle: u64,
    /// Microseconds.
    pub(crate) delay: (u64, u64),
    pub(crate) write: (u64, u64),
    /// Mean microseconds between faults and between client actions.
    pub(crate) fault_every: u64,
    pub(crate) client_every: u64,
    /// Percent of promises and acceptances that are their sender's last act.
    pub(crate) last_act: u64,
    /// Percent of pending writes that a crash lets through.
    pub(crate) torn: u64,
    /// Parts per million by which clocks run fast or slow.
    pub(crate) drift: i64,
    /// How many applied slots the disk keeps, if it trims at all.
    pub(crate) keep: Option<u64>,
    pub(crate) config: Config,
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let replicas = [1, 2, 3, 3, 3, 4, 5, 5, 6][rng.below(9)];
        let mut config = Config::new(ReplicaId(1), (1..=replicas).map(ReplicaId));
        for voter in 1..=replicas {
            config.priority.insert(ReplicaId(voter), rng.between(0, 2) as u8);
        }
        config.resend = Duration::from_millis(rng.between(20, 120));
        config.batch_requests = rng.between(1, 4) as usize;
        config.window = rng.between(1, 6);
        config.queue = rng.between(4, 40) as usize;
        config.log_window = config.window + rng.between(0, 20);
        config.chunk_entries = rng.between(3, 9) as usize;
        let slowest = rng.between(1, 30) * 1000;
        Self {
            replicas,
            chaos: rng.between(500, 2500) * 1000,
            drop: [0, 0, 5, 15, 30][rng.below(5)],
            duplicate: [0, 5, 30][rng.below(3)],
            straggle: [0, 0, 2, 10][rng.below(4)],
            delay: (rng.between(20, 1000), slowest),
            write: (10, [100, 1000, 20_000][rng.below(3)]),
            fault_every: [30_000, 100_000, 300_000, 5_000_000][rng.below(4)],
            client_every: rng.between(2, 40) * 1000,
            last_act: [0, 0, 1, 5][rng.below(4)],
            torn: [0, 50, 100][rng.below(3)],
            drift: [0, 1_000, 100_000][rng.below(3)],
            keep: rng.chance(30).then(|| rng.between(0, 30)),
            config,
        }
    }

    pub(crate) fn config_of(&self, id: ReplicaId, rng: &mut Rng) -> Config {
        let mut config = self.config.clone();
        config.id = id;
        config.seed = rng.next();
        config
    }
}
