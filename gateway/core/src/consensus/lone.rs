//! A gateway that its settings name as the only founder, and whose file is empty.
//!
//! It may be a new site's first gateway, or one whose site has grown and which has lost its file: then founding
//! would make a second site beside the first. Nobody else is asked, so it listens first. A heartbeat of another
//! gateway that has applied anything, or its will, live or kept by the broker, is a warning that it heeds: it
//! founds nothing in this life, and says what to do.

use std::time::Duration;

use paxos::Moment;
use wire::{GatewayId, Heartbeat, Liveness};

use crate::context::Context;
use crate::want::Wants;

/// What a lone founder has heard.
#[derive(Debug, Default)]
pub(crate) struct Lone {
    /// Since when its links are up.
    up: Option<Moment>,
    /// Who has a history.
    other: Option<GatewayId>,
}

/// How long it listens. What the broker has kept comes with the subscription, and a gateway that lives beats five
/// times as often.
const LISTENS: Duration = Duration::from_millis(500);

impl Lone {
    pub(crate) fn links(&mut self, up: bool, now: Moment) {
        self.up = if up { self.up.or(Some(now)) } else { None };
    }

    /// Whether Paxos may go on by itself: it founds a group at once if this is the only founder.
    pub(crate) fn may_found(&self, ctx: &Context, blank: bool) -> bool {
        let listened = || self.up.is_some_and(|up| ctx.now.moment >= up + LISTENS);
        !is_lone_founder(ctx, blank) || (self.other.is_none() && listened())
    }

    /// Somebody tells how far it has applied the log of this site.
    pub(crate) fn hear(&mut self, ctx: &Context, blank: bool, beat: &Heartbeat, out: &mut Wants) {
        let (me, other) = (ctx.me(), beat.gateway);
        // A will does not tell how far it had come.
        let history = beat.applied > 0 || beat.status != Liveness::Alive;
        if other == me || !history || !is_lone_founder(ctx, blank) || self.other.is_some() {
            return;
        }
        self.other = Some(other);
        let site = ctx.topics.site();
        out.tell(format!(
            "Gateway {me} has an empty file and its settings name it as the only gateway that begins site \
             {site}, but that site has, or had, gateway {other}. It begins no second site beside it. If it has \
             lost its file, name all gateways that vote (gateway.voters, or --voters) and start it again. If \
             gateway {other} is gone for good and this shall be a new site, give it another name, \
             or clear the retained message hearth/{site}/gateway/{other}/status and start again."
        ));
    }
}

fn is_lone_founder(ctx: &Context, blank: bool) -> bool {
    blank && ctx.settings.founders.iter().eq([&ctx.settings.id])
}
