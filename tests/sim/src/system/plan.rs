//! What a seed draws before it starts: how large the home is, how slow its parts are, how small its bounds, and what
//! goes wrong in it.

use broker_core::Limits;
use gateway_core::UNPROMISED;
use gateway_core::house::Memory;
use gateway_core::outbox::Bounds as Line;

use super::class::{Class, Classes};
use super::faults::Fault;
use super::world::MS;
use crate::dice::Dice;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) classes: Classes,
    pub(crate) serving: u8,
    pub(crate) standbys: u8,
    /// Microseconds of trouble.
    pub(crate) trouble: u64,
    pub(crate) net: Net,
    pub(crate) storage: Storage,
    pub(crate) bounds: Bounds,
    pub(crate) clocks: Clocks,
    /// Mean microseconds between faults, and which there are.
    pub(crate) fault_every: u64,
    pub(crate) faults: Vec<Fault>,
    /// Mean microseconds between what people and devices do.
    pub(crate) talk_every: u64,
    pub(crate) flood: Option<Flood>,
    /// Percent of promises, acceptances and acknowledgements that are their sender's last act.
    pub(crate) last_act: u64,
    /// Whether clocks run at different speeds, up to what `Timing::drift_percent` allows.
    pub(crate) drift: bool,
    /// Devices that a gateway caches.
    pub(crate) cache: usize,
    /// Milliseconds after which a door closes itself.
    pub(crate) door_closes_after: Option<u64>,
    /// Clients that begin anew use the same packet ids again.
    pub(crate) reuses_ids: bool,
    /// People repeat orders that were answered.
    pub(crate) late_retries: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Net {
    /// Longest usual delay on a connection, in microseconds.
    pub(crate) delay: u64,
    /// Percent of what is sent that is held up, and with it all that follows.
    pub(crate) stall: u64,
    /// Percent of CONNECTs that are late.
    pub(crate) late_connects: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Storage {
    /// Longest usual time of a write, in microseconds.
    pub(crate) write: u64,
    /// Percent of writes that take up to three seconds, during which the process dies, and that fail.
    pub(crate) slow: u64,
    pub(crate) deadly: u64,
    pub(crate) failing: u64,
    /// Percent of the writes under way that a crash of a process may keep at most.
    pub(crate) survives: u64,
    /// Applied slots that the log keeps.
    pub(crate) keep: u64,
}

/// How much may wait.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Packets that are on their way to a client before the broker writes no more.
    pub(crate) pipe: usize,
    /// What has come on a link and is not looked at, before it reads no more.
    pub(crate) arrivals: usize,
    /// What waits for a link, and what of it may be unacknowledged.
    pub(crate) link_queue: usize,
    pub(crate) link_in_flight: u16,
    /// What waits in front of it.
    pub(crate) line: Line,
    /// Unacknowledged deliveries of a zone.
    pub(crate) receive_maximum: u16,
    /// What gateways remember of requests, and proposals of a zone that nobody waits for.
    pub(crate) memory: Memory,
    pub(crate) unpromised: usize,
    /// Of the broker.
    pub(crate) limits: Limits,
}

/// Wall clocks; monotonic ones are right.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clocks {
    /// Within the blink of an eye.
    Right,
    /// By up to so many milliseconds; of all gateways, or of fewer than half.
    Wrong { most: u64, few: bool },
}

/// A sensor that reports very much.
#[derive(Clone, Debug)]
pub(crate) struct Flood {
    pub(crate) at: u64,
    pub(crate) count: u64,
    /// In one go.
    pub(crate) at_once: u64,
    /// For so long from its beginning on, gateways do not hear each other, so that nothing is agreed.
    pub(crate) hush: u64,
}

const SECOND: u64 = 1000;
const DAY: u64 = 24 * 3600 * SECOND;

impl Clocks {
    /// Whether a majority is right.
    pub(crate) const fn mostly_right(self) -> bool {
        matches!(self, Self::Right | Self::Wrong { few: true, .. })
    }

    /// How many of so many gateways have a wrong clock.
    pub(crate) const fn wrong_ones(self, gateways: usize) -> usize {
        match self {
            Self::Right => 0,
            Self::Wrong { few: true, .. } => (gateways - 1) / 2,
            Self::Wrong { few: false, .. } => gateways,
        }
    }

    /// By how many milliseconds a clock is wrong.
    pub(crate) fn wrong(self, dice: &mut Dice) -> i64 {
        match self {
            Self::Right => dice.between(0, 40) as i64,
            Self::Wrong { most, .. } => {
                let skew = dice.tail(100, most) as i64;
                if dice.chance(50) { skew } else { -skew }
            }
        }
    }
}

