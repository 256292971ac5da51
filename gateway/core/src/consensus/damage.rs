//! Proposals that this gateway could not apply. What is accepted once must be applied, so they are looked at before.

use std::time::Duration;

use paxos::{Message, Moment, Request};
use wire::GatewayId;

use crate::command::DecodeError;
use crate::consensus::versions;
use crate::context::Context;
use crate::want::Wants;

/// When it was last told that something was dropped.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    told: Option<Moment>,
}

/// Whoever sends such a thing sends it again ten times a second.
const TELL_EVERY: Duration = Duration::from_secs(60);

impl Damage {
    /// Whether a message has nothing that could not be applied; tells of it, now and then, when it has.
    pub(crate) fn is_none(
        &mut self,
        ctx: &Context,
        from: GatewayId,
        message: &Message,
        out: &mut Wants,
    ) -> bool {
        let Some(error) = damage(ctx, message) else { return true };
        let (me, now) = (ctx.me(), ctx.now.moment);
        if self.told.is_none_or(|at| now >= at + TELL_EVERY) {
            self.told = Some(now);
            out.tell(format!("Gateway {me} drops what gateway {from} proposes: {error}."));
        }
        false
    }
}

fn damage(ctx: &Context, message: &Message) -> Option<DecodeError> {
    use Message as M;
    let readable = |requests: &[Request]| {
        requests.iter().find_map(|request| versions::read_entry(ctx, &request.payload).err())
    };
    match message {
        M::Accept { value, .. } => readable(value.requests()),
        M::Propose { requests } => readable(requests),
        M::Promise { entries, .. } | M::Suffix { entries, .. } => {
            entries.iter().find_map(|entry| readable(entry.value.requests()))
        }
        _ => None,
    }
}
