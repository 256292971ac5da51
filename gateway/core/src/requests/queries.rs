//! Queries: answered by the owner alone, from its cache or its tables, while it holds its lease.
//! They never start Paxos (rule 7).

use std::collections::{BTreeMap, VecDeque};

use paxos::Moment;
use wire::{Answer, CacheUse, Device, GetRequest, NodeId, Zone, ZoneVerb};

use crate::after_commit::cache::Put;
use crate::event::{Delivery, Effect, Read, Session};
use crate::gateway::Gateway;
use crate::house::StatusRow;
use crate::mutant::mutant;
use crate::requests::api::Asked;
use crate::requests::reply::Reply;
use crate::step::Step;

/// Queries that wait for something.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    /// For a lease.
    parked: VecDeque<Parked>,
    /// For the device itself.
    refreshing: BTreeMap<NodeId, Vec<(Reply, CacheUse, Moment)>>,
}

#[derive(Debug)]
struct Parked {
    delivery: Delivery,
    until: Moment,
}

/// Queries that wait for a lease or a device: what clients ask within one lease time.
const WAITING: usize = 1024;

/// How long a device may take to report when a query asks for it.
const REFRESH: std::time::Duration = std::time::Duration::from_secs(2);

impl Queries {
    pub(crate) fn waiting(&self) -> usize {
        self.parked.len() + self.refreshing.values().map(Vec::len).sum::<usize>()
    }

    /// The zone is not ours any more; its new owner is asked again.
    pub(crate) fn forget(&mut self, zone: &Zone) {
        let of_zone = |session: &Session| matches!(session, Session::Query(of) if of == zone);
        self.parked.retain(|parked| !of_zone(&parked.delivery.session));
    }
}

impl Gateway {
    pub(crate) fn query(
        &mut self,
        delivery: &Delivery,
        zone: &Zone,
        device: &Device,
        out: &mut Step,
    ) {
        if !self.may_answer(&delivery.session, self.now.moment) {
            return self.park(delivery.clone(), out);
        }
        let request = match GetRequest::parse(&delivery.payload) {
            Ok(request) => request,
            Err(error) => {
                return self.refuse(delivery, &Reply::to(delivery, None, None), error, out);
            }
        };
        if let Err(why) = self.check_reply_to(request.reply_to.as_deref()) {
            return self.refuse(delivery, &Reply::to(delivery, None, request.id), why, out);
        }
        let reply = Reply::to(delivery, request.reply_to, request.id);
        let Some(node) = self.house.node(zone, device) else {
            let why = format!("no device {zone}/{device} is registered");
            return self.refuse(delivery, &reply, why, out);
        };
        self.clock.observe(request.clock);
        let known = self.house.devices().get(&node).is_some_and(|row| row.cached);
        let (id, clock) = (self.settings.id, self.clock);
        self.say(out, || {
            format!(
                "Gateway {id}: Reading data of {device}. Gateway current clock value is {clock}"
            )
        });
        match self.cache.query(node, known) {
            (used, Some(row)) => {
                self.say(out, || "Using the cached data.".to_owned());
                self.tell_state(&reply, used, &row, out);
            }
            (used, None) => self.load(node, Asked::Query(reply, used, request.refresh), out),
        }
        self.acknowledge(delivery, out);
    }

    /// With a lease, and on a query session only if the zone was ours after the session was up, and
    /// is so still by all that was applied: the lease may be newer than a move.
    pub(crate) fn may_answer(&self, session: &Session, now: Moment) -> bool {
        let ours = match session {
            Session::Query(zone) => {
                let confirmed = self.zones.get(zone).is_some_and(|owned| owned.confirmed);
                let told = confirmed || mutant!(AnsweredUnconfirmed);
                let ours = self.is_ours(zone) || mutant!(AnsweredAfterTheMove);
                told && ours
            }
            Session::Zone(_) | Session::Site | Session::Own => true,
        };
        ours && (self.leases.holds(now) || mutant!(AnsweredWithoutALease))
    }

    /// Without a lease nothing may be said; it may come any moment.
    pub(crate) fn park(&mut self, delivery: Delivery, out: &mut Step) {
        if self.queries.parked.len() >= WAITING {
            return self.refuse_unleased(&delivery, out);
        }
        let until = self.now.moment + self.settings.timing.lease;
        self.queries.parked.push_back(Parked { delivery, until });
    }

