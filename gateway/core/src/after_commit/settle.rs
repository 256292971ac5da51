//! What follows once an entry is in the tables: the owner's cache, the retained state, the order
//! to the device, the answer to the requester, and the acknowledgement to the broker, in this
//! order.

use serde_json::json;
use wire::{Answer, Clock, NodeId, Zone, ZoneVerb};

use crate::after_commit::unsettled::{Unsettled, Written};
use crate::command::{Op, Origin};
use crate::context::Context;
use crate::event::{Effect, Session};
use crate::house::{self, Note, Refusal, StatusRow, Verdict};
use crate::ownership::cache::Cache;
use crate::ownership::flights::{Handle, Requester};
use crate::ownership::publications;
use crate::ownership::zones::{Kept, Zones};
use crate::requests::handler::RequestHandler;
use crate::requests::knocks::Door;
use crate::requests::waiters::OrderOf;
use crate::story;
use crate::want::{Refused, Want, Wants};

/// What an entry that is in the tables may touch.
pub(crate) struct Settling<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) unsettled: &'a Unsettled,
    pub(crate) zones: &'a mut Zones,
    pub(crate) cache: &'a mut Cache,
    pub(crate) requests: &'a mut RequestHandler,
    pub(crate) door: &'a mut Door,
    pub(crate) clock: &'a mut Clock,
}

