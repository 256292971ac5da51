//! Queries: answered by the owner alone, from its cache or its tables, while it holds its lease.
//! They never start Paxos.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use paxos::Moment;
use wire::{Answer, CacheUse, Clock, Device, GetRequest, NodeId, Zone};

use crate::context::Context;
use crate::event::{Delivery, Read, Session};
use crate::house::{Refusal, StatusRow};
use crate::ownership::authority::Authority;
use crate::ownership::cache::Cache;
use crate::ownership::publications;
use crate::reply::{Reply, acknowledge, check_reply_to, refuse};
use crate::requests::reads::{Asked, Query, Reads};
use crate::want::{Want, Wants};

/// Queries that wait for something.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    /// For a lease; at most [`WAITING`].
    parked: VecDeque<Parked>,
    /// For the device itself; at most [`WAITING`] for each.
    refreshing: BTreeMap<NodeId, Vec<Refreshing>>,
}

#[derive(Debug)]
struct Parked {
    delivery: Delivery,
    until: Moment,
}

#[derive(Debug)]
struct Refreshing {
    reply: Reply,
    used: CacheUse,
    until: Moment,
}

/// What a query may touch beside the queries.
pub(crate) struct Answering<'a> {
    pub(crate) authority: Authority<'a>,
    pub(crate) cache: &'a mut Cache,
    pub(crate) reads: &'a mut Reads,
    pub(crate) clock: &'a mut Clock,
}

/// Queries that wait for a lease or a device: what clients ask within one lease time.
const WAITING: usize = 1024;

/// How long a device may take to report when a query asks for it.
const REFRESH: Duration = Duration::from_secs(2);

impl Queries {
    pub(crate) fn waiting(&self) -> usize {
        self.parked.len() + self.refreshing.values().map(Vec::len).sum::<usize>()
    }

    /// The zone is not ours any more; its new owner is asked again.
    pub(crate) fn forget(&mut self, zone: &Zone) {
        let of_zone = |session: &Session| matches!(session, Session::Query(of) if of == zone);
        self.parked.retain(|parked| !of_zone(&parked.delivery.session));
    }

    /// Answers a query, or lets it wait.
    pub(crate) fn query(
        &mut self,
        with: Answering<'_>,
        delivery: &Delivery,
        zone: &Zone,
        device: &Device,
        out: &mut Wants,
    ) {
        let ctx = with.authority.ctx;
        if !with.authority.may_answer(&delivery.session, ctx.now.moment) {
            return self.park(ctx, delivery.clone(), out);
        }
        let request = match GetRequest::parse(&delivery.payload) {
            Ok(request) => request,
            Err(error) => {
                return refuse(
                    delivery,
                    &Reply::to(delivery, None, None),
                    Refusal::Payload,
                    error,
                    out,
                );
            }
        };
        if let Err(why) = check_reply_to(ctx, delivery, request.reply_to.as_deref()) {
            return refuse(
                delivery,
                &Reply::to(delivery, None, request.id),
                Refusal::Denied,
                why,
                out,
            );
        }
        let reply = Reply::to(delivery, request.reply_to, request.id);
        let Some(node) = ctx.house.node(zone, device) else {
            let why = format!("no device {zone}/{device} is registered");
            return refuse(delivery, &reply, Refusal::Unknown, why, out);
        };
        with.clock.observe(request.clock);
        let (id, clock) = (ctx.me(), *with.clock);
        out.say(ctx, || {
            format!(
                "Gateway {id}: Reading data of {device}. Gateway current clock value is {clock}"
            )
        });
        with.look_up(node, reply, request.refresh, out);
        acknowledge(delivery, out);
    }

    /// The lease is here, or the leader's word that a zone is still ours.
    pub(crate) fn unpark(&mut self, authority: Authority<'_>, out: &mut Wants) {
        let now = authority.ctx.now.moment;
        let parked = core::mem::take(&mut self.parked).into_iter();
        let (ready, waiting): (VecDeque<_>, _) =
            parked.partition(|parked| authority.may_answer(&parked.delivery.session, now));
        self.parked = waiting;
        for Parked { delivery, .. } in ready {
            out.push(Want::Deliver(delivery));
        }
    }

