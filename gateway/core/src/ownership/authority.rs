//! Whether an owner may answer alone.

use paxos::Moment;

use crate::context::Context;
use crate::event::Session;
use crate::ownership::lease::Lease;
use crate::ownership::zones::Zones;
use crate::planted;

/// By what an owner may answer alone: its zones, and its lease.
#[derive(Clone, Copy)]
pub(crate) struct Authority<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) zones: &'a Zones,
    pub(crate) lease: &'a Lease,
}

impl Authority<'_> {
    /// With a lease, and on a query session only if the zone was ours after the session was up, and
    /// is so still by all that was applied: the lease may be newer than a move.
    pub(crate) fn may_answer(&self, session: &Session, now: Moment) -> bool {
        let ours = match session {
            Session::Query(zone) => {
                let ours = self.zones.is_ours(self.ctx, zone);
                self.is_confirmed(session) && planted::queries::answered_after_the_move(ours)
            }
            Session::Zone(_) | Session::Site | Session::Own => true,
        };
        ours && planted::queries::answered_without_a_lease(self.lease.holds(now))
    }

    /// Whether the leader said "still yours" after this query session was up.
    pub(crate) fn is_confirmed(&self, session: &Session) -> bool {
        let Session::Query(zone) = session else { return false };
        planted::queries::answered_unconfirmed(self.zones.is_confirmed(zone))
    }
}
