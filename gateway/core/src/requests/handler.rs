//! Brings requests to the roles that answer them, and what the store read to those who wait for it.

use paxos::{Moment, NoChange, Voters};
use wire::{Answer, ApiVerb, Clock, Topic, Zone, ZoneVerb};

use crate::consensus::agreement::Agreement;
use crate::consensus::standing::Standing;
use crate::context::Context;
use crate::event::{Delivery, Effect, HistoryRow, Session};
use crate::house::{StatusRow, Verdict};
use crate::id::Ticket;
use crate::ownership::authority::Authority;
use crate::ownership::cache::Cache;
use crate::ownership::lease::Lease;
use crate::ownership::peers::Peers;
use crate::ownership::zones::Zones;
use crate::reply::misaddressed;
use crate::requests::api::{self, Api};
use crate::requests::deliveries::Deliveries;
use crate::requests::knocks;
use crate::requests::local::{self, Local};
use crate::requests::overview::Overview;
use crate::requests::queries::{Answering, Queries};
use crate::requests::reads::{Asked, Reads, TOO_MANY};
use crate::requests::registrations::Registrations;
use crate::requests::voters::Voting;
use crate::requests::waiters::Waiters;
use crate::snapshots::SnapshotId;
use crate::survey::Surveyed;
use crate::timekeeping::timekeeper::Timekeeper;
use crate::want::Wants;

/// The requests that wait for something.
#[derive(Debug, Default)]
pub(crate) struct RequestHandler {
    queries: Queries,
    reads: Reads,
    registrations: Registrations,
    waiters: Waiters,
    voting: Voting,
}

/// What requests may look at, and what they may change.
pub(crate) struct Surroundings<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) agreement: &'a Agreement,
    pub(crate) standing: &'a Standing,
    pub(crate) peers: &'a Peers,
    pub(crate) lease: &'a Lease,
    /// The snapshot that is fetched, and how much of it is here.
    pub(crate) fetched: Option<(SnapshotId, u64)>,
    /// What was refused for good since this gateway started.
    pub(crate) refused: u64,
    /// When this gateway started.
    pub(crate) started: Moment,
    pub(crate) timekeeper: &'a Timekeeper,
    /// A report or an order is one more proposal of its zone.
    pub(crate) zones: &'a mut Zones,
    /// A query is a use of the cache.
    pub(crate) cache: &'a mut Cache,
    /// A request is an event.
    pub(crate) clock: &'a mut Clock,
}

impl RequestHandler {
    pub(crate) fn waiting(&self) -> usize {
        self.queries.waiting()
            + self.reads.waiting()
            + self.registrations.waiting()
            + self.waiters.waiting()
    }

    /// A message came in on a session that is open.
    pub(crate) fn deliver(&mut self, with: Surroundings<'_>, delivery: &Delivery, out: &mut Wants) {
        let ctx = with.ctx;
        match (&delivery.session, ctx.topics.parse(&delivery.topic)) {
            (Session::Zone(_), Some(Topic::Device(zone, device, verb))) => {
                let Surroundings { zones, clock, .. } = with;
                Deliveries { ctx, zones, clock }.take(delivery, &zone, &device, verb, out);
            }
            (Session::Query(_), Some(Topic::Device(zone, device, ZoneVerb::Get))) => {
                let with = with.answering(&mut self.reads);
                self.queries.query(with, delivery, &zone, &device, out);
            }
            (Session::Site, Some(Topic::Device(zone, device, ZoneVerb::Get))) => {
                knocks::query_nowhere(ctx, delivery, &zone, &device, out);
            }
            (Session::Site, Some(Topic::Device(zone, device, ZoneVerb::Set))) => {
                knocks::turned_away(ctx, delivery, &zone, &device, out);
            }
            (Session::Site, Some(Topic::Device(zone, _, ZoneVerb::Report))) => {
                knocks::no_room(delivery, &zone, out);
            }
            (Session::Site, Some(Topic::Api(verb))) => {
                api::asked(with.ctx, with.agreement.waiting(), delivery, verb, out);
            }
            (Session::Own, Some(Topic::Gateway(_, verb))) => {
                let (overview, reads) = (with.overview(), &mut self.reads);
                Local { overview, reads }.take(delivery, verb, out);
            }
            _ => misaddressed(delivery, out),
        }
    }

    /// A request to the API, if this gateway `leads`, as a round has shown.
    pub(crate) fn api(
        &mut self,
        with: &Surroundings<'_>,
        delivery: &Delivery,
        verb: ApiVerb,
        leads: bool,
        out: &mut Wants,
    ) {
        if !leads {
            return api::refuse_deposed(with.ctx, delivery, out);
        }
        let Self { reads, registrations, voting, .. } = self;
        Api { overview: with.overview(), reads, registrations, voting }.take(delivery, verb, out);
    }

