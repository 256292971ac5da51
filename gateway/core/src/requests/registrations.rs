//! Registrations that someone asked the API for.

use std::collections::BTreeMap;

use paxos::Moment;
use wire::{Answer, Maker, Register};

use crate::command::Op;
use crate::consensus::versions;
use crate::context::Context;
use crate::house::Verdict;
use crate::reply::Reply;
use crate::want::Wants;

/// Registrations that are not agreed yet, by tag.
#[derive(Debug, Default)]
pub(crate) struct Registrations {
    /// At most [`REGISTRATIONS`].
    waiting: BTreeMap<u64, Registration>,
    tag: u64,
}

#[derive(Debug)]
struct Registration {
    register: Register,
    maker: Option<Maker>,
    reply: Reply,
    /// When it was proposed last.
    proposed: Option<Moment>,
}

/// Registrations under way at once; a person or a script makes a few, a boot storm hundreds.
const REGISTRATIONS: usize = 1024;

impl Registrations {
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Registers a device.
    pub(crate) fn register(
        &mut self,
        ctx: &Context,
        register: Register,
        maker: Option<Maker>,
        reply: Reply,
        out: &mut Wants,
    ) {
        if self.waiting.len() >= REGISTRATIONS {
            let why = "too many registrations at once; try again";
            return reply.answer(Answer::error(why), out);
        }
        self.tag += 1;
        self.waiting.insert(self.tag, Registration { register, maker, reply, proposed: None });
        self.chores(ctx, out);
    }

    /// Proposes what was not proposed yet, or shows no effect.
    pub(crate) fn chores(&mut self, ctx: &Context, out: &mut Wants) {
        let (now, again) = (ctx.now.moment, ctx.settings.timing.resend);
        for (tag, waiting) in &mut self.waiting {
            if waiting.proposed.is_none_or(|at| now >= at + again) {
                waiting.proposed = Some(now);
                let Register { zone, device, kind } = waiting.register.clone();
                out.propose(match versions::counted(ctx, waiting.maker.clone()) {
                    Some(maker) => Op::Enrol { zone, device, kind, tag: *tag, maker },
                    None => Op::Register { zone, device, kind, tag: *tag },
                });
            }
        }
    }

    /// The registration is agreed.
    pub(crate) fn agreed(&mut self, ctx: &Context, tag: u64, verdict: &Verdict, out: &mut Wants) {
        let Some(Registration { register, reply, .. }) = self.waiting.remove(&tag) else { return };
        let owner = ctx.house.zones().get(&register.zone).map(|row| row.owner);
        let answer = match verdict {
            Verdict::Done { node, again, .. } => Answer::ok(serde_json::json!({
                "node": node, "zone": register.zone, "name": register.device,
                "owner": owner, "known": again,
            })),
            Verdict::Refused(_, why) => Answer::error(why),
            Verdict::Nothing | Verdict::Fenced => Answer::error("the registration was not agreed"),
        };
        reply.answer(answer, out);
    }
}
