//! The role that keeps both times.

use std::collections::BTreeMap;
use std::time::Duration;

use paxos::{Moment, Voters};
use wire::{GatewayId, Heartbeat, UnixMillis};

use super::ahead::Ahead;
use super::count::{Count, Elapsed};
use super::dating::{Dating, Evidence, Found};
use super::off::{BOUND, LASTS, Off};
use super::walls::Walls;
use crate::command::{Offset, TimerName};
use crate::context::Context;
use crate::event::Now;
use crate::house::House;
use crate::id::gateway;
use crate::ownership::peers::Peers;
use crate::planted;
use crate::version::COUNTED_TIME;
use crate::want::Wants;

/// What this gateway knows of the time.
#[derive(Debug)]
pub(crate) struct Timekeeper {
    count: Count,
    walls: Walls,
    /// The counts of the gateways that know theirs. As many as there are voters.
    others: BTreeMap<GatewayId, Ahead>,
    dating: Dating,
    /// Since when the agreed time of day is off.
    wrong: Option<Moment>,
    off: Off,
}

/// How many milliseconds of elapsed time the log may miss while a timer is set. Ten seconds: six entries a minute, in a
/// home in which nothing else happens.
const NOTED_EVERY: u64 = 10_000;

impl Timekeeper {
    /// Of a gateway that starts with this house.
    pub(crate) fn new(house: &House, now: Now) -> Self {
        Self {
            count: Count::new(Ahead::of(house.counters().time, now.moment)),
            walls: Walls::default(),
            others: BTreeMap::new(),
            dating: Dating::default(),
            wrong: None,
            off: Off::default(),
        }
    }

    pub(crate) fn elapsed(&self, house: &House, now: Moment) -> Elapsed {
        self.count.elapsed(house.counters().time, now)
    }

    /// The time of day, if it is known.
    pub(crate) fn time_of_day(&self, house: &House, now: Moment) -> Option<UnixMillis> {
        let Offset(offset) = house.counters().offset;
        let ahead = self.count.ahead().plus(offset);
        self.count.is_known().then(|| ahead.time(now))
    }

    /// A voter's heartbeat.
    pub(crate) fn hear(&mut self, ctx: &Context, beat: &Heartbeat) {
        let (from, now) = (beat.gateway, ctx.now.moment);
        let leads = beat.leader == Some(from) && ctx.leader == Some(from) && !ctx.leads;
        let Some(times) = beat.times else {
            // An older program counts by wall clocks; so do all as long as it leads.
            if leads {
                self.count.follow(Ahead::of(ctx.now.time, now));
            }
            return;
        };
        self.walls.hear(from, Ahead::of(times.wall, now), now);
        if !times.known {
            self.others.remove(&from);
            return;
        }
        let count = Ahead::of(times.elapsed, now);
        self.others.insert(from, count);
        if leads {
            self.count.follow(count);
        }
    }

    /// Others vote now.
    pub(crate) fn regroup(&mut self, voters: &Voters) {
        self.walls.regroup(voters);
        self.others.retain(|id, _| voters.numbered(id.0).is_some());
    }

    pub(crate) fn began_to_lead(&mut self, ctx: &Context) {
        self.count.lead(agreed(ctx));
        self.dating.stop();
        self.wrong = None;
    }

    /// This gateway leads, and has applied everything that was chosen before.
    pub(crate) fn leads_for_sure(&mut self, now: Moment) {
        self.dating.begin(now);
    }

    /// Says whether the count is known just now.
    pub(crate) fn chores(
        &mut self,
        ctx: &Context,
        voters: &Voters,
        peers: &Peers,
        out: &mut Wants,
    ) -> bool {
        let now = ctx.now.moment;
        self.count.keep_up(agreed(ctx));
        self.walls.hear(ctx.me(), Ahead::of(ctx.now.time, now), now);
        if !ctx.leads {
            self.dating.stop();
        }
        if self.count.is_known() {
            self.tell_of_clocks(ctx, voters, out);
            return false;
        }
        let evidence = self.evidence(ctx, voters, peers);
        match self.dating.look(&ctx.house, &evidence, now) {
            Found::NotYet => return false,
            Found::Dated(count) => self.count.set(count),
            Found::Undated(count) => {
                self.count.set(count);
                out.tell(
                    "Nobody knows how long all gateways were off: their clocks do not agree, or show an earlier time. \
                     Orders with an end have ended; timers go on with what is left of them."
                        .to_owned(),
                );
            }
        }
        self.dating.stop();
        true
    }

