//! The mistakes of doing at once what has to wait for the tables.

use crate::command::{Entry, Op};
use crate::event::{Effect, Session};
use crate::gateway::Gateway;
use crate::house::{Outcome, StatusRow};
use crate::step::Step;

impl Gateway {
    /// Does what has to wait for the tables, if that is the mistake.
    pub(crate) fn tell_too_early(&mut self, entry: &Entry, outcome: &Outcome, out: &mut Step) {
        if mutant!(AcknowledgedBeforeWritten) && entry.by == self.settings.id {
            let (Op::Report { zone, origin, .. } | Op::Set { zone, origin, .. }) = &entry.op else {
                return;
            };
            let Some(owned) = self.zones.get(zone) else { return };
            let flight = owned.flights.iter().find(|flight| flight.number == origin.number);
            let Some((generation, token)) = flight.map(|flight| flight.delivery) else { return };
            let session = Session::Zone(zone.clone());
            out.effects.push(Effect::Acknowledge { session, generation, token });
        }
        for written in &outcome.written {
            let Some(device) = self.house.devices().get(&written.node).cloned() else { continue };
            if !self.zones.contains_key(&device.zone) || written.order.is_some() {
                continue;
            }
            let counters = self.house.counters();
            let row = StatusRow {
                seq: written.seq,
                clock: counters.clock,
                state: Some(written.state.clone()),
                ..StatusRow::empty(written.node, counters.time)
            };
            if mutant!(CachedBeforeWritten) {
                self.cache_row(&row, out);
            } else if mutant!(PublishedBeforeWritten) {
                self.publish_state(&device.zone, &device.name, &row, out);
            }
        }
    }
}
