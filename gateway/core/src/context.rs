//! What every role may read and none may change.

use std::sync::Arc;

use paxos::Slot;
use wire::{Clock, GatewayId, Topics};

use crate::command::{Entry, Op};
use crate::event::Now;
use crate::house::House;
use crate::planted;
use crate::settings::Settings;
use crate::timekeeping::count::Elapsed;

/// The gateway's surroundings during one input. Only [`Gateway`](crate::Gateway) changes them.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) topics: Topics,
    pub(crate) now: Now,
    /// The time in which durations are counted.
    pub(crate) elapsed: Elapsed,
    /// The replicated state. It is ahead of this replica's tables while a write is under way.
    pub(crate) house: House,
    /// The slot up to which the house is applied.
    pub(crate) applied: Slot,
    /// Who leads, as far as Paxos knows here.
    pub(crate) leader: Option<GatewayId>,
    /// Whether this gateway leads.
    pub(crate) leads: bool,
}

impl Context {
    pub(crate) const fn me(&self) -> GatewayId {
        self.settings.id
    }

    /// Whether the house says that this gateway is here, in this life.
    pub(crate) fn has_joined(&self) -> bool {
        self.house
            .gateways()
            .get(&self.me())
            .is_some_and(|member| member.alive && member.incarnation == self.settings.incarnation)
    }

    /// The bytes of an entry that this gateway proposes now.
    pub(crate) fn entry(&self, clock: &mut Clock, op: Op) -> Arc<[u8]> {
        let time = planted::timekeeping::stamped_by_the_wall(self.elapsed.time, self.now.time);
        let entry = Entry { time, clock: clock.tick(), by: self.me(), op };
        Arc::from(entry.encode())
    }
}
