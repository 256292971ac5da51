//! A process with a gateway in it, and its disk.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gateway_core::event::Session;
use gateway_core::{Gateway, Input, Now, Settings, Step};
use paxos::{Moment, ReplicaId};
use wire::{GatewayId, UnixMillis};

use crate::store::Store;

pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    /// None while it is dead.
    pub(crate) core: Option<Gateway>,
    /// Steps on their way to the disk, in order.
    pub(crate) unwritten: VecDeque<Step>,
    /// When the last of them will be there.
    pub(crate) busy_until: u64,
    /// Sessions that it asked for and did not close: their numbers, and whether they are up.
    pub(crate) sessions: BTreeMap<Session, (u64, bool)>,
    /// Cut off from everybody, and since which cut.
    pub(crate) cut: Option<u64>,
    /// Next time at which it is to be woken.
    pub(crate) wake: u64,
    born: u64,
}

impl Node {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            store: Store::new(settings.log_keep),
            settings,
            core: None,
            unwritten: VecDeque::new(),
            busy_until: 0,
            sessions: BTreeMap::new(),
            cut: None,
            wake: u64::MAX,
            born: 0,
        }
    }

    pub(crate) fn life(&self) -> (GatewayId, u64) {
        (self.settings.id, self.settings.incarnation)
    }

    pub(crate) fn replica(&self) -> ReplicaId {
        ReplicaId::new(self.settings.id.0, self.settings.disk)
    }

    /// Starts from the disk, as another life.
    pub(crate) fn start(&mut self, now: u64) {
        self.settings.incarnation += 1;
        self.born = now;
        let (house, recovered) = self.store.recover();
        let core = Gateway::new(self.settings.clone(), house, recovered, self.clock(now));
        self.core = Some(core.expect("the settings make a group"));
    }

    /// Loses everything that is not on the disk.
    pub(crate) fn stop(&mut self) {
        self.core = None;
        self.unwritten.clear();
        self.sessions.clear();
        (self.cut, self.wake, self.busy_until) = (None, u64::MAX, 0);
    }

    pub(crate) fn step(&mut self, now: u64, input: Input) -> Option<Step> {
        let clock = self.clock(now);
        self.core.as_mut().map(|core| core.step(clock, input))
    }

    /// When it wants to be woken, on the world's clock.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.core.as_ref().map(|core| core.deadline().0.saturating_add(self.born))
    }

    /// Clocks that never jump start at zero in every process; the others disagree a little.
    fn clock(&self, now: u64) -> Now {
        let skew = u64::from(self.settings.id.0) * 40;
        let time = UnixMillis(1_700_000_000_000 + now / 1000 + skew);
        let since = Moment(now).since(Moment(self.born));
        Now { moment: Moment::default() + since + Duration::from_micros(1), time }
    }
}
