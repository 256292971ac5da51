//! The rooms that a message passes through, in one direction: from the intake to the retained messages, the fan-out and
//! the zones, from there to the outboxes, and so out.

use crate::fanout::Fanout;
use crate::keep::Keep;
use crate::out::Out;
use crate::outboxes::Outboxes;
use crate::retained::Retained;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::site::OWN;
use crate::zones::Zones;

/// All state of one broker.
#[derive(Debug)]
pub(crate) struct Rooms {
    pub(crate) settings: Settings,
    pub(crate) sessions: Sessions,
    pub(crate) fanout: Fanout,
    pub(crate) zones: Zones,
    pub(crate) retained: Retained,
    pub(crate) out: Out,
    /// Position of the last message or change of a subscription.
    order: u64,
    /// Number of the last publish whose sender waits for an acknowledgement.
    holds: u64,
    /// The broker ends.
    pub(crate) stopping: bool,
}

impl Rooms {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            sessions: Sessions::default(),
            fanout: Fanout::new(&settings),
            zones: Zones::new(&settings),
            retained: Retained::default(),
            out: Out::default(),
            order: 0,
            holds: 0,
            stopping: false,
            settings,
        }
    }

    /// The last position.
    pub(crate) fn order(&self) -> u64 {
        self.order
    }

    /// A position behind all others.
    pub(crate) fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    /// A number for a publish whose sender waits for an acknowledgement.
    pub(crate) fn next_hold(&mut self) -> u64 {
        self.holds += 1;
        self.holds
    }

    /// What is new is newer than this.
    pub(crate) fn begin_after(&mut self, order: u64) {
        self.order = order;
    }

    /// The fan-out, and the outboxes that it leads to.
    pub(crate) fn fanout(&mut self) -> (&mut Fanout, Outboxes<'_>) {
        let elsewhere = self.retained.bytes() + self.zones.held_bytes();
        let Self { settings, sessions, out, fanout, .. } = self;
        (fanout, Outboxes::new(sessions, out, &settings.limits, elsewhere))
    }

    /// The outboxes.
    pub(crate) fn outboxes(&mut self) -> Outboxes<'_> {
        self.fanout().1
    }

    /// Whether a message of this topic is worth keeping for the broker's next life. A gateway says ten times a second
    /// that it lives, and what an earlier life of the broker heard of that means nothing.
    pub(crate) fn outlives(&self, topic: &str) -> bool {
        let own = topic.strip_prefix(OWN).is_some_and(|rest| rest.starts_with('/'));
        self.settings.store && !own && !self.zones.site().is_heartbeat(topic)
    }

    /// A gateway has come; from now on this is known for good.
    pub(crate) fn keep_gateways(&mut self) {
        if self.settings.store {
            self.out.keep(Keep::Gateways);
        }
    }
}
