//! What a gateway, and the leader for the home, proposes until it shows its effect. Every duty is derived from the
//! state anew, so none can be forgotten.

use std::collections::BTreeMap;

use paxos::{Moment, Voters};
use wire::{Epoch, GatewayId, Maker, Zone};

use crate::command::{Move, Op, TimerName};
use crate::consensus::versions;
use crate::context::Context;
use crate::event::Effect;
use crate::house::Timer;
use crate::id::Incarnation;
use crate::ownership::grants::Grants;
use crate::ownership::peers::Peers;
use crate::planted;
use crate::story;
use crate::timekeeping::timekeeper::Timekeeper;
use crate::want::Wants;

/// When what was proposed last; bounded by what there is to propose, and cleared of old ones.
#[derive(Debug, Default)]
pub(crate) struct Duties {
    proposed: BTreeMap<Duty, Moment>,
}

/// Something to propose until it shows its effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Duty {
    Join,
    Lead,
    Dead(GatewayId, Incarnation),
    Settings,
    Raise,
    Clock,
    Place(Zone),
    Return(Zone, Epoch),
    Remove(Zone, Epoch),
    Fire(TimerName, u64),
}

impl Duties {
    pub(crate) fn waiting(&self) -> usize {
        self.proposed.len()
    }

    /// Joins, and joins again when the log says that this gateway is dead. `ready` is a gateway that can follow;
    /// `caches` says whether it has a cache.
    pub(crate) fn join(&mut self, ctx: &Context, ready: bool, caches: bool, out: &mut Wants) {
        let gateway = ctx.me();
        let member = ctx.house.gateways().get(&gateway);
        let joined = planted::duties::not_joined_again(ctx.has_joined(), member.is_some());
        // What it would stamp is counted from an unknown time.
        let ready = ready && planted::timekeeping::joined_undated(ctx.elapsed.known);
        if joined || !ready || !self.is_due(ctx, Duty::Join) {
            return;
        }
        let known = member.map_or(Incarnation(0), |member| member.incarnation);
        let (incarnation, serves) = (ctx.settings.incarnation, ctx.settings.serves);
        if known > incarnation {
            return out.effect(Effect::Outlived(known));
        }
        out.propose(if ctx.settings.own_broker {
            Op::Join { gateway, incarnation, serves, caches }
        } else {
            Op::Arrive { gateway, incarnation, serves, caches }
        });
    }

    /// A leadership in which moves wait for leases begins in the log.
    pub(crate) fn lead(&mut self, ctx: &Context, out: &mut Wants) {
        if !ctx.settings.own_broker {
            self.proposed.insert(Duty::Lead, ctx.now.moment);
            out.propose(Op::Lead);
        }
    }

    /// A broker holds messages for a zone; if nobody owns it, the leader sees to that.
    pub(crate) fn place(
        &mut self,
        ctx: &Context,
        zone: Zone,
        maker: Option<Maker>,
        out: &mut Wants,
    ) {
        let unknown = !ctx.house.zones().contains_key(&zone);
        if unknown && ctx.leads && self.is_due(ctx, Duty::Place(zone.clone())) {
            out.propose(match versions::counted(ctx, maker) {
                Some(maker) => Op::Make { zone, maker },
                None => Op::Place { zone },
            });
        }
    }

    /// Zones without devices go again after some time.
    fn clear_out(&mut self, ctx: &Context, out: &mut Wants) {
        if !ctx.elapsed.known || !versions::counts_zones(ctx) {
            return;
        }
        let abandoned = |zone: &&Zone| ctx.house.is_abandoned(zone, ctx.elapsed.time);
        let zones: Vec<Zone> = ctx.house.zones().keys().filter(abandoned).cloned().collect();
        for zone in zones {
            let Some(row) = ctx.house.zones().get(&zone) else { continue };
            if self.is_due(ctx, Duty::Remove(zone.clone(), row.epoch)) {
                out.propose(Op::Remove { zone, epoch: row.epoch, next: row.next });
            }
        }
    }

    /// The leader proposes to declare those dead that it has lost, or that lost their votes.
    pub(crate) fn bury(
        &mut self,
        ctx: &Context,
        voters: &Voters,
        peers: &Peers,
        grants: &Grants,
        out: &mut Wants,
    ) {
        if !ctx.leads {
            return;
        }
        let (now, timing) = (ctx.now.moment, &ctx.settings.timing);
        for (id, member) in ctx.house.gateways().iter().filter(|(_, member)| member.alive) {
            let votes = voters.numbered(id.0).is_some();
            if votes && !peers.is_lost(*id, now, timing) {
                continue;
            }
            let over = planted::duties::lease_not_waited_for(grants.is_over(ctx, *id));
            if planted::duties::removal_not_waited_for(over, votes) {
                self.declare_dead(ctx, grants, *id, member.incarnation, out);
            }
        }
    }

