//! What a gateway tells of the site and of itself.

use std::time::Duration;

use paxos::Moment;
use serde_json::{Value as Json, json};
use wire::{CacheCounts, Clock};

use crate::consensus::agreement::Agreement;
use crate::consensus::standing::Standing;
use crate::context::Context;
use crate::ownership::cache::Cache;
use crate::ownership::lease::Lease;
use crate::ownership::peers::Peers;
use crate::ownership::zones::Zones;
use crate::requests::trouble::trouble;
use crate::snapshots::SnapshotId;
use crate::timekeeping::timekeeper::Timekeeper;

/// Everything that is told of.
#[derive(Clone, Copy)]
pub(crate) struct Overview<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) agreement: &'a Agreement,
    pub(crate) standing: &'a Standing,
    pub(crate) peers: &'a Peers,
    pub(crate) zones: &'a Zones,
    pub(crate) lease: &'a Lease,
    pub(crate) cache: &'a Cache,
    /// The snapshot that is fetched, and how much of it is here.
    pub(crate) fetched: Option<(SnapshotId, u64)>,
    /// Requests that were refused for good since this gateway started.
    pub(crate) refused: u64,
    pub(crate) clock: Clock,
    pub(crate) started: Moment,
    pub(crate) timekeeper: &'a Timekeeper,
}

impl Overview<'_> {
    pub(crate) fn gateways(&self) -> Json {
        let ctx = self.ctx;
        let gateways = ctx.house.gateways().iter().map(|(id, member)| {
            let beat = self.peers.beat(*id);
            let mine = *id == ctx.me();
            let zones = ctx.house.zones().iter().filter(|(_, row)| row.owner == *id);
            let votes = self.agreement.voters().numbered(id.0).is_some();
            json!({
                "gateway": id, "alive": member.alive, "serves": member.serves,
                "votes": votes, "leader": ctx.leader == Some(*id),
                "applied": if mine { Some(ctx.applied.0) } else { beat.map(|b| b.applied) },
                "seq": if mine { Some(ctx.house.counters().seq) } else { beat.map(|b| b.seq) },
                "zones": zones.map(|(zone, _)| zone).collect::<Vec<_>>(),
                "devices": ctx.house.load(*id), "clock_off": self.timekeeper.off_by(ctx, *id),
            })
        });
        json!({"gateways": gateways.collect::<Vec<_>>()})
    }

    pub(crate) fn zones(&self) -> Json {
        let house = &self.ctx.house;
        let zones = house.zones().iter().map(|(zone, row)| {
            json!({
                "zone": zone, "owner": row.owner, "home": row.home, "epoch": row.epoch,
                "devices": house.devices_of(zone).count(),
            })
        });
        json!({"zones": zones.collect::<Vec<_>>()})
    }

    pub(crate) fn site(&self) -> Json {
        let caches = self.ctx.house.gateways().keys().map(|id| {
            let cache = match self.peers.beat(*id) {
                Some(beat) => beat.cache,
                None if *id == self.ctx.me() => self.cache.counts(),
                None => CacheCounts::default(),
            };
            json!({"gateway": id, "cache": cache})
        });
        let mut json = self.own();
        json["gateways"] = caches.collect::<Vec<_>>().into();
        json
    }

    pub(crate) fn own(&self) -> Json {
        let (ctx, me) = (self.ctx, self.ctx.me());
        let counts = self.cache.counts();
        let snapshot = self
            .fetched
            .map(|(id, held)| json!({"slot": id.slot.0, "bytes": id.bytes, "held": held}));
        let devices =
            ctx.house.devices_at(me).map(|(node, row)| (row.name.to_string(), json!(node)));
        json!({
            "gateway": me, "votes": self.agreement.votes(), "leader": ctx.leader,
            "trouble": trouble(ctx, self.agreement, self.standing, self.peers),
            "version": ctx.house.counters().version,
            "generation": ctx.settings.generation,
            "applied": ctx.applied.0, "ballot": self.agreement.round(),
            "serves": ctx.settings.serves, "seq": ctx.house.counters().seq, "clock": self.clock,
            "open_orders": ctx.house.orders().len(), "lease": self.lease.holds(ctx.now.moment),
            "cache": {
                "hits": counts.hits, "misses": counts.misses, "cold_misses": counts.cold_misses,
                "size": ctx.settings.cache,
            },
            "snapshot": snapshot, "dropped_qos0": self.zones.dropped(),
            "refused": self.refused,
            "zones": self.zones.names().collect::<Vec<_>>(),
            "devices": devices.collect::<serde_json::Map<_, _>>(),
            "clock_off": self.timekeeper.off_by(ctx, me), "offset": ctx.house.counters().offset.0,
            "seconds": Duration::from_micros(ctx.now.moment.0 - self.started.0).as_secs_f64(),
        })
    }
}
