//! Applies what Paxos chose: to the house at once, to the tables with the step. What follows waits for the tables.

use paxos::{Chosen, Request, Slot};
use wire::Clock;

use crate::after_commit::unsettled::Unsettled;
use crate::command::Op;
use crate::consensus::digests::Digests;
use crate::consensus::versions;
use crate::context::Context;
use crate::event::Effect;
use crate::house::Change;
use crate::ownership::cache::Cache;
use crate::ownership::grants::Grants;
use crate::ownership::zones::Zones;
use crate::planted::early::Early;
use crate::step::Step;
use crate::want::Wants;

/// What a chosen value may touch.
pub(crate) struct Applying<'a> {
    pub(crate) ctx: &'a mut Context,
    pub(crate) clock: &'a mut Clock,
    pub(crate) grants: &'a mut Grants,
    pub(crate) digests: &'a mut Digests,
    pub(crate) unsettled: &'a mut Unsettled,
    /// Only deliberate mistakes look at these so early.
    pub(crate) zones: &'a mut Zones,
    pub(crate) cache: &'a mut Cache,
}

impl Applying<'_> {
    pub(crate) fn apply(&mut self, chosen: &Chosen, out: &mut Wants, step: &mut Step) {
        let (slot, requests) = (chosen.slot, chosen.value.requests());
        assert_eq!(slot.0, self.ctx.applied.0 + 1, "entries are applied in the order of slots");
        self.ctx.applied = slot;
        step.applied = Some(slot);
        self.grants.forget_moves(requests.iter().map(|request| (request.session, request.number)));
        let mut house = None;
        for request in requests {
            match self.entry(slot, request, out, step) {
                Ok(counters) => house = counters.or(house),
                Err(why) => return out.effect(Effect::Stop(why)),
            }
        }
        if let Some(voters) = chosen.value.voters() {
            let mut outcome = self.ctx.house.elect(voters);
            step.changes.append(&mut outcome.changes);
            self.unsettled.applied(slot, None, outcome);
        }
        self.digests.note(slot, self.ctx.house.counters().digest);
        // Only the last of the slot's rows of counters has to be written.
        step.changes.extend(house);
    }

    /// Applies one entry, and gives the row of counters after it; or why this gateway cannot go on.
    fn entry(
        &mut self,
        slot: Slot,
        request: &Request,
        out: &mut Wants,
        step: &mut Step,
    ) -> Result<Option<Change>, String> {
        let entry = versions::read_entry(self.ctx, &request.payload)
            .map_err(|error| format!("slot {slot} of the log cannot be applied: {error}"))?;
        *self.clock = (*self.clock).max(entry.clock);
        let mut outcome = self.ctx.house.apply(&entry);
        if entry.op == Op::Lead {
            self.grants.note_leadership(self.ctx, request);
        }
        if let Some(why) = versions::left_behind(self.ctx) {
            return Err(why);
        }
        let (ctx, zones, cache) = (&*self.ctx, &mut *self.zones, &mut *self.cache);
        Early { ctx, zones, cache }.tell(&entry, &outcome, out);
        let house = outcome.changes.pop_if(|change| matches!(change, Change::House(..)));
        step.changes.append(&mut outcome.changes);
        self.unsettled.applied(slot, Some(entry), outcome);
        Ok(house)
    }
}