    /// What the leader owes the home: its settings, its version, its time, its timers and, where `Join` did not bring
    /// them, zones' way home.
    pub(crate) fn lead_the_home(
        &mut self,
        ctx: &Context,
        voters: &Voters,
        peers: &Peers,
        grants: &Grants,
        timekeeper: &mut Timekeeper,
        out: &mut Wants,
    ) {
        if !ctx.leads {
            return;
        }
        let agreed = ctx.settings.agreed;
        if ctx.house.agreed() != agreed && self.is_due(ctx, Duty::Settings) {
            out.propose(Op::Settings(agreed));
        }
        if let Some(version) = versions::next(ctx, peers)
            && self.is_due(ctx, Duty::Raise)
        {
            out.propose(Op::Raise { version, voters: ctx.house.voters().clone() });
        }
        self.keep_time(ctx, voters, timekeeper, out);
        self.clear_out(ctx, out);
        if !ctx.settings.own_broker {
            // It was refused, or one of an earlier leadership came after it.
            if grants.leadership(ctx).is_none() && self.is_due(ctx, Duty::Lead) {
                out.propose(Op::Lead);
            }
            self.bring_zones_home(ctx, grants, out);
        }
    }

    /// Lets timers fire, and corrects the time of day.
    fn keep_time(
        &mut self,
        ctx: &Context,
        voters: &Voters,
        timekeeper: &mut Timekeeper,
        out: &mut Wants,
    ) {
        let due = |(name, set): &(&TimerName, &Timer)| timekeeper.is_due(ctx, **name, **set);
        for (timer, set) in ctx.house.timers().iter().filter(due) {
            let (timer, generation) = (*timer, set.generation);
            if self.is_due(ctx, Duty::Fire(timer, generation)) {
                out.propose(Op::Fire { timer, generation });
            }
        }
        if let Some(offset) = timekeeper.correction(ctx, voters)
            && self.is_due(ctx, Duty::Clock)
        {
            out.tell(story::corrected(ctx.house.counters().offset, offset));
            out.propose(Op::Clock { offset });
        }
        if Timekeeper::is_to_be_noted(ctx) && self.is_due(ctx, Duty::Clock) {
            out.propose(Op::Clock { offset: ctx.house.counters().offset });
        }
    }

    /// Forgets proposals that were made long ago.
    pub(crate) fn clear(&mut self, ctx: &Context) {
        let (now, old) = (ctx.now.moment, ctx.settings.timing.resend * 8);
        self.proposed.retain(|_, at| now < *at + old);
    }

    fn declare_dead(
        &mut self,
        ctx: &Context,
        grants: &Grants,
        gateway: GatewayId,
        incarnation: Incarnation,
        out: &mut Wants,
    ) {
        let duty = Duty::Dead(gateway, incarnation);
        if !ctx.settings.own_broker {
            self.propose_move(ctx, grants, duty, Move::Dead { gateway, incarnation }, out);
        } else if self.is_due(ctx, duty) {
            out.propose(Op::Dead { gateway, incarnation });
        }
    }

    /// Where `Join` did not, the leader brings zones home whose leases are over.
    fn bring_zones_home(&mut self, ctx: &Context, grants: &Grants, out: &mut Wants) {
        for (zone, row) in ctx.house.zones() {
            let better = ctx.house.better_owner(zone).is_some();
            if better && planted::duties::way_home_not_waited_for(grants.is_over(ctx, row.owner)) {
                let (zone, epoch) = (zone.clone(), row.epoch);
                let duty = Duty::Return(zone.clone(), epoch);
                self.propose_move(ctx, grants, duty, Move::Return { zone, epoch }, out);
            }
        }
    }

    /// Proposes a move. The gateway that loses by it has no lease: this leader has waited for that.
    fn propose_move(
        &mut self,
        ctx: &Context,
        grants: &Grants,
        duty: Duty,
        why: Move,
        out: &mut Wants,
    ) {
        if let Some(leadership) = grants.leadership(ctx)
            && self.is_due(ctx, duty)
        {
            out.propose(Op::Move { leadership, why });
        }
    }

    /// Whether something may be proposed: not again before its effect had time to show.
    fn is_due(&mut self, ctx: &Context, duty: Duty) -> bool {
        let (now, again) = (ctx.now.moment, ctx.settings.timing.resend);
        let due = self.proposed.get(&duty).is_none_or(|at| now >= *at + again);
        if due {
            self.proposed.insert(duty, now);
        }
        due
    }
}
