//! What becomes of reports and orders.

use wire::{Device, Kind, NodeId, OrderNumber, State, Zone, ZoneVerb};

use super::seen::Receipt;
use super::{
    Change, DeviceRow, House, Note, OpenOrder, Outcome, Register, SeenKey, Verdict, Written,
};
use crate::command::{Entry, Origin, Said, TimerName};
use crate::planted::house as planted;

impl House {
    pub(super) fn report(
        &mut self,
        entry: &Entry,
        zone: &Zone,
        device: &Device,
        said: &Said,
        origin: &Origin,
        out: &mut Outcome,
    ) {
        let key = seen_key(zone, device, ZoneVerb::Report, origin);
        if self.answered_before(key.as_ref(), out) {
            return;
        }
        let known = self.node(zone, device);
        let kind = said.kind.unwrap_or_default();
        let Some(node) = known.or_else(|| self.register(zone, device, kind, out)) else { return };
        if said.retained {
            // It may be older than anything that was agreed since.
            out.verdict =
                Verdict::Done { node, seq: wire::Seq(0), order: None, again: known.is_some() };
            return;
        }
        self.learn_kind(node, said.kind, out);
        self.fulfil(node, said, out);
        let note = self.presence_note(node, said);
        let register = Register::State(said.state.clone(), said.order);
        let seq = self.write(entry, node, register, note.as_ref(), out);
        out.notes.extend(note);
        out.verdict = Verdict::Done { node, seq, order: None, again: false };
        self.remember(key, Receipt { node, seq, order: None }, out);
        self.react(entry, node, &said.state, out);
    }

    pub(super) fn set(
        &mut self,
        entry: &Entry,
        (zone, device): (&Zone, &Device),
        state: &State,
        expires: Option<u64>,
        origin: &Origin,
        out: &mut Outcome,
    ) {
        let key = seen_key(zone, device, ZoneVerb::Set, origin);
        if self.answered_before(key.as_ref(), out) {
            return;
        }
        let Some(node) = self.node(zone, device) else {
            out.verdict = Verdict::Refused(format!("no device {zone}/{device} is registered"));
            return;
        };
        let (seq, order) = self.order(entry, node, state, None, out);
        self.set_timer(TimerName::DropOrder(node), expires, out);
        out.verdict = Verdict::Done { node, seq, order: Some(order), again: false };
        self.remember(key, Receipt { node, seq, order: Some(order) }, out);
    }

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

    fn remove_order(&mut self, node: NodeId, out: &mut Outcome) -> Option<OpenOrder> {
        let order = self.orders.remove(&node)?;
        out.changes.push(Change::Order(node, None));
        self.set_timer(TimerName::DropOrder(node), None, out);
        Some(order)
    }

    pub(super) fn register(
        &mut self,
        zone: &Zone,
        device: &Device,
        kind: Kind,
        out: &mut Outcome,
    ) -> Option<NodeId> {
        let owner = self.zones.get(zone)?.owner;
        let node = self.devices.last_key_value().map_or(NodeId::FIRST, |(last, _)| last.next());
        let row = DeviceRow {
            zone: zone.clone(),
            name: device.clone(),
            kind,
            registered: self.counters.time,
            orders: OrderNumber(0),
            cached: self.gateways.get(&owner).is_some_and(|member| member.caches),
        };
        out.changes.push(Change::Device(node, row.clone()));
        out.registered.push(node);
        self.index_device(node, row);
        Some(node)
    }

    /// A device that registered without saying what it is may say so later.
    fn learn_kind(&mut self, node: NodeId, said: Option<Kind>, out: &mut Outcome) {
        let Some(kind) = said else { return };
        let Some(row) = self.devices.get_mut(&node) else { return };
        if row.kind == Kind::default() && kind != row.kind {
            row.kind = kind;
            out.changes.push(Change::Device(node, row.clone()));
        }
    }

    /// Closes the open order if this report fulfils it: it names the order or, from a device that
    /// does not number them, it is the ordered state.
    fn fulfil(&mut self, node: NodeId, said: &Said, out: &mut Outcome) {
        let Some(open) = self.orders.get(&node) else { return };
        let fulfilled = match said.order {
            Some(number) => number >= open.number,
            None => said.state == open.state,
        };
        if fulfilled {
            let order = self.remove_order(node, out);
            out.closed.extend(order.map(|order| (node, order.number)));
        }
    }

    fn write(
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
            time: self.counters.time,
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

    fn answered_before(&self, key: Option<&SeenKey>, out: &mut Outcome) -> bool {
        let Some(receipt) = key.and_then(|key| self.seen.receipt(key)) else { return false };
        let Receipt { node, seq, order } = receipt;
        out.verdict = Verdict::Done { node, seq, order, again: true };
        true
    }

    fn remember(&mut self, key: Option<SeenKey>, receipt: Receipt, out: &mut Outcome) {
        let Some(key) = key else { return };
        let (at, forgotten) = self.seen.remember(&key, receipt);
        out.changes.push(Change::Saw(key, at, receipt));
        out.changes.extend(forgotten.map(Change::Forgot));
    }
}

fn seen_key(zone: &Zone, device: &Device, verb: ZoneVerb, origin: &Origin) -> Option<SeenKey> {
    let id = planted::id_ignored(origin.id.as_ref());
    match (id, planted::stamp_ignored(origin.stamp)) {
        (Some(id), _) => Some(SeenKey::Id(zone.clone(), device.clone(), verb, id.clone())),
        (None, Some(stamp)) => Some(SeenKey::Stamp(zone.clone(), stamp)),
        (None, None) => None,
    }
}