    /// The row of one device came from the tables.
    pub(crate) fn loaded(
        &mut self,
        with: Surroundings<'_>,
        row: Option<&StatusRow>,
        ticket: Ticket,
        out: &mut Wants,
    ) {
        match (self.reads.take(ticket), row) {
            (Some(Asked::Query(query)), Some(row)) => {
                self.queries.loaded(with.answering(&mut self.reads), row, query, out);
            }
            (Some(Asked::Local(reply)), Some(row)) => local::tell_row(with.ctx, &reply, row, out),
            (Some(asked), None) => {
                asked.reply().answer(Answer::error("the device has no status yet"), out);
            }
            _ => {}
        }
    }

    /// The rows of all devices came from the tables.
    pub(crate) fn devices(
        &mut self,
        ctx: &Context,
        rows: &[StatusRow],
        ticket: Ticket,
        out: &mut Wants,
    ) {
        if let Some(asked) = self.reads.take(ticket) {
            api::tell_devices(ctx, &asked, rows, out);
        }
    }

    /// Agreed changes came from the tables.
    pub(crate) fn history(
        &mut self,
        ctx: &Context,
        rows: &[HistoryRow],
        ticket: Ticket,
        out: &mut Wants,
    ) {
        if let Some(asked) = self.reads.take(ticket) {
            local::tell_history(ctx, &asked, rows, out);
        }
    }

    /// The rows of the file were looked at. One that is not as written must not be told to anybody.
    pub(crate) fn surveyed(
        &mut self,
        ctx: &Context,
        found: &Surveyed,
        ticket: Option<Ticket>,
        out: &mut Wants,
    ) {
        if let Some(asked) = ticket.and_then(|ticket| self.reads.take(ticket)) {
            asked.reply().answer(Answer::ok(found.to_json()), out);
        }
        if let Some(damage) = &found.damage {
            let me = ctx.me();
            out.effect(Effect::Stop(format!(
                "its file is damaged: {damage}; keep gateway-{me}.db for a report, move it away with its -wal, and \
                 start the gateway again: it fetches everything from the others, and has its vote again once a \
                 majority of them has agreed"
            )));
        }
    }

    /// Too many ask for such a look.
    pub(crate) fn not_surveyed(&mut self, ticket: Ticket, out: &mut Wants) {
        if let Some(asked) = self.reads.take(ticket) {
            asked.reply().answer(Answer::error(TOO_MANY), out);
        }
    }

    /// The lease is here, or the leader's word that a zone is still ours.
    pub(crate) fn unpark(&mut self, authority: Authority<'_>, out: &mut Wants) {
        self.queries.unpark(authority, out);
    }

    /// A zone is not ours any more.
    pub(crate) fn forget(&mut self, zone: &Zone) {
        self.queries.forget(zone);
    }

    /// A report was agreed.
    pub(crate) fn refreshed(
        &mut self,
        ctx: &Context,
        clock: &mut Clock,
        row: &StatusRow,
        out: &mut Wants,
    ) {
        self.queries.refreshed(ctx, clock, row, out);
    }

    /// A registration of this gateway's was agreed.
    pub(crate) fn registered(
        &mut self,
        ctx: &Context,
        tag: u64,
        verdict: &Verdict,
        out: &mut Wants,
    ) {
        self.registrations.agreed(ctx, tag, verdict, out);
    }

    /// Who waits for the end of an order.
    pub(crate) const fn waiters(&mut self) -> &mut Waiters {
        &mut self.waiters
    }

    /// From here on others vote.
    pub(crate) fn voters_changed(
        &mut self,
        agreement: &Agreement,
        voters: &Voters,
        out: &mut Wants,
    ) {
        self.voting.changed(agreement, voters, out);
    }

    pub(crate) fn voters_refused(&mut self, voters: &Voters, why: NoChange, out: &mut Wants) {
        self.voting.refused(voters, why, out);
    }

    /// Another leadership began.
    pub(crate) fn leadership_changed(&mut self, out: &mut Wants) {
        self.voting.give_up(out);
    }

    /// Refuses queries that have waited too long.
    pub(crate) fn query_chores(&mut self, ctx: &Context, out: &mut Wants) {
        self.queries.chores(ctx, out);
    }

    pub(crate) fn voter_chores(&mut self, ctx: &Context, out: &mut Wants) {
        self.voting.chores(ctx, out);
    }

    pub(crate) fn registration_chores(&mut self, ctx: &Context, out: &mut Wants) {
        self.registrations.chores(ctx, out);
    }
}

impl<'a> Surroundings<'a> {
    fn overview(&self) -> Overview<'_> {
        Overview {
            ctx: self.ctx,
            agreement: self.agreement,
            standing: self.standing,
            peers: self.peers,
            zones: self.zones,
            lease: self.lease,
            cache: self.cache,
            fetched: self.fetched,
            refused: self.refused,
            clock: *self.clock,
            started: self.started,
            timekeeper: self.timekeeper,
        }
    }

    fn answering(self, reads: &'a mut Reads) -> Answering<'a> {
        let Self { ctx, zones, lease, cache, clock, .. } = self;
        Answering { authority: Authority { ctx, zones, lease }, cache, reads, clock }
    }
}
