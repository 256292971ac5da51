//! What this gateway tells everyone of itself, ten times a second.

use paxos::Moment;
use wire::{CacheCounts, Clock, Digest, Heartbeat, Liveness, Times, Written};

use crate::context::Context;
use crate::event::Effect;
use crate::want::Wants;

/// When the next heartbeat is due.
#[derive(Debug, Default)]
pub(crate) struct Beats {
    due: Moment,
}

/// What a heartbeat tells beside what is replicated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulse {
    pub(crate) clock: Clock,
    /// How many zones this gateway owns.
    pub(crate) zones: usize,
    pub(crate) cache: CacheCounts,
    /// The rows in its file.
    pub(crate) tables: Option<Written>,
}

impl Beats {
    /// Others wait for what this one has to tell.
    pub(crate) fn hurry(&mut self) {
        self.due = Moment(0);
    }

    pub(crate) fn beat(&mut self, ctx: &Context, pulse: Pulse, out: &mut Wants) {
        if ctx.now.moment >= self.due {
            self.due = ctx.now.moment + ctx.settings.timing.beat;
            out.effect(Effect::Beat(heartbeat(ctx, pulse)));
        }
    }
}

fn heartbeat(ctx: &Context, pulse: Pulse) -> Heartbeat {
    let counters = ctx.house.counters();
    let life = ctx.settings.incarnation.0;
    Heartbeat {
        generation: ctx.settings.generation,
        epoch: counters.epoch,
        applied: ctx.applied.0,
        digest: Some(counters.digest).filter(|digest| *digest != 0).map(Digest),
        tables: pulse.tables,
        seq: counters.seq,
        clock: pulse.clock,
        devices: ctx.house.load(ctx.me()),
        zones: u32::try_from(pulse.zones).unwrap_or(u32::MAX),
        versions: ctx.settings.versions,
        leader: ctx.leader,
        serves: ctx.settings.serves,
        cache: pulse.cache,
        times: Some(Times {
            elapsed: ctx.elapsed.time,
            known: ctx.elapsed.known,
            wall: ctx.now.time,
        }),
        ..Heartbeat::bare(Liveness::Alive, ctx.me(), life)
    }
}
