//! Leases: how an owner answers a query alone and is right (rule 7).
//!
//! ```text
//!  owner          leader                       majority
//!    │─ request ───▶│                             │   the lease runs from the moment of sending,
//!    │  (sent)      │── heartbeat, begun now ────▶│   on the owner's monotonic clock
//!    │              │◀─ still following ──────────│
//!    │◀─ grant ─────│                                 until sent + lease
//! ```
//!
//! On a single broker of Hearth's own, the takeover of the query session ends an old owner's
//! answers when its zone moves; elsewhere the leader waits out the last grant
//! ([`Timing::lease_wait`](crate::Timing::lease_wait)).

use std::collections::BTreeMap;

use paxos::Moment;
use wire::GatewayId;

use crate::agreement::Ticket;
use crate::gateway::Gateway;
use crate::peer::PeerMessage;
use crate::step::Step;

/// This gateway's lease and, when it leads, those that it granted.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    until: Option<Moment>,
    granted: BTreeMap<GatewayId, Moment>,
    leading_since: Option<Moment>,
}

impl Leases {
    pub(crate) fn holds(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// A new leader knows nothing of the grants of the one before.
    pub(crate) fn began_to_lead(&mut self, now: Moment) {
        self.granted.clear();
        self.leading_since = Some(now);
    }

    /// The last moment at which a lease of this gateway may have been granted.
    fn last_grant(&self, to: GatewayId) -> Option<Moment> {
        self.granted.get(&to).copied().max(self.leading_since)
    }
}

impl Gateway {
    pub(crate) fn request_lease(&mut self, out: &mut Step) {
        let sent = self.now.moment.0;
        if let Some(leader) = self.leader() {
            self.send(leader, PeerMessage::LeaseRequest { sent }, out);
        }
    }

    pub(crate) fn lease_requested(&mut self, from: GatewayId, sent: u64, out: &mut Step) {
        let alive = self.house.gateways().get(&from).is_some_and(|member| member.alive);
        // One that is about to be declared dead gets no lease that would have to be waited out.
        if self.leads() && alive && !self.peers.is_suspected(from) {
            self.confirm(Ticket::Lease { to: from, sent }, out);
        }
    }

    pub(crate) fn grant(&mut self, to: GatewayId, sent: u64, out: &mut Step) {
        self.leases.granted.insert(to, self.now.moment);
        self.send(to, PeerMessage::LeaseGrant { sent }, out);
    }

    pub(crate) fn lease_granted(&mut self, sent: u64, out: &mut Step) {
        // A grant of an earlier life carries a moment that this life has not reached, or one so
        // old that it gives nothing.
        if sent > self.now.moment.0 {
            return;
        }
        let until = Moment(sent) + self.settings.timing.lease;
        self.leases.until = self.leases.until.max(Some(until));
        self.unpark(out);
    }

    /// Whether every lease that a gateway may hold has run out by now.
    pub(crate) fn lease_is_over(&self, of: GatewayId) -> bool {
        let wait = self.settings.timing.lease_wait();
        self.settings.own_broker
            || self.leases.last_grant(of).is_none_or(|granted| self.now.moment >= granted + wait)
    }
}
