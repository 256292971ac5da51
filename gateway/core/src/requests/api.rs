//! The API of the site, answered by the leader, and what any gateway answers for itself.

use serde_json::{Value as Json, json};
use wire::{
    Answer, ApiVerb, CacheUse, GatewayId, GatewayVerb, GetRequest, LocalGet, NodeId, PayloadError,
    Register, Seq, State,
};

use crate::consensus::agreement::Ticket;
use crate::event::{Delivery, HistoryRow, Read};
use crate::gateway::Gateway;
use crate::house::StatusRow;
use crate::mutant::mutant;
use crate::requests::reply::Reply;
use crate::step::Step;

/// Someone who waits for the store.
#[derive(Debug)]
pub(crate) enum Asked {
    /// The owner, for a query: whom to answer, how the cache was used, and whether to ask the
    /// device too.
    Query(Reply, CacheUse, bool),
    /// A local read.
    Local(Reply),
    /// The registration table with the states.
    Devices(Reply),
    /// Agreed changes.
    History(Reply),
    /// The numbered event log.
    Log(Reply),
}

/// Reads that wait for the store at once; it answers within a write, so this is a burst.
const ASKED: usize = 4096;

const TOO_MANY: &str = "too many requests at once; try again";

/// Most rows that one answer carries: about 200 bytes each, so far below a packet's 1 MiB.
const ROWS: u32 = 1000;

impl Gateway {
    /// Leases outlive a leadership, so the leader asks a majority before it answers.
    pub(crate) fn api(&mut self, delivery: &Delivery, verb: ApiVerb, out: &mut Step) {
        if mutant!(ApiWithoutARound) {
            return self.answer_api(delivery, verb, out);
        }
        if self.tickets.len() >= ASKED {
            return self.refuse(delivery, &asker(delivery), TOO_MANY, out);
        }
        self.confirm(Ticket::Api(Box::new(delivery.clone()), verb), out);
    }

    /// Whether this gateway led when it was asked, and nobody else can have agreed on anything before that.
    pub(crate) fn api_confirmed(
        &mut self,
        delivery: &Delivery,
        verb: ApiVerb,
        leads: bool,
        out: &mut Step,
    ) {
        if leads {
            return self.answer_api(delivery, verb, out);
        }
        let me = self.settings.id;
        let why = format!(
            "gateway {me} led the site, and does not any more or reaches no majority of the \
             gateways; ask again"
        );
        self.refuse(delivery, &asker(delivery), why, out);
    }

    fn answer_api(&mut self, delivery: &Delivery, verb: ApiVerb, out: &mut Step) {
        let common = match GetRequest::parse(&delivery.payload) {
            Ok(common) => common,
            Err(error) => {
                return self.refuse(delivery, &Reply::to(delivery, None, None), error, out);
            }
        };
        if let Err(why) = self.check_reply_to(common.reply_to.as_deref()) {
            return self.refuse(delivery, &Reply::to(delivery, None, common.id), why, out);
        }
        let reply = Reply::to(delivery, common.reply_to, common.id);
        let done = match verb {
            ApiVerb::Register => Register::parse(&delivery.payload)
                .map(|register| self.register(register, reply.clone(), out)),
            ApiVerb::Devices => {
                self.read_everything(reply.clone(), out);
                Ok(())
            }
            ApiVerb::Gateways => self.answer_now(&reply, self.tell_gateways(), out),
            ApiVerb::Zones => self.answer_now(&reply, self.tell_zones(), out),
            ApiVerb::Stats => self.answer_now(&reply, self.tell_site_stats(), out),
            ApiVerb::History => {
                self.read_history(&delivery.payload, Asked::History(reply.clone()), out)
            }
            ApiVerb::Voters => self.asked_for_voters(&delivery.payload, reply.clone(), out),
            ApiVerb::Log => self.read_history(&delivery.payload, Asked::Log(reply.clone()), out),
        };
        match done {
            Ok(()) => self.acknowledge(delivery, out),
            Err(error) => self.refuse(delivery, &reply, error, out),
        }
    }

    /// What this gateway answers for itself, from its own copy, leader or not.
    pub(crate) fn local(&mut self, delivery: &Delivery, verb: GatewayVerb, out: &mut Step) {
        let reply = Reply::to(delivery, None, None);
        let done = match verb {
            GatewayVerb::Get => self.local_get(&delivery.payload, reply.clone(), out),
            GatewayVerb::Stats => self.answer_now(&reply, self.tell_own_stats(), out),
            GatewayVerb::Log => {
                self.read_history(&delivery.payload, Asked::Log(reply.clone()), out)
            }
            GatewayVerb::Lead => {
                let hold = member(&delivery.payload, "hold") == Json::Bool(true);
                self.contend(hold, reply.clone(), out);
                Ok(())
            }
            GatewayVerb::Status => Ok(()),
        };
        if let Err(error) = done {
            self.refuse(delivery, &reply, error, out);
        }
    }

