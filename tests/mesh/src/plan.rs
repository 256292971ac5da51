//! What a seed draws.

use hearth_random::Random;

/// Zones of the home.
pub(crate) const ZONES: [&str; 2] = ["hall", "yard"];

/// Topics of ordinary messages.
pub(crate) const TOPICS: [&str; 5] = ["a/x", "a/y", "b/x", "b/z", "c"];

/// Filters of ordinary subscriptions.
pub(crate) const FILTERS: [&str; 6] = ["a/x", "a/+", "b/#", "+/x", "#", "c"];

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    /// People, who subscribe and publish.
    pub(crate) people: usize,
    /// Devices, which report.
    pub(crate) devices: usize,
    /// Milliseconds until the faults stop.
    pub(crate) length: u64,
    /// Longest time of a frame on its way, in milliseconds.
    pub(crate) lag: u64,
    /// Longest pause of a client between two acts, in milliseconds.
    pub(crate) rest: u64,
    /// Whether clients move to other nodes though nothing is wrong.
    pub(crate) wander: bool,
    /// In percent: retained publishes, removals among those, QoS 0.
    pub(crate) retained: u64,
    pub(crate) removed: u64,
    pub(crate) loose: u64,
    /// Share of shared subscriptions, in percent.
    pub(crate) shared: u64,
    pub(crate) faults: Faults,
    /// A node is off for a while in the end, and everything retained is removed meanwhile.
    pub(crate) away: bool,
}

/// What may go wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults {
    /// Milliseconds between two of them, on average; 0 for none.
    pub(crate) every: u64,
    pub(crate) cuts: bool,
    pub(crate) kills: bool,
    pub(crate) wipes: bool,
    pub(crate) pauses: bool,
    /// Owners are moved though they are well.
    pub(crate) moves: bool,
    /// A node dies only when all others have all that it had.
    pub(crate) one_at_a_time: bool,
}

impl Plan {
    pub(crate) fn new(dice: &mut Random) -> Self {
        let nodes = [1, 2, 2, 3, 3, 3, 3, 4, 5][dice.below(9)];
        let calm = dice.once_in(8);
        let faults = Faults {
            every: if calm { 0 } else { dice.between(150, 1_500) },
            cuts: dice.chance(70),
            kills: dice.chance(40),
            wipes: dice.chance(25),
            pauses: dice.chance(40),
            moves: dice.chance(60),
            one_at_a_time: dice.chance(85),
        };
        Self {
            nodes,
            people: dice.between(2, 6) as usize,
            devices: dice.between(1, 4) as usize,
            length: dice.between(1_500, 6_000),
            lag: dice.pick(&[1, 3, 3, 10, 30]),
            rest: dice.pick(&[5, 30, 100, 300]),
            wander: dice.chance(60),
            retained: dice.pick(&[0, 20, 50]),
            removed: dice.pick(&[0, 20, 50]),
            loose: dice.pick(&[0, 20]),
            shared: dice.pick(&[0, 0, 30]),
            faults,
            away: nodes > 2 && dice.once_in(12),
        }
    }
}
