//! A gateway's process: the core, its clocks, its disk, and its links to the broker.

use std::collections::BTreeMap;

use gateway_core::event::Session;
use gateway_core::id::Incarnation;
use gateway_core::{Gateway, Input, Now, Settings, Step};
use paxos::ReplicaId;
use wire::{GatewayId, UnixMillis};

use super::driver::Fate;
use super::links::{Link, Open};
use crate::clock::Clock;
use crate::home::disk::Disk;

/// A gateway in one of its lives, by its incarnation and how many lives it has had.
pub(crate) type Life = (GatewayId, u64);

pub(crate) struct Process {
    pub(crate) settings: Settings,
    pub(crate) disk: Disk,
    /// The disk without what was never synced: what a power cut leaves.
    pub(crate) synced: Option<Box<Disk>>,
    /// An older state of the disk.
    pub(crate) backup: Option<Disk>,
    /// The number that its file gets at the next start, because it was put back.
    pub(crate) renounces: Option<u64>,
    /// None while it is dead.
    pub(crate) core: Option<Gateway>,
    /// Lives so far.
    pub(crate) lives: u64,
    /// What waits for the disk, and what is on its way there.
    pub(crate) waiting: Step,
    pub(crate) writing: Option<(Step, Fate)>,
    pub(crate) writes: u64,
    /// Until when its disk is full, and until when it is slow.
    pub(crate) full_until: u64,
    pub(crate) slow_until: u64,
    /// Its links, by number, and what each session that it opened has.
    pub(crate) links: BTreeMap<u64, Link>,
    pub(crate) open: BTreeMap<Session, Open>,
    pub(crate) next_link: u64,
    pub(crate) next_token: u64,
    /// The connection for the agreement and its own one.
    pub(crate) paxos: u64,
    pub(crate) own: u64,
    pub(crate) paxos_up: bool,
    pub(crate) own_up: bool,
    /// It stands still.
    pub(crate) paused: bool,
    /// Whether it is to look at what its links have for it.
    pub(crate) draining: bool,
    /// Next time at which it is to be woken.
    pub(crate) wake: u64,
    /// The clock that never jumps.
    pub(crate) clock: Clock,
    /// Milliseconds by which its wall clock is wrong.
    pub(crate) skew: i64,
    /// Whether it may be wrong by more than the blink of an eye.
    pub(crate) may_be_wrong: bool,
}

/// What wall clocks show in the beginning.
pub(crate) const EPOCH: u64 = 1_700_000_000_000;

impl Process {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            disk: Disk::new(settings.log_keep, 0),
            synced: None,
            backup: None,
            renounces: None,
            core: None,
            lives: 0,
            waiting: Step::default(),
            writing: None,
            writes: 0,
            full_until: 0,
            slow_until: 0,
            links: BTreeMap::new(),
            open: BTreeMap::new(),
            next_link: 0,
            next_token: 0,
            paxos: 0,
            own: 0,
            paxos_up: false,
            own_up: false,
            paused: false,
            draining: false,
            wake: u64::MAX,
            clock: Clock::new(0),
            skew: 0,
            may_be_wrong: false,
            settings,
        }
    }

    pub(crate) fn life(&self) -> Life {
        (self.settings.id, self.lives)
    }

    pub(crate) fn is(&self, life: Life) -> bool {
        self.life() == life && self.core.is_some()
    }

    pub(crate) const fn id(&self) -> GatewayId {
        self.settings.id
    }

    pub(crate) fn replica(&self) -> ReplicaId {
        ReplicaId::new(self.settings.id.0, self.disk.number)
    }

    /// Starts from the disk, as another life. The start writes, and so whatever the file holds is synced.
    pub(crate) fn start(&mut self, now: u64) {
        self.clock.start(now);
        self.lives += 1;
        self.disk.number = self.renounces.take().unwrap_or(self.disk.number);
        self.synced = None;
        let (house, recovered) = self.disk.recover();
        // As the store numbers lives.
        let joined = house.gateways().get(&self.id()).map_or(0, |member| member.incarnation.0);
        let (last, number) = (self.disk.incarnation, self.disk.number);
        let unknown = if joined > last { 0x1000 | number & 0xf_ffff } else { 0 };
        let incarnation = self.wall(now).0.max(last.max(joined) + 1 + unknown);
        self.disk.incarnation = incarnation;
        (self.settings.incarnation, self.settings.disk) =
            (Incarnation(incarnation), self.disk.number);
        (self.settings.file, self.settings.witnesses) = self.disk.begin_life(now + 1);
        let core = Gateway::new(self.settings.clone(), house, recovered, self.shows(now));
        self.core = Some(core.expect("the settings make a group"));
    }

    /// Loses everything that is not on the disk; gives the links, whose connections end.
    pub(crate) fn stop(&mut self) -> BTreeMap<u64, Link> {
        self.core = None;
        (self.waiting, self.writing) = (Step::default(), None);
        self.open.clear();
        (self.paused, self.draining) = (false, false);
        (self.paxos_up, self.own_up) = (false, false);
        self.wake = u64::MAX;
        std::mem::take(&mut self.links)
    }

    pub(crate) fn step(&mut self, now: u64, input: Input) -> Option<Step> {
        let clock = self.shows(now);
        self.core.as_mut().map(|core| core.step(clock, input))
    }

    /// When it wants to be woken, on the world's clock.
    pub(crate) fn deadline(&self) -> Option<u64> {
        Some(self.clock.true_time(self.core.as_ref()?.deadline()))
    }

    /// What its clocks show.
    pub(crate) fn shows(&self, now: u64) -> Now {
        Now { moment: self.clock.shows(now), time: self.wall(now) }
    }

    fn wall(&self, now: u64) -> UnixMillis {
        UnixMillis((EPOCH + now / 1000).saturating_add_signed(self.skew))
    }

    /// Whether it holds a session that is subscribed.
    pub(crate) fn serves(&self, session: &Session) -> bool {
        self.open.get(session).is_some_and(|open| open.up)
    }
}
