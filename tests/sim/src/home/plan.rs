//! What a seed draws before it starts: how large the home is, how slow and how lossy its parts are, and what goes
//! wrong in it. Each seed is another world.

use super::faults::Fault;
use crate::dice::Dice;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) serving: u8,
    pub(crate) standbys: u8,
    /// Microseconds of trouble.
    pub(crate) trouble: u64,
    pub(crate) network: Network,
    pub(crate) storage: Storage,
    /// Mean microseconds between faults, and which there are.
    pub(crate) fault_every: u64,
    pub(crate) faults: Vec<Fault>,
    /// Mean microseconds between what people and devices do.
    pub(crate) talk_every: u64,
    /// Percent of promises, acceptances and acknowledgements that are their sender's last act.
    pub(crate) last_act: u64,
    /// The same of proposals that take a zone from somebody.
    pub(crate) last_move: u64,
    /// Percent of moves of a zone whose old owner hears no more of the agreement for a while.
    pub(crate) deaf_losers: u64,
    /// Whether clocks run at different speeds, up to what `Timing::drift_percent` allows.
    pub(crate) drift: bool,
    /// Devices that a gateway caches.
    pub(crate) cache: usize,
    /// Milliseconds after which a door closes itself.
    pub(crate) door_closes_after: Option<u64>,
    /// The broker is not Hearth's own: no stamps, no unknown zones, and whoever was taken over stays for a while.
    pub(crate) foreign: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Longest usual delay of a message, in microseconds.
    pub(crate) delay: u64,
    /// Percent of the messages between gateways.
    pub(crate) loss: u64,
    pub(crate) duplicate: u64,
    /// Percent of the messages between gateways that take up to five seconds.
    pub(crate) straggle: u64,
    /// Percent of what goes over a session that is held up, and with it all that follows on it.
    pub(crate) stall: u64,
    /// What is often up to a second late, because being late is how it could do harm.
    pub(crate) late: Option<Late>,
}

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// That a lease is granted.
    Grant,
    /// Whether a zone is still its owner's.
    EpochAnswer,
    /// What is to be agreed, on its way to the leader.
    Proposal,
    /// The leader's request to accept something.
    Accept,
    /// The packet that opens the session for queries of a zone.
    Query,
}

#[derive(Clone, Debug)]
pub(crate) struct Storage {
    /// Longest usual time of a write, in microseconds.
    pub(crate) write: u64,
    /// Percent of writes that take up to five seconds, during which the process dies, and that fail.
    pub(crate) slow: u64,
    pub(crate) deadly: u64,
    pub(crate) failing: u64,
    /// Percent of the storage calls not yet synced that a crash may keep at most.
    pub(crate) survives: u64,
    /// Applied slots that the log keeps.
    pub(crate) keep: u64,
}

impl Plan {
    /// A world in which nothing goes wrong by itself.
    #[cfg(test)]
    pub(crate) const fn calm(serving: u8, standbys: u8) -> Self {
        Self {
            serving,
            standbys,
            trouble: 0,
            network: Network {
                delay: 2000,
                loss: 0,
                duplicate: 0,
                straggle: 0,
                stall: 0,
                late: None,
            },
            storage: Storage {
                write: 4000,
                slow: 0,
                deadly: 0,
                failing: 0,
                survives: 0,
                keep: 65_536,
            },
            fault_every: u64::MAX >> 1,
            faults: Vec::new(),
            talk_every: u64::MAX >> 1,
            last_act: 0,
            last_move: 0,
            deaf_losers: 0,
            drift: false,
            cache: 2,
            door_closes_after: None,
            foreign: false,
        }
    }

    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let (serving, standbys) = size(dice);
        let mut faults: Vec<_> = Fault::ALL.into_iter().filter(|_| dice.chance(50)).collect();
        // An operator who takes a vote away while another's disk is lost may leave a group without a majority.
        if faults.contains(&Fault::Members) {
            faults.retain(|fault| !matches!(fault, Fault::LostDisk | Fault::OldDisk));
        }
        let foreign = dice.chance(25);
        // Where nobody is thrown out at once, that is how an old owner goes on answering.
        if foreign && !faults.contains(&Fault::Mute) && dice.chance(70) {
            faults.push(Fault::Mute);
        }
        Self {
            serving,
            standbys,
            // Leases are to run out in it.
            trouble: dice.between(500, if foreign { 5000 } else { 2500 }) * 1000,
            network: Network::draw(dice),
            storage: Storage::draw(dice),
            fault_every: dice.pick(&[60_000, 150_000, 400_000, 800_000]),
            faults,
            talk_every: dice.between(4, 40) * 1000,
            last_act: dice.pick(&[0, 0, 0, 1, 3]),
            last_move: dice.pick(&[0, 0, 10, 40]),
            deaf_losers: dice.pick(&[0, 0, 30, 90]),
            drift: dice.chance(50),
            cache: dice.pick(&[0, 1, 2, 8]),
            door_closes_after: dice.pick(&[None, Some(0), Some(100)]),
            foreign,
        }
    }
}

/// Mostly the sizes that people choose.
fn size(dice: &mut Dice) -> (u8, u8) {
    match dice.below(100) {
        0..45 => (3, 0),
        45..60 => (2, 1),
        60..75 => (3, 1),
        75..90 => (3, 2),
        _ => (4, 2),
    }
}

impl Late {
    const ALL: [Self; 5] =
        [Self::Grant, Self::EpochAnswer, Self::Proposal, Self::Accept, Self::Query];
}

impl Network {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            delay: dice.pick(&[1000, 3000, 10_000, 20_000]),
            loss: dice.pick(&[0, 0, 3, 10, 25]),
            duplicate: dice.pick(&[0, 5, 20]),
            straggle: dice.pick(&[0, 0, 2, 5]),
            stall: dice.pick(&[0, 0, 0, 1, 3]),
            late: dice.chance(50).then(|| dice.pick(&Late::ALL)),
        }
    }
}

impl Storage {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            write: dice.pick(&[200, 4000, 20_000, 100_000]),
            slow: dice.pick(&[0, 0, 0, 1]),
            deadly: dice.pick(&[0, 0, 0, 1]),
            failing: dice.pick(&[0, 0, 0, 1]),
            survives: dice.pick(&[0, 50, 100, 100]),
            keep: dice.pick(&[8, 24, 65_536, 65_536]),
        }
    }
}
