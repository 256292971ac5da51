//! Generations of a site. After a majority was lost for ever, one replica is made the only voter on purpose, and with
//! that a new generation begins. Gateways of an older one may come back with another history: nobody listens to them,
//! and they stop themselves as soon as they hear of the newer one, also from what the broker has kept.

use std::collections::BTreeMap;
use std::time::Duration;

use paxos::Moment;
use wire::{GatewayId, SiteGeneration};

use crate::context::Context;
use crate::event::Effect;
use crate::want::Wants;

/// Who was heard of another generation.
#[derive(Debug, Default)]
pub(crate) struct Generations {
    /// When it was told of a gateway last. As many as there are gateway ids.
    told: BTreeMap<GatewayId, Moment>,
}

/// Between two lines about the same gateway.
const TELL_EVERY: Duration = Duration::from_secs(60);

impl Generations {
    /// Whether a gateway is of this one's generation, and may be listened to. `blank` is whether this one's file knows
    /// no group yet, and `news` whether an older one is worth a line.
    pub(crate) fn agree(
        &mut self,
        ctx: &Context,
        blank: bool,
        (from, theirs): (GatewayId, SiteGeneration),
        news: bool,
        out: &mut Wants,
    ) -> bool {
        let ours = ctx.settings.generation;
        if theirs > ours && blank {
            out.effect(Effect::Adopt(theirs));
        } else if theirs > ours {
            out.effect(Effect::Stop(outdated(ctx, from, theirs)));
        } else if theirs < ours && news {
            self.tell(ctx, from, theirs, out);
        }
        theirs == ours
    }

    fn tell(&mut self, ctx: &Context, from: GatewayId, theirs: SiteGeneration, out: &mut Wants) {
        let now = ctx.now.moment;
        if self.told.get(&from).is_some_and(|told| now < *told + TELL_EVERY) {
            return;
        }
        self.told.insert(from, now);
        let (me, ours) = (ctx.me(), ctx.settings.generation);
        out.tell(format!(
            "Gateway {me} refuses gateway {from}: its file is of generation {theirs} of this site, which goes on in \
             generation {ours}. Start it with an emptied file, then give it a vote (hearth voters --add {from})."
        ));
    }
}

fn outdated(ctx: &Context, from: GatewayId, theirs: SiteGeneration) -> String {
    let (me, ours) = (ctx.me(), ctx.settings.generation);
    format!(
        "site {} goes on without this file: a majority was given up as lost for ever (hearth recover), gateway {from} \
         is of generation {theirs}, and this file of generation {ours}. What it has that they do not have is lost to \
         the site; hearth dump shows it. To take gateway {me} in again, move gateway-{me}.db and gateway-{me}.life \
         away, start it, and give it a vote: hearth voters --add {me}",
        ctx.topics.site()
    )
}
