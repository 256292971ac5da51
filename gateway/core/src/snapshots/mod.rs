//! Snapshots: how a replica comes back when nobody's log reaches to where it is.
//!
//! ```text
//!  late replica                         another one, preferably not the leader
//!    │  nobody's log reaches back              │
//!    │── request: above this slot ────────────▶│  makes a file of its replicated tables,
//!    │◀─ not ready, ask again ─────────────────│  beside its work
//!    │── request: this snapshot, from here ───▶│
//!    │◀─ chunk ────────────────────────────────│  and so on, one at a time
//!    │  checks the whole
//!    │  installs it in one transaction, and catches up with the rest of the log
//! ```
//!
//! Here it is decided whom to ask, when, and for what; the files are the shell's. At no time is
//! more than one chunk in memory.

mod fetch;
mod task;

pub use task::{Chunk, Report, SnapshotAnswer, SnapshotId, Task};

use std::collections::BTreeSet;

use paxos::Slot;
use wire::{GatewayId, Zone};

use crate::event::Effect;
use crate::gateway::Gateway;
use crate::house::House;
use crate::mutant::mutant;
use crate::peer::PeerMessage;
use crate::step::Step;
use fetch::Fetch;

/// The snapshot that this gateway fetches, and those that it gives.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    fetch: Option<Fetch>,
    /// Handed to the store and not yet in the tables: what the store says meanwhile of rows is
    /// about the tables that are to be replaced.
    installing: bool,
    /// Who gave the last chunk.
    giver: Option<GatewayId>,
    /// How often another one was asked for entries that the leader does not have.
    asked: usize,
    /// Gateways for whom a chunk is being read: one each.
    giving: BTreeSet<GatewayId>,
}

impl Snapshots {
    pub(crate) fn is_installing(&self) -> bool {
        self.installing
    }

    /// What is being fetched and how much of it is here, for people.
    pub(crate) fn progress(&self) -> Option<(SnapshotId, u64)> {
        self.fetch.as_ref()?.held
    }
}

impl Gateway {
    pub(crate) fn snapshot_asked(
        &mut self,
        from: GatewayId,
        above: Slot,
        part: Option<(SnapshotId, u64)>,
        out: &mut Step,
    ) {
        if self.applied <= above {
            let answer = PeerMessage::SnapshotAnswer(SnapshotAnswer::Nothing);
            return self.send(from, answer, out);
        }
        // Whoever asks again before it is answered is answered once.
        if self.snapshots.giving.insert(from) {
            out.effects.push(Effect::Snapshot(Task::Give { to: from, part }));
        }
    }

    pub(crate) fn snapshot_report(&mut self, report: Report, out: &mut Step) {
        match report {
            Report::Given { to, answer } => {
                self.snapshots.giving.remove(&to);
                self.send(to, PeerMessage::SnapshotAnswer(answer), out);
            }
            Report::Held(held) => self.snapshot_held(held, out),
            Report::Sound(id, house) if id.slot > self.applied => self.install(id, *house, out),
            Report::Sound(..) => self.give_up_fetching(out),
            Report::Failed(why) => self.snapshot_failed(&why, out),
        }
    }

    /// Puts a snapshot in the place of everything: here at once, in the tables with this step.
    fn install(&mut self, id: SnapshotId, house: House, out: &mut Step) {
        self.snapshots.fetch = None;
        self.snapshots.installing = true;
        // What these were waiting for is in the snapshot, and nobody tells it apart there.
        self.unsettled.clear();
        self.rows.clear();
        self.digests.clear();
        self.waiters.clear();
        let zones: Vec<Zone> = self.zones.keys().cloned().collect();
        for zone in zones {
            // What it has not acknowledged is delivered again, and found to be applied already.
            self.suspend_zone(&zone, out);
        }
        self.clock = self.clock.max(house.counters().clock);
        let voters = Some(house.voters()).filter(|voters| !voters.is_empty());
        let voters = voters.unwrap_or(self.paxos.founders()).clone();
        let before = core::mem::replace(&mut self.house, house);
        if mutant!(SeenNotInSnapshot) {
            self.house.seen = before.seen;
        }
        if mutant!(EpochsNotInSnapshot) {
            self.house.zones = before.zones;
        }
        self.applied = id.slot;
        out.install = Some(id);
        out.applied = Some(id.slot);
        self.regroup(&voters);
        self.agree(paxos::Input::Installed { slot: id.slot, voters }, out);
    }

    /// The snapshot is in the tables.
    pub(crate) fn installed(&mut self, slot: Slot, out: &mut Step) {
        self.snapshots.installing = false;
        out.effects.push(Effect::Snapshot(Task::Discard));
        let me = self.settings.id;
        self.tell(out, format!("Gateway {me} has put a snapshot in place, up to slot {slot}."));
        let zones: Vec<Zone> = self.house.zones().keys().cloned().collect();
        for zone in zones {
            self.reclaim(&zone, out);
        }
    }
}
