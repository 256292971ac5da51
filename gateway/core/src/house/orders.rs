//! Changes of registers, and the orders that are open.

use wire::{NodeId, OrderNumber, State};

use super::change::{Change, Register};
use super::note::Note;
use super::outcome::{Outcome, Written};
use super::rows::OpenOrder;
use super::state::House;
use crate::command::{Entry, TimerName};

impl House {
    /// Orders a device to be `state`: writes `desired`, and leaves an open order that replaces any
    /// before it.
    pub(super) fn order(
        &mut self,
        entry: &Entry,
        node: NodeId,
        state: &State,
        note: Option<&Note>,
        out: &mut Outcome,
    ) -> (wire::Seq, OrderNumber) {
        let row = self.devices.get_mut(&node).expect("an order is for a registered device");
        row.orders = row.orders.next();
        let number = row.orders;
        out.changes.push(Change::Device(node, row.clone()));
        let register = Register::Desired(state.clone(), number);
        let seq = self.write(entry, node, register, note, out);
        let order = OpenOrder { number, state: state.clone(), clock: entry.clock };
        let replaced = self.orders.insert(node, order.clone());
        out.dropped.extend(replaced.map(|order| (node, order.number)));
        out.changes.push(Change::Order(node, Some(order)));
        self.set_timer(TimerName::DropOrder(node), None, out);
        (seq, number)
    }

    /// The open order of a device has expired.
    pub(super) fn drop_order(&mut self, node: NodeId, out: &mut Outcome) {
        let order = self.remove_order(node, out);
        out.dropped.extend(order.map(|order| (node, order.number)));
    }

    pub(super) fn remove_order(&mut self, node: NodeId, out: &mut Outcome) -> Option<OpenOrder> {
        let order = self.orders.remove(&node)?;
        out.changes.push(Change::Order(node, None));
        self.set_timer(TimerName::DropOrder(node), None, out);
        Some(order)
    }

    /// Changes a register of a device.
    pub(super) fn write(
        &mut self,
        entry: &Entry,
        node: NodeId,
        register: Register,
        note: Option<&Note>,
        out: &mut Outcome,
    ) -> wire::Seq {
        self.mark_cached(node, out);
        self.counters.seq = self.counters.seq.next();
        let seq = self.counters.seq;
        let (state, order) = match &register {
            Register::State(state, _) => (state.clone(), None),
            Register::Desired(state, number) => (state.clone(), Some(*number)),
        };
        out.written.push(Written { node, seq, state, order });
        out.changes.push(Change::Status {
            node,
            seq,
            time: self.counters.time_of_day(),
            clock: self.counters.clock,
            owner: entry.by,
            register,
            note: note.and_then(Note::text).map(str::to_owned),
        });
        seq
    }

    /// A write puts the device into its owner's cache, if that has one.
    fn mark_cached(&mut self, node: NodeId, out: &mut Outcome) {
        let Some(row) = self.devices.get_mut(&node) else { return };
        let owner = self.zones.get(&row.zone).map(|zone| zone.owner);
        let caches = owner.and_then(|id| self.gateways.get(&id)).is_some_and(|m| m.caches);
        if caches && !row.cached {
            row.cached = true;
            out.changes.push(Change::Device(node, row.clone()));
        }
    }
}
