//! What comes in on a zone's session: reports and orders to be agreed, and the devices' wills.

use wire::{
    Clock, Device, RETAINED_PROPERTY, Report, RequestId, STAMP_PROPERTY, SetRequest, Stamp, Zone,
    ZoneVerb,
};

use crate::command::{Op, Origin, Said};
use crate::consensus::versions;
use crate::context::Context;
use crate::event::Delivery;
use crate::house::Refusal;
use crate::ownership::flights::{Handle, Requester};
use crate::ownership::publications;
use crate::ownership::zones::Zones;
use crate::planted;
use crate::reply::{Reply, acknowledge, check_reply_to, misaddressed, refuse};
use crate::want::Wants;

const TOO_NEW: &str = "some gateways of this site still run a program that takes no such state; it will be taken once they are upgraded";

/// What a delivery of a zone's session may touch.
pub(crate) struct Deliveries<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) zones: &'a mut Zones,
    pub(crate) clock: &'a mut Clock,
}

impl Deliveries<'_> {
    pub(crate) fn take(
        &mut self,
        delivery: &Delivery,
        zone: &Zone,
        device: &Device,
        verb: ZoneVerb,
        out: &mut Wants,
    ) {
        match verb {
            ZoneVerb::Report => self.report(delivery, zone, device, out),
            ZoneVerb::Set => self.set(delivery, zone, device, out),
            ZoneVerb::Status => self.presence(delivery, zone, device, out),
            ZoneVerb::State | ZoneVerb::Get | ZoneVerb::Command => {
                misaddressed(delivery, out);
            }
        }
    }

    fn report(&mut self, delivery: &Delivery, zone: &Zone, device: &Device, out: &mut Wants) {
        let report = match Report::parse(&delivery.payload) {
            Ok(report) => report,
            Err(error) => {
                let reply = Reply::to(delivery, None, None);
                return refuse(delivery, &reply, Refusal::Payload, error, out);
            }
        };
        // A live publish may carry the RETAIN flag too; only the store of retained messages
        // delivers something that may be older than what was agreed since.
        let retained = delivery.properties.iter().any(|(name, _)| name == RETAINED_PROPERTY)
            || (delivery.retain && !self.ctx.settings.own_broker);
        if retained && self.ctx.house.node(zone, device).is_some() {
            return acknowledge(delivery, out);
        }
        self.clock.observe(report.clock);
        let Report { state, presence, kind, order, id, .. } = report;
        let Some(state) = versions::agreed_form(self.ctx, state) else {
            return refuse(
                delivery,
                &Reply::to(delivery, None, id),
                Refusal::Payload,
                TOO_NEW,
                out,
            );
        };
        let report = Said { state, presence, kind, order, retained };
        let reply = Reply::to(delivery, None, id.clone());
        let asked = Asked { delivery, zone, id, reply, wait_for_state: false };
        self.propose(asked, out, |origin| {
            let (zone, device) = (zone.clone(), device.clone());
            Op::Report { zone, device, report, origin }
        });
    }

    fn set(&mut self, delivery: &Delivery, zone: &Zone, device: &Device, out: &mut Wants) {
        let request = match SetRequest::parse(&delivery.payload) {
            Ok(request) => request,
            Err(error) => {
                let reply = Reply::to(delivery, None, None);
                return refuse(delivery, &reply, Refusal::Payload, error, out);
            }
        };
        let SetRequest { state, wait_for_state, expires, reply_to, id, clock } = request;
        if let Err(why) = check_reply_to(self.ctx, delivery, reply_to.as_deref()) {
            let reply = Reply::to(delivery, None, id);
            return refuse(delivery, &reply, Refusal::Denied, why, out);
        }
        let reply = Reply::to(delivery, reply_to, id.clone());
        if delivery.retain {
            let why = "a retained set would be obeyed again and again; publish it without retain";
            return refuse(delivery, &reply, Refusal::Payload, why, out);
        }
        let Some(state) = versions::agreed_form(self.ctx, state) else {
            return refuse(delivery, &reply, Refusal::Payload, TOO_NEW, out);
        };
        self.clock.observe(clock);
        let asked = Asked { delivery, zone, id, reply, wait_for_state };
        self.propose(asked, out, |origin| {
            let (zone, device) = (zone.clone(), device.clone());
            Op::Set { zone, device, state, expires, origin }
        });
    }

    /// Proposes an entry for a delivery, which is acknowledged when the entry is agreed.
    fn propose(&mut self, asked: Asked<'_>, out: &mut Wants, op: impl FnOnce(Origin) -> Op) {
        let Asked { delivery, zone, id, reply, wait_for_state } = asked;
        let Some(epoch) = self.zones.epoch(zone) else { return };
        let Some(flights) = self.zones.flights(zone) else { return };
        if !delivery.promised && !flights.takes_unpromised() {
            return flights.note_dropped();
        }
        let origin = Origin { epoch, number: flights.next(), id, stamp: stamp(delivery) };
        let payload = self.ctx.entry(self.clock, op(origin));
        let handle = Handle { generation: delivery.generation, token: delivery.token };
        let requester = Requester { delivery: Some(handle), reply, wait_for_state };
        let request = flights.push(payload, requester, delivery.promised, self.ctx.now.moment);
        planted::deliveries::acknowledged_before_agreed(delivery, out);
        out.agree(paxos::Input::Propose(vec![request]));
    }

    /// A device came or went: what it was not told while it was away, it is told now.
    fn presence(&mut self, delivery: &Delivery, zone: &Zone, device: &Device, out: &mut Wants) {
        let online = match delivery.payload.as_slice() {
            b"online" => true,
            b"offline" => false,
            _ => return acknowledge(delivery, out),
        };
        self.zones.note_presence(zone, device, online);
        if let Some(node) = self.ctx.house.node(zone, device).filter(|_| online) {
            publications::command(self.ctx, self.zones, zone, node, out);
        }
        acknowledge(delivery, out);
    }
}

/// A request that is to be agreed.
struct Asked<'a> {
    delivery: &'a Delivery,
    zone: &'a Zone,
    id: Option<RequestId>,
    reply: Reply,
    wait_for_state: bool,
}

fn stamp(delivery: &Delivery) -> Option<Stamp> {
    let stamp = delivery.properties.iter().find(|(name, _)| name == STAMP_PROPERTY);
    stamp.and_then(|(_, value)| value.parse().ok())
}