    /// The lease is here, or the leader's word that a zone is still ours.
    pub(crate) fn unpark(&mut self, out: &mut Step) {
        let parked = core::mem::take(&mut self.queries.parked).into_iter();
        let (ready, waiting): (VecDeque<_>, _) =
            parked.partition(|parked| self.may_answer(&parked.delivery.session, self.now.moment));
        self.queries.parked = waiting;
        for Parked { delivery, .. } in ready {
            self.deliver(delivery, out);
        }
    }

    pub(crate) fn query_chores(&mut self, out: &mut Step) {
        let now = self.now.moment;
        while self.queries.parked.front().is_some_and(|parked| now >= parked.until) {
            if let Some(Parked { delivery, .. }) = self.queries.parked.pop_front() {
                self.refuse_unleased(&delivery, out);
            }
        }
        let mut late = Vec::new();
        for waiting in self.queries.refreshing.values_mut() {
            late.extend(waiting.extract_if(.., |(_, _, until)| now >= *until));
        }
        self.queries.refreshing.retain(|_, waiting| !waiting.is_empty());
        for (reply, ..) in late {
            let why =
                "the device did not report; without \"refresh\" its last agreed state is told";
            self.answer(&reply, Answer::error(why), out);
        }
    }

    fn refuse_unleased(&self, delivery: &Delivery, out: &mut Step) {
        let (site, me) = (self.topics.site(), self.settings.id);
        let why = format!(
            "gateway {me} cannot reach a majority of the gateways, so what it knows may be old; \
             hearth/{site}/gateway/{me}/get tells its own copy"
        );
        self.refuse(delivery, &Reply::to(delivery, None, None), why, out);
    }

    /// A row came from the table.
    pub(crate) fn queried(
        &mut self,
        row: StatusRow,
        (reply, used, refresh): (Reply, CacheUse, bool),
        out: &mut Step,
    ) {
        // The session may have been lost and opened again since it was asked.
        let confirmed = |zone| self.zones.get(zone).is_some_and(|owned| owned.confirmed);
        if !matches!(&reply.session, Session::Query(zone) if confirmed(zone) || mutant!(AnsweredUnconfirmed))
        {
            return;
        }
        self.cache_row(&row, out);
        if refresh {
            return self.refresh(row.node, reply, used, out);
        }
        self.tell_state(&reply, used, &row, out);
    }

    /// Asks the device itself; its report answers the query when it is agreed.
    fn refresh(&mut self, node: NodeId, reply: Reply, used: CacheUse, out: &mut Step) {
        let Some(row) = self.house.devices().get(&node) else { return };
        out.effects.push(Effect::Publish {
            session: Session::Zone(row.zone.clone()),
            topic: self.topics.device(&row.zone, &row.name, ZoneVerb::Command),
            payload: wire::Command::REPORT.to_vec(),
            at_least_once: true,
            retain: false,
            correlation: None,
        });
        let waiting = self.queries.refreshing.entry(node).or_default();
        if waiting.len() < WAITING {
            waiting.push((reply, used, self.now.moment + REFRESH));
        }
    }

    /// A report was agreed: queries that asked the device for it are answered.
    pub(crate) fn refreshed(&mut self, row: &StatusRow, out: &mut Step) {
        for (reply, used, _) in self.queries.refreshing.remove(&row.node).unwrap_or_default() {
            self.tell_state(&reply, used, row, out);
        }
    }

    /// Puts a row that is in the table into the cache too.
    pub(crate) fn cache_row(&mut self, row: &StatusRow, out: &mut Step) -> Put {
        let put = self.cache.put(row.clone());
        let me = self.settings.id;
        self.say(out, || match put {
            Put::Off => "Will Proceed Without Caching as cacheSize is 0".to_owned(),
            Put::Added => format!("Adding the cache in Gateway-{me}."),
            Put::Updated => format!("Updating the cache in Gateway-{me}."),
            Put::Evicted => format!(
                "Cache full in GATEWAY-{me} Evicting the cache using LRU and caching the current item"
            ),
        });
        put
    }

    fn tell_state(&mut self, reply: &Reply, used: CacheUse, row: &StatusRow, out: &mut Step) {
        let clock = self.clock.tick();
        let mut json = self.state_message(row).to_json();
        json["clock"] = clock.0.into();
        json["cache"] = used.to_string().into();
        self.answer(reply, Answer::ok(json), out);
    }

    /// Reads one device's row for someone.
    pub(crate) fn load(&mut self, node: NodeId, asked: Asked, out: &mut Step) {
        if let Some(ticket) = self.ask_store(asked, out) {
            out.reads.push(Read::Status(node, ticket));
        }
    }
}