    fn local_get(
        &mut self,
        payload: &[u8],
        reply: Reply,
        out: &mut Step,
    ) -> Result<(), PayloadError> {
        let LocalGet { zone, device } = LocalGet::parse(payload)?;
        match self.house.node(&zone, &device) {
            Some(node) => self.load(node, Asked::Local(reply), out),
            None => {
                let why = format!("no device {zone}/{device} is registered here");
                self.answer(&reply, Answer::error(why), out);
            }
        }
        Ok(())
    }

    fn answer_now(&self, reply: &Reply, json: Json, out: &mut Step) -> Result<(), PayloadError> {
        self.answer(reply, Answer::ok(json), out);
        Ok(())
    }

    /// Takes a ticket for the store; refuses when too many wait.
    pub(crate) fn ask_store(&mut self, asked: Asked, out: &mut Step) -> Option<u64> {
        if self.asked.len() >= ASKED {
            self.answer(asked.reply(), Answer::error(TOO_MANY), out);
            return None;
        }
        self.next_ticket += 1;
        self.asked.insert(self.next_ticket, asked);
        Some(self.next_ticket)
    }

    fn read_everything(&mut self, reply: Reply, out: &mut Step) {
        if let Some(ticket) = self.ask_store(Asked::Devices(reply), out) {
            out.reads.push(Read::Everything(ticket));
        }
    }

    fn read_history(
        &mut self,
        payload: &[u8],
        asked: Asked,
        out: &mut Step,
    ) -> Result<(), PayloadError> {
        let one_device = !member(payload, "device").is_null();
        let node = match one_device.then(|| LocalGet::parse(payload)).transpose()? {
            // A number that no device has: an unknown device has no history.
            Some(LocalGet { zone, device }) => {
                Some(self.house.node(&zone, &device).unwrap_or(NodeId(0)))
            }
            None => None,
        };
        let from = member(payload, "from").as_u64().map(Seq);
        let limit = member(payload, "limit").as_u64().unwrap_or(100).min(u64::from(ROWS));
        if let Some(ticket) = self.ask_store(asked, out) {
            out.reads.push(Read::History { node, from, limit: limit as u32, ticket });
        }
        Ok(())
    }

    /// One device's row came from the table.
    pub(crate) fn loaded(&mut self, row: Option<StatusRow>, ticket: u64, out: &mut Step) {
        let asked = self.asked.remove(&ticket);
        match (asked, row) {
            (Some(Asked::Query(reply, used, refresh)), Some(row)) => {
                self.queried(row, (reply, used, refresh), out);
            }
            (Some(Asked::Local(reply)), Some(row)) => {
                let mut json = self.state_message(&row).to_json();
                json["local"] = true.into();
                json["gateway"] = self.settings.id.0.into();
                let device = self.house.devices().get(&row.node);
                let zone = device.and_then(|device| self.house.zones().get(&device.zone));
                json["owner"] = json!(zone.map(|zone| zone.owner));
                self.answer(&reply, Answer::ok(json), out);
            }
            (Some(asked), None) => {
                self.answer(asked.reply(), Answer::error("the device has no status yet"), out);
            }
            _ => {}
        }
    }

    pub(crate) fn tell_devices(&mut self, rows: &[StatusRow], ticket: u64, out: &mut Step) {
        let Some(asked) = self.asked.remove(&ticket) else { return };
        let devices = rows.iter().filter_map(|row| {
            let device = self.house.devices().get(&row.node)?;
            let zone = self.house.zones().get(&device.zone)?;
            Some(json!({
                "node": row.node, "zone": device.zone, "name": device.name,
                "kind": device.kind.name(), "class": device.kind.class(), "owner": zone.owner,
                "state": row.state.as_ref().map(State::to_json),
                "desired": row.desired.as_ref().map(|desired| desired.state.to_json()),
                "seq": row.seq, "time": row.time,
            }))
        });
        let devices: Vec<Json> = devices.collect();
        self.answer(asked.reply(), Answer::ok(json!({ "devices": devices })), out);
    }

