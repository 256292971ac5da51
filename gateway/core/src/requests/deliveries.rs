//! What comes in on a zone's session: reports and orders to be agreed, and the devices' wills.

use wire::{
    Answer, Device, RETAINED_PROPERTY, Report, STAMP_PROPERTY, SetRequest, Stamp, Zone, ZoneVerb,
};

use crate::command::{Op, Origin, Said};
use crate::event::Delivery;
use crate::gateway::Gateway;
use crate::mutant::mutant;
use crate::ownership::zones::Flight;
use crate::requests::reply::Reply;
use crate::step::Step;

/// Proposals of one zone that are not applied yet. Our own broker never has more than 64 of QoS 1
/// and 2 on the way; a foreign one, or a flood at QoS 0, may.
const FLIGHTS: usize = 1024;

impl Gateway {
    pub(crate) fn zone_delivery(
        &mut self,
        delivery: &Delivery,
        zone: &Zone,
        device: &Device,
        verb: ZoneVerb,
        out: &mut Step,
    ) {
        match verb {
            ZoneVerb::Report => self.report(delivery, zone, device, out),
            ZoneVerb::Set => self.set(delivery, zone, device, out),
            ZoneVerb::Status => self.presence(delivery, zone, device, out),
            ZoneVerb::State | ZoneVerb::Get | ZoneVerb::Command => self.misaddressed(delivery, out),
        }
    }

    fn report(&mut self, delivery: &Delivery, zone: &Zone, device: &Device, out: &mut Step) {
        let report = match Report::parse(&delivery.payload) {
            Ok(report) => report,
            Err(error) => {
                return self.refuse(delivery, &Reply::to(delivery, None, None), error, out);
            }
        };
        // A live publish may carry the RETAIN flag too; only the store of retained messages
        // delivers something that may be older than what was agreed since.
        let retained = delivery.properties.iter().any(|(name, _)| name == RETAINED_PROPERTY)
            || (delivery.retain && !self.settings.own_broker);
        if retained && self.house.node(zone, device).is_some() {
            return self.acknowledge(delivery, out);
        }
        self.clock.observe(report.clock);
        let Report { state, presence, kind, order, id, .. } = report;
        let said = Said { state, presence, kind, order, retained };
        let reply = Reply::to(delivery, None, id.clone());
        let (zone_name, device) = (zone.clone(), device.clone());
        self.propose_for(delivery, zone, (reply, false), id, out, |origin| Op::Report {
            zone: zone_name,
            device,
            report: said,
            origin,
        });
    }

    fn set(&mut self, delivery: &Delivery, zone: &Zone, device: &Device, out: &mut Step) {
        let request = match SetRequest::parse(&delivery.payload) {
            Ok(request) => request,
            Err(error) => {
                return self.refuse(delivery, &Reply::to(delivery, None, None), error, out);
            }
        };
        let SetRequest { state, wait_for_state, expires, reply_to, id, clock } = request;
        if let Err(why) = self.check_reply_to(reply_to.as_deref()) {
            return self.refuse(delivery, &Reply::to(delivery, None, id), why, out);
        }
        let reply = Reply::to(delivery, reply_to, id.clone());
        if delivery.retain {
            let why = "a retained set would be obeyed again and again; publish it without retain";
            return self.refuse(delivery, &reply, why, out);
        }
        if self.house.node(zone, device).is_none() {
            let why = format!("no device {zone}/{device} is registered");
            return self.refuse(delivery, &reply, why, out);
        }
        self.clock.observe(clock);
        let (zone_name, device) = (zone.clone(), device.clone());
        self.propose_for(delivery, zone, (reply, wait_for_state), id, out, |origin| Op::Set {
            zone: zone_name,
            device,
            state,
            expires,
            origin,
        });
    }

    /// Proposes an entry for a delivery, which is acknowledged when the entry is agreed.
    fn propose_for(
        &mut self,
        delivery: &Delivery,
        zone: &Zone,
        (reply, wait_for_state): (Reply, bool),
        id: Option<wire::RequestId>,
        out: &mut Step,
        op: impl FnOnce(Origin) -> Op,
    ) {
        let Some(owned) = self.zones.get_mut(zone) else { return };
        if owned.flights.len() >= FLIGHTS {
            return self.refuse(delivery, &reply, "too many requests at once; try again", out);
        }
        let (epoch, number) = (owned.epoch, owned.next);
        owned.next += 1;
        let payload = self.entry(op(Origin { epoch, number, id, stamp: stamp(delivery) }));
        let flight = Flight {
            number,
            payload: payload.clone(),
            sent: self.now.moment,
            delivery: (delivery.generation, delivery.token),
            reply,
            wait_for_state,
        };
        if let Some(owned) = self.zones.get_mut(zone) {
            owned.flights.push_back(flight);
        }
        if mutant!(AcknowledgedBeforeAgreed) {
            self.acknowledge(delivery, out);
        }
        let session = paxos::SessionId(epoch.0);
        let request = paxos::Request { session, number, payload };
        self.agree(paxos::Input::Propose(vec![request]), out);
    }

    /// A device came or went: what it was not told while it was away, it is told now.
    fn presence(&mut self, delivery: &Delivery, zone: &Zone, device: &Device, out: &mut Step) {
        let online = match delivery.payload.as_slice() {
            b"online" => true,
            b"offline" => false,
            _ => return self.acknowledge(delivery, out),
        };
        if let Some(owned) = self.zones.get_mut(zone) {
            owned.online.insert(device.clone(), online);
        }
        if let Some(node) = self.house.node(zone, device).filter(|_| online) {
            self.command(zone, node, out);
        }
        self.acknowledge(delivery, out);
    }

    /// A query of a zone that nobody owns reaches the leader alone; one that is owned is its
    /// owner's business.
    pub(crate) fn query_nowhere(
        &mut self,
        delivery: &Delivery,
        zone: &Zone,
        device: &Device,
        out: &mut Step,
    ) {
        if !self.house.zones().contains_key(zone) {
            let why = format!("no device {zone}/{device} is registered, and no zone {zone}");
            self.answer(&Reply::to(delivery, None, None), Answer::error(why), out);
        }
        self.acknowledge(delivery, out);
    }
}

fn stamp(delivery: &Delivery) -> Option<Stamp> {
    let stamp = delivery.properties.iter().find(|(name, _)| name == STAMP_PROPERTY);
    stamp.and_then(|(_, value)| value.parse().ok())
}
