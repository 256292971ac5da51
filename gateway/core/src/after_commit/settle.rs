//! What follows once an entry is in the tables: the owner's cache, the retained state, the order
//! to the device, the answer to the requester, and the acknowledgement to the broker, in this
//! order.

use paxos::Slot;
use wire::{Answer, Device, NodeId, StateMessage, Zone, ZoneVerb};

use crate::command::{Entry, Op, Origin};
use crate::event::{Effect, Session};
use crate::gateway::Gateway;
use crate::house::{Note, Outcome, StatusRow, Verdict, Written};
use crate::mutant::mutant;
use crate::step::Step;
use crate::story::table;

/// An entry that is applied and not yet in the tables.
#[derive(Debug)]
pub(crate) struct Unsettled {
    pub(crate) slot: Slot,
    /// None for a change of voters.
    pub(crate) entry: Option<Entry>,
    pub(crate) outcome: Outcome,
}

impl Gateway {
    /// Everything up to `slot` is written.
    pub(crate) fn settle(&mut self, slot: Slot, out: &mut Step) {
        while let Some(next) = self.unsettled.pop_front_if(|next| next.slot <= slot) {
            let rows = self.rows.drain(..next.outcome.written.len()).collect();
            self.settle_one(next.entry.as_ref(), next.outcome, rows, out);
        }
    }

    fn settle_one(
        &mut self,
        entry: Option<&Entry>,
        outcome: Outcome,
        rows: Vec<StatusRow>,
        out: &mut Step,
    ) {
        let mine = entry.filter(|entry| entry.by == self.settings.id);
        for node in &outcome.registered {
            self.registered(*node, &rows, out);
        }
        if !outcome.moved.is_empty() || outcome.notes.iter().any(|n| matches!(n, Note::Joined(..)))
        {
            // A gateway that has just joined may own zones that this entry did not move.
            let zones: Vec<Zone> = self.house.zones().keys().cloned().collect();
            for zone in zones {
                self.reconcile(&zone, out);
            }
        }
        for (written, row) in outcome.written.iter().zip(&rows) {
            self.written(written, row, out);
        }
        for note in &outcome.notes {
            self.tell_note(note, mine.is_some(), out);
        }
        if let Some(entry) = mine {
            self.answer_proposer(&entry.op, &outcome.verdict, out);
        }
        for (node, order) in &outcome.dropped {
            self.order_over(*node, *order, false, out);
        }
        for (node, order) in &outcome.closed {
            self.order_over(*node, *order, true, out);
        }
    }

    fn registered(&mut self, node: NodeId, rows: &[StatusRow], out: &mut Step) {
        let Some(device) = self.house.devices().get(&node).cloned() else { return };
        if !self.zones.contains_key(&device.zone) {
            return;
        }
        let (me, name) = (self.settings.id, &device.name);
        self.say(out, || format!("Registering {name} with gateway {me} with node ID {node}"));
        // A registration by report writes the row in the same entry.
        if !rows.iter().any(|row| row.node == node) {
            let row = StatusRow::empty(node, device.registered);
            self.cache_row(&row, out);
            self.publish_state(&device.zone, &device.name, &row, out);
        }
        self.say_tables(out);
    }

    fn written(&mut self, written: &Written, row: &StatusRow, out: &mut Step) {
        let Some(device) = self.house.devices().get(&row.node) else { return };
        let (zone, name) = (device.zone.clone(), device.name.clone());
        if !self.zones.contains_key(&zone) {
            return;
        }
        self.cache_row(row, out);
        self.say_stored(row, out);
        self.publish_state(&zone, &name, row, out);
        match written.order {
            Some(_) => self.command(&zone, row.node, out),
            None => self.refreshed(row, out),
        }
    }

    /// Sends a device its open order, unless it is known to be away: then it waits.
    pub(crate) fn command(&mut self, zone: &Zone, node: NodeId, out: &mut Step) {
        let Some(order) = self.house.orders().get(&node) else { return };
        let Some(device) = self.house.devices().get(&node) else { return };
        let Some(owned) = self.zones.get(zone) else { return };
        if owned.online.get(&device.name) == Some(&false) {
            return;
        }
        let (state, clock) = (order.state.clone(), order.clock);
        let command = wire::Command { order: order.number, state, clock };
        out.effects.push(Effect::Publish {
            session: Session::Zone(zone.clone()),
            topic: self.topics.device(zone, &device.name, ZoneVerb::Command),
            payload: command.to_json().to_string().into_bytes(),
            at_least_once: true,
            retain: false,
            correlation: None,
        });
    }