    /// Refuses what has waited too long.
    pub(crate) fn chores(&mut self, ctx: &Context, out: &mut Wants) {
        let now = ctx.now.moment;
        while let Some(parked) = self.parked.pop_front_if(|parked| now >= parked.until) {
            refuse_unleased(ctx, &parked.delivery, out);
        }
        let mut late = Vec::new();
        for waiting in self.refreshing.values_mut() {
            late.extend(waiting.extract_if(.., |waiting| now >= waiting.until));
        }
        self.refreshing.retain(|_, waiting| !waiting.is_empty());
        for Refreshing { reply, .. } in late {
            let why =
                "the device did not report; without \"refresh\" its last agreed state is told";
            reply.answer(Answer::error(why), out);
        }
    }

    /// The row of a queried device came from the table.
    pub(crate) fn loaded(
        &mut self,
        with: Answering<'_>,
        row: &StatusRow,
        query: Query,
        out: &mut Wants,
    ) {
        // The session may have been lost and opened again since it was asked.
        if !with.authority.is_confirmed(query.reply.session()) {
            return;
        }
        let ctx = with.authority.ctx;
        with.cache.keep(ctx, row, out);
        if query.refresh {
            return self.refresh(ctx, row.node, query, out);
        }
        tell_state(ctx, with.clock, &query.reply, query.used, row, out);
    }

    /// A report was agreed: queries that asked the device for it are answered.
    pub(crate) fn refreshed(
        &mut self,
        ctx: &Context,
        clock: &mut Clock,
        row: &StatusRow,
        out: &mut Wants,
    ) {
        for waiting in self.refreshing.remove(&row.node).unwrap_or_default() {
            tell_state(ctx, clock, &waiting.reply, waiting.used, row, out);
        }
    }

    /// Without a lease nothing may be said; it may come any moment.
    fn park(&mut self, ctx: &Context, delivery: Delivery, out: &mut Wants) {
        if self.parked.len() >= WAITING {
            return refuse_unleased(ctx, &delivery, out);
        }
        let until = ctx.now.moment + ctx.settings.timing.lease;
        self.parked.push_back(Parked { delivery, until });
    }

    /// Asks the device itself; its report answers the query when it is agreed.
    fn refresh(&mut self, ctx: &Context, node: NodeId, query: Query, out: &mut Wants) {
        let Some(row) = ctx.house.devices().get(&node) else { return };
        publications::ask_for_report(ctx, &row.zone, &row.name, out);
        let waiting = self.refreshing.entry(node).or_default();
        if waiting.len() < WAITING {
            let Query { reply, used, .. } = query;
            waiting.push(Refreshing { reply, used, until: ctx.now.moment + REFRESH });
        }
    }
}

impl Answering<'_> {
    /// Answers from the cache, or else from the tables.
    fn look_up(self, node: NodeId, reply: Reply, refresh: bool, out: &mut Wants) {
        let ctx = self.authority.ctx;
        let known = ctx.house.devices().get(&node).is_some_and(|row| row.cached);
        match self.cache.query(node, known) {
            (used, Some(row)) => {
                out.say(ctx, || "Using the cached data.".to_owned());
                tell_state(ctx, self.clock, &reply, used, &row, out);
            }
            (used, None) => {
                let asked = Asked::Query(Query { reply, used, refresh });
                self.reads.ask(asked, out, |ticket| Read::Status(node, ticket));
            }
        }
    }
}

fn refuse_unleased(ctx: &Context, delivery: &Delivery, out: &mut Wants) {
    let (site, me) = (ctx.topics.site(), ctx.me());
    let why = format!(
        "gateway {me} cannot reach a majority of the gateways, so what it knows may be old; \
         hearth/{site}/gateway/{me}/get tells its own copy"
    );
    refuse(delivery, &Reply::to(delivery, None, None), Refusal::Quota, why, out);
}

fn tell_state(
    ctx: &Context,
    clock: &mut Clock,
    reply: &Reply,
    used: CacheUse,
    row: &StatusRow,
    out: &mut Wants,
) {
    let clock = clock.tick();
    let mut json = publications::state_message(ctx, row).to_json();
    json["clock"] = clock.0.into();
    json["cache"] = used.to_string().into();
    reply.answer(Answer::ok(json), out);
}