impl Plan {
    pub(crate) fn draw(dice: &mut Dice, classes: Classes) -> Self {
        let (serving, standbys) = dice.pick(&[(3, 0), (3, 0), (1, 0), (2, 1), (3, 1), (3, 2)]);
        let mut faults: Vec<_> = Fault::ALL.into_iter().filter(|_| dice.chance(45)).collect();
        faults.retain(|fault| fault.class().is_none_or(|class| classes.has(class)));
        let wrong = dice.pick(&[5 * SECOND, 100 * SECOND, 3600 * SECOND, 3 * DAY]);
        let few = dice.chance(60);
        let clocks =
            if dice.chance(80) { Clocks::Wrong { most: wrong, few } } else { Clocks::Right };
        let loud = classes.has(Class::Flood) || classes.has(Class::Ids);
        let floods = dice.chance(if loud { 60 } else { 30 });
        let flood = floods.then(|| Flood::draw(dice, loud));
        let trouble = dice.between(800, 3000) * MS;
        Self {
            classes,
            serving,
            standbys,
            trouble: trouble.max(flood.as_ref().map_or(0, |flood| flood.at + 1200 * MS)),
            net: Net::draw(dice),
            storage: Storage::draw(dice),
            bounds: Bounds::draw(dice, classes),
            clocks: if classes.has(Class::Clocks) { clocks } else { Clocks::Right },
            fault_every: dice.pick(&[80, 200, 500]) * MS,
            faults,
            talk_every: dice.between(4, 40) * MS,
            flood,
            last_act: dice.pick(&[0, 0, 0, 1]),
            drift: dice.chance(50),
            cache: dice.pick(&[0, 1, 2, 8]),
            door_closes_after: dice.pick(&[None, Some(0), Some(300), Some(1500)]),
            reuses_ids: classes.has(Class::Reuse) && dice.chance(50),
            late_retries: classes.has(Class::Ids) && dice.chance(50),
        }
    }
}

impl Net {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            delay: dice.pick(&[500, 1000, 4000, 12_000]),
            stall: dice.pick(&[0, 0, 0, 1, 2]),
            late_connects: dice.pick(&[0, 0, 10, 40]),
        }
    }
}

impl Storage {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            write: dice.pick(&[200, 4000, 20_000, 60_000]),
            slow: dice.pick(&[0, 0, 0, 1]),
            deadly: dice.pick(&[0, 0, 0, 1]),
            failing: dice.pick(&[0, 0, 0, 1]),
            survives: dice.pick(&[0, 50, 100, 100]),
            keep: dice.pick(&[8, 24, 65_536, 65_536]),
        }
    }
}

impl Bounds {
    fn draw(dice: &mut Dice, classes: Classes) -> Self {
        let small = classes.has(Class::Flood);
        let link_queue = dice.pick(&[1, 1, 2, 1024]);
        let link_in_flight = dice.pick(&[1, 1, 2, 1000]);
        let limits = Limits {
            // A full zone takes no QoS 0 either, and a flood is to come further than that.
            zone_messages: dice.pick(if small { &[4, 8, 16, 4096] } else { &[2, 8, 64, 4096] }),
            zone_qos0: dice.pick(&[1, 8, 64]),
            receive_maximum: dice.pick(&[2, 20, 1000]),
            ..Limits::default()
        };
        let receive_maximum = dice.pick(&[1, 4, 64, 64]);
        // As many as are delivered at once come again by their stamps.
        let stamps = usize::from(receive_maximum) + 1;
        Self {
            pipe: dice.pick(&[4, 64, 1024]),
            arrivals: dice.pick(&[4, 64, 256]),
            link_queue: if small { link_queue } else { 1024 },
            link_in_flight: if small { link_in_flight } else { 1000 },
            line: if small { Line { crowded: 2, ..Line::USUAL } } else { Line::USUAL },
            receive_maximum,
            memory: Memory { stamps, ..Memory::USUAL },
            unpromised: if small { dice.pick(&[1, 1, 1, 32]) } else { UNPROMISED },
            limits,
        }
    }
}

impl Flood {
    fn draw(dice: &mut Dice, loud: bool) -> Self {
        let (least, most) = if loud { (1200, 2500) } else { (50, 200) };
        Self {
            at: dice.between(700, 1500) * MS,
            count: dice.between(least, most),
            at_once: dice.pick(&[5, 20, 50]),
            hush: if dice.chance(60) { dice.between(100, 1300) * MS } else { 0 },
        }
    }
}