    /// A zone's session is up: everyone is told its states anew, and its devices their orders.
    pub(crate) fn republish(&mut self, zone: &Zone, rows: Vec<StatusRow>, out: &mut Step) {
        if !self.zones.contains_key(zone) {
            return;
        }
        for row in rows {
            let Some(device) = self.house.devices().get(&row.node) else { continue };
            let name = device.name.clone();
            self.say(out, || format!("Reconfiguring the Device {name}."));
            if !mutant!(StatesNotPublishedAgain) {
                self.publish_state(zone, &name, &row, out);
            }
            if !mutant!(OrdersNotSentAgain) {
                self.command(zone, row.node, out);
            }
        }
    }

    pub(crate) fn state_message(&self, row: &StatusRow) -> StateMessage {
        StateMessage {
            state: row.state.clone(),
            desired: row.desired.clone(),
            seq: row.seq,
            time: row.time,
            node: row.node,
            clock: row.clock,
            owner: self.settings.id,
        }
    }

    pub(crate) fn publish_state(
        &self,
        zone: &Zone,
        device: &Device,
        row: &StatusRow,
        out: &mut Step,
    ) {
        out.effects.push(Effect::Publish {
            session: Session::Zone(zone.clone()),
            topic: self.topics.device(zone, device, ZoneVerb::State),
            payload: self.state_message(row).to_json().to_string().into_bytes(),
            at_least_once: true,
            retain: true,
            correlation: None,
        });
    }

    fn answer_proposer(&mut self, op: &Op, verdict: &Verdict, out: &mut Step) {
        match op {
            Op::Report { zone, origin, .. } | Op::Set { zone, origin, .. } => {
                self.land(zone, origin, op, verdict, out);
            }
            Op::Register { tag, .. } => self.answer_registration(*tag, verdict, out),
            _ => {}
        }
    }

    /// A proposal of a zone is applied: answer, then acknowledge.
    fn land(&mut self, zone: &Zone, origin: &Origin, op: &Op, verdict: &Verdict, out: &mut Step) {
        let next = self.house.zones().get(zone).map_or(0, |row| row.next);
        let Some(owned) = self.zones.get_mut(zone).filter(|own| own.epoch == origin.epoch) else {
            return;
        };
        if *verdict == Verdict::Fenced {
            // Applied already, or chosen before one that it follows.
            owned.gap |= origin.number >= next;
            return;
        }
        let at = owned.flights.iter().position(|flight| flight.number == origin.number);
        let Some(flight) = at.and_then(|at| owned.flights.remove(at)) else { return };
        let current = flight.delivery.0 != 0 && flight.delivery.0 == owned.zone;
        if !current {
            return;
        }
        let (generation, token) = flight.delivery;
        let session = Session::Zone(zone.clone());
        match (verdict, op) {
            (Verdict::Refused(why), _) => self.answer(&flight.reply, Answer::error(why), out),
            (Verdict::Done { node, seq, order, .. }, Op::Set { state, .. }) => {
                let json = serde_json::json!({
                    "order": order, "seq": seq, "state": state.to_json(), "node": node,
                    "clock": self.clock, "owner": self.settings.id,
                });
                self.answer_order(flight, *node, *order, json, out);
            }
            (Verdict::Done { node, seq, .. }, _) if flight.reply.asked => {
                let json = serde_json::json!({
                    "seq": seq, "node": node, "clock": self.clock, "owner": self.settings.id,
                });
                self.answer(&flight.reply, Answer::ok(json), out);
            }
            _ => {}
        }
        out.effects.push(Effect::Acknowledge { session, generation, token });
    }

    fn tell_note(&mut self, note: &Note, mine: bool, out: &mut Step) {
        let words = match note {
            Note::Joined(id, again) if mine => {
                let back = if *again { "is back" } else { "joined" };
                format!("Gateway {id} {back}.")
            }
            Note::Died(id, devices) if mine => {
                let devices: Vec<_> = devices.iter().map(|(d, n)| (d.as_str(), *n)).collect();
                let devices = table(&devices, false);
                self.tell(out, format!("Devices connected to Failed replica are {devices}"));
                format!("GATEWAY-{id} FAILED. INITIATE FAILURE RECOVERY.")
            }
            other => match other.text() {
                Some(text) if mine => text.to_owned(),
                _ => return,
            },
        };
        self.tell(out, words);
    }
}
