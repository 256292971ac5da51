//! Giving: other gateways ask for a piece of a snapshot.

use std::collections::BTreeSet;

use paxos::Slot;
use wire::GatewayId;

use super::{SnapshotAnswer, SnapshotId, Task};
use crate::event::Effect;
use crate::peer::PeerMessage;
use crate::want::Wants;

/// Gateways for whom a chunk is being read: one each.
#[derive(Debug, Default)]
pub(crate) struct Giving(BTreeSet<GatewayId>);

impl Giving {
    /// `from` asks for what is above this slot; here everything up to `applied` is.
    pub(crate) fn asked(
        &mut self,
        from: GatewayId,
        above: Slot,
        applied: Slot,
        part: Option<(SnapshotId, u64)>,
        out: &mut Wants,
    ) {
        if applied <= above {
            return out.send(from, PeerMessage::SnapshotAnswer(SnapshotAnswer::Nothing));
        }
        // Whoever asks again before it is answered is answered once.
        if self.0.insert(from) {
            out.effect(Effect::Snapshot(Task::Give { to: from, part }));
        }
    }

    /// The chunk is read.
    pub(crate) fn given(&mut self, to: GatewayId, answer: SnapshotAnswer, out: &mut Wants) {
        self.0.remove(&to);
        out.send(to, PeerMessage::SnapshotAnswer(answer));
    }
}
