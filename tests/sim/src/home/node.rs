//! A process with a gateway in it, its clocks, and its disk.

use std::collections::{BTreeMap, VecDeque};

use gateway_core::event::Session;
use gateway_core::id::{Generation, Incarnation};
use gateway_core::{Gateway, Input, Now, Settings, Step};
use paxos::ReplicaId;
use wire::{GatewayId, UnixMillis};

use super::broker::Life;
use super::disk::Disk;
use super::driver::Fate;
use super::programs;
use super::world::Event;
use crate::clock::Clock;

pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) disk: Disk,
    /// An older state of the disk.
    pub(crate) backup: Option<Disk>,
    /// The number that its file gets at the next start, because it was put back.
    pub(crate) renounces: Option<u64>,
    /// None while it is dead.
    pub(crate) core: Option<Gateway>,
    /// What waits for the disk, and what is on its way there.
    pub(crate) waiting: Step,
    pub(crate) writing: Option<(Step, Fate)>,
    pub(crate) writes: u64,
    /// Until when its disk is full.
    pub(crate) full_until: u64,
    /// Sessions that it asked for and did not close: their numbers, and whether they are up.
    pub(crate) sessions: BTreeMap<Session, (Generation, bool)>,
    /// Cut off from everybody, and since which cut.
    pub(crate) cut: Option<u64>,
    /// Both ends have noticed that.
    pub(crate) noticed: bool,
    /// It stands still, and what has come in meanwhile waits.
    pub(crate) paused: bool,
    pub(crate) inbox: VecDeque<Event>,
    /// Next time at which it is to be woken.
    pub(crate) wake: u64,
    /// The clock that never jumps.
    pub(crate) clock: Clock,
    /// Milliseconds by which its wall clock is wrong.
    pub(crate) skew: i64,
    /// So many lives still run an older program.
    pub(crate) older_lives: u64,
}

/// What wall clocks show in the beginning.
const EPOCH: u64 = 1_700_000_000_000;

impl Node {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            disk: Disk::new(settings.log_keep, 0),
            backup: None,
            renounces: None,
            skew: i64::from(settings.id.0) * 40,
            settings,
            core: None,
            waiting: Step::default(),
            writing: None,
            writes: 0,
            full_until: 0,
            sessions: BTreeMap::new(),
            cut: None,
            noticed: false,
            paused: false,
            inbox: VecDeque::new(),
            wake: u64::MAX,
            clock: Clock::new(0),
            older_lives: 0,
        }
    }

    pub(crate) fn life(&self) -> Life {
        (self.settings.id, self.settings.incarnation)
    }

    pub(crate) fn is(&self, life: Life) -> bool {
        self.life() == life && self.core.is_some()
    }

    pub(crate) fn replica(&self) -> ReplicaId {
        ReplicaId::new(self.settings.id.0, self.disk.number)
    }

    /// Starts from the disk, as another life.
    pub(crate) fn start(&mut self, now: u64) {
        self.clock.start(now);
        self.disk.number = self.renounces.take().unwrap_or(self.disk.number);
        let (house, recovered) = self.disk.recover();
        // As the store numbers lives.
        let joined = house.gateways().get(&self.id()).map_or(0, |member| member.incarnation.0);
        let (last, number) = (self.disk.incarnation, self.disk.number);
        let unknown = if joined > last { 0x1000 | number & 0xf_ffff } else { 0 };
        let incarnation = self.wall(now).0.max(last.max(joined) + 1 + unknown);
        self.disk.incarnation = incarnation;
        self.settings.versions = programs::versions(&mut self.older_lives);
        (self.settings.incarnation, self.settings.disk) =
            (Incarnation(incarnation), self.disk.number);
        (self.settings.file, self.settings.witnesses) = self.disk.begin_life(now + 1);
        let core = Gateway::new(self.settings.clone(), house, recovered, self.shows(now));
        self.core = Some(core.expect("the settings make a group"));
    }

    /// Loses everything that is not on the disk.
    pub(crate) fn stop(&mut self) {
        self.core = None;
        (self.waiting, self.writing) = (Step::default(), None);
        self.sessions.clear();
        self.inbox.clear();
        (self.cut, self.noticed, self.paused) = (None, false, false);
        self.wake = u64::MAX;
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
    pub(crate) fn is_up(&self, session: &Session) -> bool {
        self.sessions.get(session).is_some_and(|(_, up)| *up)
    }

    pub(crate) const fn id(&self) -> GatewayId {
        self.settings.id
    }
}