impl Settling<'_> {
    pub(crate) fn settle(&mut self, written: &Written, out: &mut Wants) {
        let Written { entry, outcome, rows } = written;
        let mine = entry.as_ref().filter(|entry| entry.by == self.ctx.me());
        for node in &outcome.registered {
            self.registered(*node, rows, out);
        }
        let joined = outcome.notes.iter().any(|note| matches!(note, Note::Joined(..)));
        if joined || !outcome.moved.is_empty() || !outcome.removed.is_empty() {
            self.follow_owners(out);
        }
        for (written, row) in outcome.written.iter().zip(rows) {
            self.written(written, row, out);
        }
        if mine.is_some() {
            outcome.notes.iter().for_each(|note| story::tell_note(note, out));
        }
        if let Some(entry) = mine {
            self.answer_proposer(&entry.op, &outcome.verdict, out);
        }
        for (over, fulfilled) in [(&outcome.dropped, false), (&outcome.closed, true)] {
            for (node, number) in over {
                let order = OrderOf { node: *node, number: *number };
                self.requests.waiters().over(order, fulfilled, *self.clock, out);
            }
        }
    }

    /// Zones moved, or this gateway has just joined and may own zones that did not move.
    fn follow_owners(&mut self, out: &mut Wants) {
        let unwritten = self.unsettled.first_epoch();
        let gone: Vec<Zone> = self.zones.gone(self.ctx);
        for zone in gone.iter().chain(self.ctx.house.zones().keys()) {
            if self.zones.reconcile(self.ctx, zone, unwritten, out) == Kept::GivenUp {
                self.requests.forget(zone);
                self.cache.forget_zone(self.ctx, zone);
            }
        }
    }

    fn registered(&mut self, node: NodeId, rows: &[StatusRow], out: &mut Wants) {
        let ctx = self.ctx;
        let Some(device) = ctx.house.devices().get(&node) else { return };
        if !self.zones.owns(&device.zone) {
            return;
        }
        let (me, name) = (ctx.me(), &device.name);
        out.say(ctx, || format!("Registering {name} with gateway {me} with node ID {node}"));
        // A registration by report writes the row in the same entry.
        if !rows.iter().any(|row| row.node == node) {
            let row = StatusRow::empty(node, device.registered);
            self.cache.keep(ctx, &row, out);
            publications::state(ctx, &device.zone, name, &row, out);
        }
        story::say_tables(ctx, out);
    }

    fn written(&mut self, written: &house::Written, row: &StatusRow, out: &mut Wants) {
        let ctx = self.ctx;
        let Some(device) = ctx.house.devices().get(&row.node) else { return };
        let zone = &device.zone;
        if !self.zones.owns(zone) {
            return;
        }
        self.cache.keep(ctx, row, out);
        story::say_stored(ctx, row, out);
        publications::state(ctx, zone, &device.name, row, out);
        match written.order {
            Some(_) => publications::command(ctx, self.zones, zone, row.node, out),
            None => self.requests.refreshed(ctx, self.clock, row, out),
        }
    }

    fn answer_proposer(&mut self, op: &Op, verdict: &Verdict, out: &mut Wants) {
        match op {
            Op::Report { zone, origin, .. } | Op::Set { zone, origin, .. } => {
                self.land(zone, origin, op, verdict, out);
            }
            Op::Make { zone, .. } => {
                let refused = matches!(verdict, Verdict::Refused(..));
                self.door.made(self.ctx, zone, refused, out);
            }
            Op::Register { tag, .. } | Op::Enrol { tag, .. } => {
                self.requests.registered(self.ctx, *tag, verdict, out)
            }
            _ => {}
        }
    }

    /// A proposal of a zone is applied: answer, then acknowledge.
    fn land(&mut self, zone: &Zone, origin: &Origin, op: &Op, verdict: &Verdict, out: &mut Wants) {
        if self.zones.epoch(zone) != Some(origin.epoch) {
            return;
        }
        let Some(flights) = self.zones.flights(zone) else { return };
        if *verdict == Verdict::Fenced {
            // Applied already, or chosen before one that it follows.
            let next = self.ctx.house.zones().get(zone).map_or(0, |row| row.next);
            if origin.number >= next {
                flights.note_gap();
            }
            return;
        }
        let Some(requester) = flights.land(origin.number) else { return };
        let session = Session::Zone(zone.clone());
        let current = |it: &Handle| self.zones.is_current(&session, it.generation);
        let Some(delivery) = requester.delivery.filter(current) else { return };
        self.answer(requester, op, verdict, out);
        let refusal = self.refusal(op, verdict, out);
        let (generation, token) = (delivery.generation, delivery.token);
        out.effect(Effect::Acknowledge { session, generation, token, refusal });
    }

    /// Whether the proposal is refused for good; then it is counted and told of.
    fn refusal(&self, op: &Op, verdict: &Verdict, out: &mut Wants) -> Option<Refusal> {
        let Verdict::Refused(refusal, why) = verdict else { return None };
        let (zone, device, verb) = match op {
            Op::Report { zone, device, .. } => (zone, device, ZoneVerb::Report),
            Op::Set { zone, device, .. } => (zone, device, ZoneVerb::Set),
            _ => return None,
        };
        let (topic, why) = (self.ctx.topics.device(zone, device, verb), why.to_string());
        out.push(Want::Refused(Refused { topic, why }));
        Some(*refusal)
    }

    fn answer(&mut self, requester: Requester, op: &Op, verdict: &Verdict, out: &mut Wants) {
        let Requester { reply, wait_for_state, .. } = requester;
        let (clock, owner) = (*self.clock, self.ctx.me());
        match (verdict, op) {
            (Verdict::Refused(_, why), _) => reply.answer(Answer::error(why), out),
            (Verdict::Done { node, seq, order, .. }, Op::Set { state, .. }) => {
                let kind = self.ctx.house.kind(*node);
                let mut json = json!({
                    "order": order, "seq": seq, "state": state.to_json(), "node": node,
                    "kind": kind.name(), "clock": clock, "owner": owner,
                });
                kind.add_value(state, &mut json);
                if wait_for_state {
                    let order = order.map(|number| OrderOf { node: *node, number });
                    let open = order.filter(|order| self.is_open(*order));
                    self.requests.waiters().wait(open, reply, json, out);
                } else {
                    reply.answer(Answer::ok(json), out);
                }
            }
            (Verdict::Done { node, seq, .. }, _) if reply.is_asked() => {
                let json = json!({"seq": seq, "node": node, "clock": clock, "owner": owner});
                reply.answer(Answer::ok(json), out);
            }
            _ => {}
        }
    }

    /// Whether the end of an order is still to be told; the house may be ahead of the tables.
    fn is_open(&self, order: OrderOf) -> bool {
        let open = self.ctx.house.orders().get(&order.node);
        open.is_some_and(|open| open.number == order.number) || self.unsettled.ends(order)
    }
}
