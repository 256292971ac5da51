//! What can be seen of a gateway from outside.

use paxos::{Moment, Slot, Voters};
use wire::{Epoch, GatewayId, UnixMillis, Zone};

use super::Gateway;
use crate::event::Session;
use crate::house::House;
use crate::ownership::authority::Authority;

impl Gateway {
    /// The replicated state, to look at.
    #[must_use]
    pub fn house(&self) -> &House {
        &self.ctx.house
    }

    /// The slot up to which the house is applied.
    #[must_use]
    pub fn applied(&self) -> Slot {
        self.ctx.applied
    }

    /// How many things wait here for something: questions, reads, answers, proposals.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.agreement.waiting()
            + self.requests.waiting()
            + self.zones.waiting()
            + self.duties.waiting()
            + self.door.waiting()
    }

    /// How many entries and rows are applied and wait for the store.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.unsettled.len()
    }

    /// Publishes at QoS 0 that were dropped, of all its zones since they came here.
    #[must_use]
    pub fn dropped_qos0(&self) -> u64 {
        self.zones.dropped()
    }

    /// Whether a query of this zone would be answered at a moment, and under which epoch.
    #[must_use]
    pub fn answers_for(&self, zone: &Zone, now: Moment) -> Option<Epoch> {
        let epoch = self.zones.epoch(zone)?;
        let (ctx, zones, lease) = (&self.ctx, &self.zones, &self.lease);
        let authority = Authority { ctx, zones, lease };
        authority.may_answer(&Session::Query(zone.clone()), now).then_some(epoch)
    }

    /// The agreed time of day at a moment; none before this gateway knows how long the site has run.
    #[must_use]
    pub fn time_of_day(&self, now: Moment) -> Option<UnixMillis> {
        self.timekeeper.time_of_day(&self.ctx.house, now)
    }

    /// Until when this gateway has, or had, a lease, by its own clock.
    #[must_use]
    pub const fn lease(&self) -> Option<Moment> {
        self.lease.until()
    }

    /// The gateways that this one watches, and whether it suspects them.
    pub fn watched(&self) -> impl Iterator<Item = (GatewayId, bool)> + '_ {
        self.peers.others().map(|id| (id, self.peers.is_suspected(id)))
    }

    /// Whether this gateway has a vote.
    #[must_use]
    pub fn votes(&self) -> bool {
        self.agreement.votes()
    }

    /// Whether this gateway leads.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.agreement.leads()
    }

    /// Who leads, as far as this gateway knows.
    #[must_use]
    pub fn leader(&self) -> Option<GatewayId> {
        self.agreement.leader()
    }

    /// Who votes.
    #[must_use]
    pub const fn voters(&self) -> &Voters {
        self.agreement.voters()
    }

    /// The round of the highest ballot that this gateway has promised.
    #[must_use]
    pub const fn round(&self) -> u64 {
        self.agreement.round()
    }
}
