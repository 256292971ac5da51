//! What becomes of reports and orders.

use wire::{Device, Kind, NodeId, OrderNumber, State, Zone, ZoneVerb};

use super::change::{Change, Register};
use super::outcome::{Outcome, Refusal, Verdict};
use super::rows::DeviceRow;
use super::seen::{DATED_IDS, Receipt, Remembered, SeenKey};
use super::state::House;
use crate::command::{Entry, Origin, Said, TimerName};
use crate::planted::house as planted;

/// The device that an entry is about.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) zone: &'a Zone,
    pub(super) device: &'a Device,
}

impl House {
    pub(super) fn report(
        &mut self,
        entry: &Entry,
        Target { zone, device }: Target<'_>,
        said: &Said,
        origin: &Origin,
        out: &mut Outcome,
    ) {
        let key = self.seen_key(zone, device, ZoneVerb::Report, origin);
        if !self.is_new(key.as_ref(), out) {
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
        Target { zone, device }: Target<'_>,
        state: &State,
        expires: Option<u64>,
        origin: &Origin,
        out: &mut Outcome,
    ) {
        let key = self.seen_key(zone, device, ZoneVerb::Set, origin);
        if !self.is_new(key.as_ref(), out) {
            return;
        }
        let Some(node) = self.node(zone, device) else {
            let why = format!("no device {zone}/{device} is registered");
            out.verdict = Verdict::Refused(Refusal::Unknown, why);
            return;
        };
        let (seq, order) = self.order(entry, node, state, None, out);
        self.set_timer(TimerName::DropOrder(node), expires, out);
        out.verdict = Verdict::Done { node, seq, order: Some(order), again: false };
        self.remember(key, Receipt { node, seq, order: Some(order) }, out);
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
            registered: self.counters.time_of_day(),
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
    /// does not number them, means the same as the ordered state.
    fn fulfil(&mut self, node: NodeId, said: &Said, out: &mut Outcome) {
        let Some(open) = self.orders.get(&node) else { return };
        let fulfilled = match said.order {
            Some(number) => number >= open.number,
            None => self.kind(node).same(&said.state, &open.state),
        };
        if fulfilled {
            let order = self.remove_order(node, out);
            out.closed.extend(order.map(|order| (node, order.number)));
        }
    }

    /// Whether a request has not come before, and can be remembered. Otherwise the verdict says what became of it.
    fn is_new(&mut self, key: Option<&SeenKey>, out: &mut Outcome) -> bool {
        let Some(key) = key else { return true };
        if let Some(Receipt { node, seq, order }) = self.seen.receipt(key) {
            out.verdict = Verdict::Done { node, seq, order, again: true };
            return false;
        }
        if matches!(key, SeenKey::Dated(..)) {
            let expired = self.seen.expire(self.counters.time);
            out.changes.extend(expired.into_iter().map(Change::Forgot));
        }
        let Err(no_room) = self.seen.has_room(key) else { return true };
        out.verdict = Verdict::Refused(Refusal::Quota, no_room.to_string());
        false
    }

    fn remember(&mut self, key: Option<SeenKey>, receipt: Receipt, out: &mut Outcome) {
        let Some(key) = key else { return };
        let Remembered { at, forgotten } = self.seen.remember(&key, self.counters.time, receipt);
        out.changes.extend(forgotten.into_iter().map(Change::Forgot));
        out.changes.push(Change::Saw(key, at, receipt));
    }

    fn seen_key(
        &self,
        zone: &Zone,
        device: &Device,
        verb: ZoneVerb,
        origin: &Origin,
    ) -> Option<SeenKey> {
        let (zone, device) = (zone.clone(), device.clone());
        let id = planted::id_ignored(origin.id.as_ref()).cloned();
        match (id, planted::stamp_ignored(origin.stamp)) {
            (Some(id), _) if self.counters.version >= DATED_IDS => {
                Some(SeenKey::Dated(zone, device, verb, id))
            }
            (Some(id), _) => Some(SeenKey::Id(zone, device, verb, id)),
            (None, Some(stamp)) => Some(SeenKey::Stamp(zone, stamp)),
            (None, None) => None,
        }
    }
}
