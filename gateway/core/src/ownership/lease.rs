//! This gateway's own lease: how an owner answers a query alone and is right.
//!
//! ```text
//!  owner          leader                       majority
//!    │─ request ───▶│                             │   the lease runs from the moment of sending,
//!    │  (sent)      │── heartbeat, begun now ────▶│   on the owner's monotonic clock
//!    │              │◀─ still following ──────────│
//!    │◀─ grant ─────│                                 until sent + lease
//! ```
//!
//! What the leader does is in `grants`.

use paxos::Moment;
use wire::Epoch;

use crate::context::Context;
use crate::id::Incarnation;
use crate::peer::PeerMessage;
use crate::planted;
use crate::want::Wants;

/// The lease of this gateway.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    until: Option<Moment>,
    /// When to ask again.
    due: Moment,
    /// The newest grant that tells of a move that is not applied here yet.
    ahead: Option<Grant>,
}

/// The leader's word that this gateway may answer alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    /// When this gateway asked, by its own clock.
    pub(crate) sent: Moment,
    /// The life that asked.
    pub(crate) life: Incarnation,
    /// The last epoch that the leader knew.
    pub(crate) epoch: Epoch,
}

impl Lease {
    pub(crate) fn holds(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    pub(crate) const fn until(&self) -> Option<Moment> {
        self.until
    }

    /// Another gateway leads: it is asked at the next opportunity.
    pub(crate) fn hurry(&mut self) {
        self.due = Moment(0);
    }

    /// Asks the leader when it is time.
    pub(crate) fn request(&mut self, ctx: &Context, out: &mut Wants) {
        let now = ctx.now.moment;
        if now < self.due {
            return;
        }
        self.due = now + ctx.settings.timing.lease_every;
        if let Some(leader) = ctx.leader {
            let life = ctx.settings.incarnation;
            out.send(leader, PeerMessage::LeaseRequest { sent: now.0, life });
        }
    }

    /// Takes a grant, if it is for this life and about nothing that is still to come. Says whether it did.
    pub(crate) fn granted(&mut self, ctx: &Context, grant: Grant) -> bool {
        let mine = planted::lease::grant_to_another_life(grant.life == ctx.settings.incarnation);
        mine && self.take(ctx, grant)
    }

    /// Takes the grant that waited for a move, if that is applied now. Says whether it did.
    pub(crate) fn after_a_move(&mut self, ctx: &Context) -> bool {
        let known = ctx.house.counters().epoch;
        let ready = self.ahead.take_if(|grant| grant.epoch <= known);
        ready.is_some_and(|grant| self.take(ctx, grant))
    }

    fn take(&mut self, ctx: &Context, grant: Grant) -> bool {
        let ahead = grant.epoch > ctx.house.counters().epoch;
        if planted::lease::lease_before_the_move(ahead) {
            self.ahead = Some(grant);
            return false;
        }
        // Only a forger's grant comes from the future.
        if grant.sent > ctx.now.moment {
            return false;
        }
        let begins = planted::lease::lease_from_the_grant(grant.sent, ctx.now.moment);
        self.until = self.until.max(Some(begins + ctx.settings.timing.lease));
        true
    }
}