    pub(crate) fn tell_history(&mut self, rows: &[HistoryRow], ticket: u64, out: &mut Step) {
        let Some(asked) = self.asked.remove(&ticket) else { return };
        let name = |node| self.house.devices().get(&node).map(|row| (&row.name, &row.zone));
        let json = match &asked {
            Asked::Log(_) => json!({"log": rows.iter().map(|row| json!({
                "seq": row.seq, "node": row.node, "name": name(row.node).map(|(name, _)| name),
                "register": row.register, "value": value(&row.value),
            })).collect::<Vec<_>>()}),
            _ => json!({"history": rows.iter().map(|row| json!({
                "seq": row.seq, "time": row.time, "node": row.node,
                "name": name(row.node).map(|(name, _)| name),
                "zone": name(row.node).map(|(_, zone)| zone),
                "register": row.register, "value": value(&row.value), "order": row.ordered,
                "clock": row.clock, "owner": row.owner, "note": row.note,
            })).collect::<Vec<_>>()}),
        };
        self.answer(asked.reply(), Answer::ok(json), out);
    }

    fn tell_gateways(&self) -> Json {
        let gateways = self.house.gateways().iter().map(|(id, member)| {
            let beat = self.peers.beat(*id);
            let mine = *id == self.settings.id;
            let zones = self.house.zones().iter().filter(|(_, row)| row.owner == *id);
            json!({
                "gateway": id, "alive": member.alive, "serves": member.serves,
                "votes": self.paxos.voters().numbered(id.0).is_some(), "leader": self.leader() == Some(*id),
                "applied": if mine { Some(self.applied.0) } else { beat.map(|b| b.applied) },
                "seq": if mine { Some(self.house.counters().seq) } else { beat.map(|b| b.seq) },
                "zones": zones.map(|(zone, _)| zone).collect::<Vec<_>>(),
                "devices": self.house.load(*id),
            })
        });
        json!({"gateways": gateways.collect::<Vec<_>>()})
    }

    fn tell_zones(&self) -> Json {
        let zones = self.house.zones().iter().map(|(zone, row)| {
            json!({
                "zone": zone, "owner": row.owner, "home": row.home, "epoch": row.epoch,
                "devices": self.house.devices_of(zone).count(),
            })
        });
        json!({"zones": zones.collect::<Vec<_>>()})
    }

    fn tell_site_stats(&self) -> Json {
        let caches = self.house.gateways().keys().map(|id| {
            let cache = match self.peers.beat(*id) {
                Some(beat) => beat.cache,
                None if *id == self.settings.id => self.cache.counts(),
                None => wire::CacheCounts::default(),
            };
            json!({"gateway": id, "cache": cache})
        });
        let mut json = self.tell_own_stats();
        json["gateways"] = caches.collect::<Vec<_>>().into();
        json
    }

    fn tell_own_stats(&self) -> Json {
        let me: GatewayId = self.settings.id;
        let counts = self.cache.counts();
        let snapshot = self
            .snapshots
            .progress()
            .map(|(id, held)| json!({"slot": id.slot.0, "bytes": id.bytes, "held": held}));
        let devices =
            self.house.devices_at(me).map(|(node, row)| (row.name.to_string(), json!(node)));
        json!({
            "gateway": me, "votes": self.paxos.votes(), "leader": self.leader(), "applied": self.applied.0,
            "ballot": self.paxos.ballot().round, "serves": self.settings.serves,
            "seq": self.house.counters().seq, "clock": self.clock,
            "open_orders": self.house.orders().len(), "lease": self.leases.holds(self.now.moment),
            "cache": {
                "hits": counts.hits, "misses": counts.misses, "cold_misses": counts.cold_misses,
                "size": self.settings.cache,
            },
            "snapshot": snapshot,
            "zones": self.zones.keys().collect::<Vec<_>>(),
            "devices": devices.collect::<serde_json::Map<_, _>>(),
            "seconds": self.uptime(),
        })
    }
}

impl Asked {
    pub(crate) fn reply(&self) -> &Reply {
        match self {
            Self::Query(reply, ..)
            | Self::Local(reply)
            | Self::Devices(reply)
            | Self::History(reply)
            | Self::Log(reply) => reply,
        }
    }
}

/// Where a request is answered that is not looked at more closely.
fn asker(delivery: &Delivery) -> Reply {
    let common = GetRequest::parse(&delivery.payload).ok();
    let (to, id) = common.map_or((None, None), |common| (common.reply_to, common.id));
    Reply::to(delivery, to, id)
}

/// A member of a payload that may be no JSON at all.
fn member(payload: &[u8], name: &str) -> Json {
    serde_json::from_slice::<Json>(payload).map_or(Json::Null, |mut json| json[name].take())
}

/// A canonical text as JSON.
fn value(text: &str) -> Json {
    State::parse(text).map_or_else(|_| Json::from(text), |state| state.to_json())
}
