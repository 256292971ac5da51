//! Installing: a snapshot takes the place of everything.

use paxos::{Slot, Voters};
use wire::{Clock, Zone};

use super::SnapshotId;
use super::fetching::Fetching;
use crate::after_commit::unsettled::Unsettled;
use crate::consensus::digests::Digests;
use crate::context::Context;
use crate::house::House;
use crate::ownership::cache::Cache;
use crate::ownership::peers::Peers;
use crate::ownership::zones::{Kept, Zones};
use crate::planted;
use crate::requests::handler::RequestHandler;
use crate::step::Step;
use crate::want::Wants;

/// What a snapshot takes the place of.
pub(crate) struct Installing<'a> {
    pub(crate) ctx: &'a mut Context,
    pub(crate) clock: &'a mut Clock,
    /// Who votes in a house that knows of no voters.
    pub(crate) founders: &'a Voters,
    pub(crate) peers: &'a mut Peers,
    pub(crate) digests: &'a mut Digests,
    pub(crate) zones: &'a mut Zones,
    pub(crate) cache: &'a mut Cache,
    pub(crate) requests: &'a mut RequestHandler,
    pub(crate) unsettled: &'a mut Unsettled,
    pub(crate) fetching: &'a mut Fetching,
}

impl Installing<'_> {
    /// Puts a snapshot in place: here at once, in the tables with this step.
    pub(crate) fn install(
        &mut self,
        id: SnapshotId,
        house: House,
        out: &mut Wants,
        step: &mut Step,
    ) {
        self.fetching.install();
        // What these were waiting for is in the snapshot, and nobody tells it apart there.
        self.unsettled.clear();
        self.digests.clear();
        self.requests.waiters().clear();
        let owned: Vec<Zone> = self.zones.names().cloned().collect();
        for zone in &owned {
            // What it has not acknowledged is delivered again, and found to be applied already.
            self.zones.suspend(zone, out);
            self.forget(zone);
        }
        *self.clock = (*self.clock).max(house.counters().clock);
        let voters = Some(house.voters()).filter(|voters| !voters.is_empty());
        let voters = voters.unwrap_or(self.founders).clone();
        self.ctx.house = planted::snapshots::not_in_snapshot(house, &self.ctx.house);
        self.ctx.house.remember_within(self.ctx.settings.memory);
        self.ctx.applied = id.slot;
        step.install = Some(id);
        step.applied = Some(id.slot);
        self.peers.regroup(&voters, self.ctx.now.moment);
        out.agree(paxos::Input::Installed { slot: id.slot, voters });
    }

    /// The snapshot is in the tables.
    pub(crate) fn installed(&mut self, slot: Slot, out: &mut Wants) {
        self.fetching.installed(self.ctx, slot, out);
        let unwritten = self.unsettled.first_epoch();
        let mut zones = self.zones.gone(self.ctx);
        zones.extend(self.ctx.house.zones().keys().cloned());
        for zone in &zones {
            if self.zones.reclaim(self.ctx, zone, unwritten, out) == Kept::GivenUp {
                self.forget(zone);
            }
        }
    }

    /// Forgets what is known of a zone that is not ours any more.
    fn forget(&mut self, zone: &Zone) {
        self.requests.forget(zone);
        self.cache.forget_zone(self.ctx, zone);
    }
}
