//! What a seed draws before it starts: sizes, rates, delays, and which faults there are. Each seed is another world.

use std::time::Duration;

use paxos::{Config, ReplicaId, Voters};

use super::faults::Fault;
use crate::dice::Dice;

#[derive(Debug)]
pub(crate) struct Plan {
    /// Replicas that found the group, numbered from 1.
    pub(crate) founders: u8,
    /// Replicas that may join it, numbered after them.
    pub(crate) spares: u8,
    /// Microseconds before the trouble, and of it.
    pub(crate) quiet: u64,
    pub(crate) trouble: u64,
    pub(crate) network: Network,
    pub(crate) disk: Storage,
    /// Mean microseconds between faults.
    pub(crate) fault_every: u64,
    /// The faults that happen in this world.
    pub(crate) faults: Vec<Fault>,
    /// Mean microseconds between client actions.
    pub(crate) client_every: u64,
    /// Mean microseconds between wishes for other voters, if there are any.
    pub(crate) change_every: Option<u64>,
    /// Percent of promises and acceptances that are their sender's last act.
    pub(crate) last_act: u64,
    /// Parts per million by which clocks may run fast or slow.
    pub(crate) drift: i64,
    pub(crate) config: Config,
}

#[derive(Debug)]
pub(crate) struct Network {
    /// Percent of messages.
    pub(crate) drop: u64,
    pub(crate) duplicate: u64,
    /// Percent of messages that take up to five seconds.
    pub(crate) straggle: u64,
    /// Microseconds that the others take.
    pub(crate) delay: (u64, u64),
}

#[derive(Debug)]
pub(crate) struct Storage {
    /// Microseconds for a write.
    pub(crate) write: (u64, u64),
    /// Percent of writes that take up to five seconds.
    pub(crate) slow: u64,
    /// Percent of writes during which the process dies, and of those that fail.
    pub(crate) deadly: u64,
    pub(crate) failing: u64,
    /// How much of what is not synced survives a crash: nothing, any part, or all of it.
    pub(crate) survives: Survives,
    /// What waits for the disk becomes one transaction; else each step is one, and one sync ends them all.
    pub(crate) grouped: bool,
    /// How many applied slots the log keeps, if it is trimmed at all.
    pub(crate) keep: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survives {
    Nothing,
    Some,
    All,
}

impl Plan {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let founders = founders(dice);
        let changes = dice.chance(40);
        let room = Voters::MOST as u8 - founders;
        let spares = if changes { dice.pick(&[0, 1, 2, 2, 3]).min(room) } else { 0 };
        // A few worlds last long enough for the longest pauses and the slowest disks.
        let stretch = if dice.chance(3) { 10 } else { 1 };
        Self {
            founders,
            spares,
            quiet: dice.pick(&[0, 500_000, 900_000]),
            trouble: dice.between(300, 2500) * 1000 * stretch,
            network: Network::draw(dice),
            disk: Storage::draw(dice),
            fault_every: dice.pick(&[30_000, 80_000, 200_000, 600_000, 5_000_000]) * stretch,
            faults: Fault::ALL.into_iter().filter(|_| dice.chance(60)).collect(),
            client_every: dice.between(1, 25) * 1000 * stretch * stretch.min(4),
            change_every: changes.then(|| dice.pick(&[50_000, 150_000, 400_000]) * stretch),
            last_act: dice.pick(&[0, 0, 1, 5]),
            drift: dice.pick(&[0, 1_000, 50_000, 200_000]),
            config: config(founders, spares, dice),
        }
    }

    pub(crate) fn config_of(&self, id: ReplicaId, dice: &mut Dice) -> Config {
        let mut config = self.config.clone();
        config.id = id;
        config.seed = dice.next();
        config
    }
}

/// Mostly the sizes that people choose.
fn founders(dice: &mut Dice) -> u8 {
    match dice.below(100) {
        0 => 1,
        1..4 => 2,
        4..46 => 3,
        46..62 => 4,
        62..85 => 5,
        85..99 => 6,
        _ => 7,
    }
}

/// Small bounds, so that a short run reaches them.
fn config(founders: u8, spares: u8, dice: &mut Dice) -> Config {
    let mut config = Config::new(ReplicaId(1), 1..=founders);
    for number in 1..=founders + spares {
        config.priority.insert(number, dice.between(0, 2) as u8);
    }
    config.resend = Duration::from_millis(dice.between(20, 120));
    config.batch_requests = dice.between(1, 4) as usize;
    config.window = dice.between(1, 6);
    config.queue = dice.between(4, 40) as usize;
    config.log_window = config.window + dice.between(0, 20);
    config.chunk_entries = dice.between(3, 9) as usize;
    config
}

impl Network {
    fn draw(dice: &mut Dice) -> Self {
        let slowest = dice.between(1, 30) * 1000;
        Self {
            drop: dice.pick(&[0, 0, 5, 15, 30]),
            duplicate: dice.pick(&[0, 5, 20, 50]),
            straggle: dice.pick(&[0, 0, 2, 10]),
            delay: (dice.between(20, 1000), slowest),
        }
    }
}

impl Storage {
    fn draw(dice: &mut Dice) -> Self {
        let survives = [Survives::Nothing, Survives::Some, Survives::Some, Survives::All];
        Self {
            write: (10, dice.pick(&[100, 1000, 20_000])),
            slow: dice.pick(&[0, 0, 0, 1, 3]),
            deadly: dice.pick(&[0, 0, 1, 4]),
            failing: dice.pick(&[0, 0, 0, 1]),
            survives: dice.pick(&survives),
            grouped: dice.chance(70),
            keep: dice.chance(50).then(|| dice.between(16, 48)),
        }
    }
}