    /// Whether the leader lets a timer fire now.
    pub(crate) fn is_due(
        &self,
        ctx: &Context,
        name: TimerName,
        timer: crate::house::Timer,
    ) -> bool {
        let time = planted::timekeeping::timers_by_time_of_day(ctx.elapsed.time, &ctx.house);
        let due = ctx.elapsed.known && timer.due <= time;
        due || self.dating.expires(name, timer.generation)
    }

    /// The offset that the time of day should have, if the present one is off for too long.
    pub(crate) fn correction(&mut self, ctx: &Context, voters: &Voters) -> Option<Offset> {
        let now = ctx.now.moment;
        let Offset(offset) = ctx.house.counters().offset;
        let median = self.walls.readings(voters, now, fresh(ctx)).median();
        let wanted = median.filter(|_| ctx.elapsed.known).map(|(low, high)| {
            let count = self.count.ahead();
            offset.clamp(low.over(count), high.over(count))
        });
        let Some(wanted) = wanted.filter(|wanted| wanted.abs_diff(offset) > BOUND.unsigned_abs())
        else {
            self.wrong = None;
            return None;
        };
        let since = *self.wrong.get_or_insert(now);
        let speaks = ctx.house.counters().version >= COUNTED_TIME;
        (speaks && now >= since + LASTS).then_some(Offset(wanted))
    }

    /// Whether the log is to be told how far the time is: what is left of a timer is to be known also if all are off at
    /// once, and nobody can date that.
    pub(crate) fn is_to_be_noted(ctx: &Context) -> bool {
        let counters = ctx.house.counters();
        let old = ctx.elapsed.time.0 >= counters.time.0.saturating_add(NOTED_EVERY);
        let speaks = counters.version >= COUNTED_TIME;
        speaks && old && ctx.elapsed.known && !ctx.house.timers().is_empty()
    }

    /// By how many milliseconds the wall clock of a voter differs from the agreed time of day.
    pub(crate) fn off_by(&self, ctx: &Context, of: GatewayId) -> Option<i64> {
        let wall = self.walls.fresh(of, ctx.now.moment, fresh(ctx))?;
        let Offset(offset) = ctx.house.counters().offset;
        ctx.elapsed.known.then(|| wall.over(self.count.ahead().plus(offset)))
    }

    fn evidence(&self, ctx: &Context, voters: &Voters, peers: &Peers) -> Evidence {
        let (now, fresh) = (ctx.now.moment, fresh(ctx));
        let heard = |id: &GatewayId| self.walls.fresh(*id, now, fresh).is_some();
        let all = voters.iter().map(gateway).all(|id| heard(&id));
        let complete = peers.others().all(|id| heard(&id) || peers.is_suspected(id));
        let known = self.others.values().copied().max();
        Evidence { known, walls: self.walls.readings(voters, now, fresh), complete, all }
    }

    /// Each gateway tells of its own clock, and the leader of all.
    fn tell_of_clocks(&mut self, ctx: &Context, voters: &Voters, out: &mut Wants) {
        for id in voters.iter().map(gateway).filter(|id| ctx.leads || *id == ctx.me()) {
            match self.off_by(ctx, id) {
                Some(off) if self.off.note(id, off, ctx.now.moment) => {
                    let by = Duration::from_millis(off.unsigned_abs());
                    let where_ = if off > 0 { "ahead of" } else { "behind" };
                    out.tell(format!(
                        "The clock of gateway {id} is {by:?} {where_} the home's time of day; set it right."
                    ));
                }
                Some(_) => {}
                None => self.off.forget(id),
            }
        }
    }
}

/// How far the log has come.
fn agreed(ctx: &Context) -> Ahead {
    Ahead::of(ctx.house.counters().time, ctx.now.moment)
}

/// Ten heartbeats.
fn fresh(ctx: &Context) -> Duration {
    ctx.settings.timing.beat * 10
}
