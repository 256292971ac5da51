//! The mistakes of doing at once what has to wait for the tables.

use crate::command::{Entry, Op};
use crate::context::Context;
use crate::event::{Effect, Session};
use crate::house::{Outcome, StatusRow};
use crate::mutant::mutant;
use crate::ownership::cache::Cache;
use crate::ownership::publications;
use crate::ownership::zones::Zones;
use crate::want::Wants;

/// An owner that has just applied an entry, and has not written it.
pub(crate) struct Early<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) zones: &'a mut Zones,
    pub(crate) cache: &'a mut Cache,
}

impl Early<'_> {
    /// Does what has to wait for the tables, if that is the mistake.
    pub(crate) fn tell(&mut self, entry: &Entry, outcome: &Outcome, out: &mut Wants) {
        if mutant!(AcknowledgedBeforeWritten) {
            self.acknowledged_before_written(entry, out);
        }
        if mutant!(CachedBeforeWritten) {
            for row in self.rows(outcome) {
                self.cache.keep(self.ctx, &row, out);
            }
        }
        if mutant!(PublishedBeforeWritten) {
            for row in self.rows(outcome) {
                let Some(device) = self.ctx.house.devices().get(&row.node) else { continue };
                publications::state(self.ctx, &device.zone, &device.name, &row, out);
            }
        }
    }

    fn acknowledged_before_written(&mut self, entry: &Entry, out: &mut Wants) {
        let (Op::Report { zone, origin, .. } | Op::Set { zone, origin, .. }) = &entry.op else {
            return;
        };
        if entry.by != self.ctx.me() {
            return;
        }
        let delivery = self.zones.flights(zone).and_then(|all| all.delivery(origin.number));
        let Some(delivery) = delivery else { return };
        let session = Session::Zone(zone.clone());
        let (generation, token) = (delivery.generation, delivery.token);
        out.effect(Effect::Acknowledge { session, generation, token, refusal: None });
    }

    /// The rows of this gateway's own devices, as they will be.
    fn rows(&self, outcome: &Outcome) -> Vec<StatusRow> {
        let counters = self.ctx.house.counters();
        let written = outcome.written.iter().filter(|written| written.order.is_none());
        let rows = written.filter_map(|written| {
            let device = self.ctx.house.devices().get(&written.node)?;
            self.zones.owns(&device.zone).then(|| StatusRow {
                seq: written.seq,
                clock: counters.clock,
                state: Some(written.state.clone()),
                ..StatusRow::empty(written.node, counters.time_of_day())
            })
        });
        rows.collect()
    }
}
