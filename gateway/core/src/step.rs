//! What one or more inputs asked for, with "durable before sent" as a type.

use paxos::ReplicaId;
use wire::GatewayId;

use crate::event::{Effect, Read, Stored};
use crate::house::Change;
use crate::peer::PeerMessage;
use crate::snapshots::SnapshotId;
use crate::witness::Witness;

/// What inputs asked for: effects that rest on no write, and what is to be written and read.
///
/// The messages that rest on the write are inside, and only [`Step::persist`] gives them.
#[must_use = "a step holds records to write and effects to carry out"]
#[derive(Debug, Default)]
pub struct Step {
    pub(crate) effects: Vec<Effect>,
    pub(crate) paxos: paxos::Step,
    /// All changes come after it.
    pub(crate) install: Option<SnapshotId>,
    pub(crate) changes: Vec<Change>,
    pub(crate) applied: Option<paxos::Slot>,
    pub(crate) reads: Vec<Read>,
    /// What is to be remembered of other gateways' files; none to forget one.
    pub(crate) witnesses: Vec<(ReplicaId, Option<Witness>)>,
    /// What rests on that, and to whom it goes.
    pub(crate) answers: Vec<(GatewayId, PeerMessage)>,
}

/// What a step wants written, in one transaction, and then read.
#[derive(Debug)]
pub struct Write<'a> {
    /// Paxos' records.
    pub records: &'a [paxos::Record],
    /// The snapshot that takes the place of all tables before the changes; with it,
    /// [`paxos::Record::Installed`] is among the records.
    pub install: Option<SnapshotId>,
    /// Rows of the tables.
    pub changes: &'a [Change],
    /// The slot up to which the tables are applied with these changes.
    pub applied: Option<paxos::Slot>,
    /// What to read afterwards.
    pub reads: &'a [Read],
    /// What is to be remembered of other gateways' files; none to forget one. It is no commit that makes the file
    /// older.
    pub witnesses: &'a [(ReplicaId, Option<Witness>)],
}

impl Step {
    /// Takes the effects out; they may be carried out before the write.
    #[must_use]
    pub fn take_effects(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.effects)
    }

    /// Adds what later inputs asked for, so that one write serves both.
    pub fn absorb(&mut self, later: Self) {
        self.effects.extend(later.effects);
        self.paxos.absorb(later.paxos);
        if later.install.is_some() {
            // A snapshot has all that was changed before it.
            self.install = later.install;
            self.changes.clear();
        }
        self.changes.extend(later.changes);
        self.applied = later.applied.or(self.applied);
        self.reads.extend(later.reads);
        self.witnesses.extend(later.witnesses);
        self.answers.extend(later.answers);
    }

    /// Whether there is anything for the store.
    #[must_use]
    pub fn needs_store(&self) -> bool {
        !self.paxos.is_empty()
            || self.install.is_some()
            || !self.changes.is_empty()
            || self.applied.is_some()
            || !self.reads.is_empty()
            || !self.witnesses.is_empty()
            || !self.answers.is_empty()
    }

    /// Whether the file is written anyway.
    pub(crate) fn commits(&self) -> bool {
        !self.paxos.is_empty() || !self.changes.is_empty() || self.applied.is_some()
    }

    /// Hands everything to `write`, which returns once it is durable, and then gives what rested
    /// on it: feed each back as [`Input::Stored`](crate::event::Input::Stored), in order.
    ///
    /// # Errors
    /// What `write` returns. The messages are gone then, as if the process had stopped before it
    /// sent them, and the replica must stop: its memory is ahead of its disk.
    pub fn persist<E>(
        self,
        write: impl FnOnce(Write<'_>) -> Result<Vec<Stored>, E>,
    ) -> Result<Vec<Stored>, E> {
        let Self { mut paxos, install, changes, applied, reads, witnesses, answers, .. } = self;
        let (stored, durable) = paxos.persist(|records| {
            let (changes, reads) = (&changes, &reads);
            write(Write { records, install, changes, applied, reads, witnesses: &witnesses })
        })?;
        let rows = stored.iter().take_while(|part| matches!(part, Stored::Rows(_))).count();
        let mut stored = stored.into_iter();
        let mut all = vec![Stored::Messages(durable.into_messages().collect())];
        all.extend(install.map(|id| Stored::Installed(id.slot)));
        all.extend(stored.by_ref().take(rows));
        all.extend(applied.map(Stored::Applied));
        all.extend(stored);
        all.extend((!answers.is_empty()).then_some(Stored::Answers(answers)));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use paxos::Slot;
    use wire::NodeId;

    #[test]
    fn a_snapshot_swallows_the_changes_before_it_and_none_after_it() {
        let change = |node| Change::Order(NodeId(node), None);
        let changed = |node, slot| Step {
            changes: vec![change(node)],
            applied: Some(Slot(slot)),
            ..Step::default()
        };
        let id = SnapshotId { slot: Slot(100), bytes: 1, hash: [0; 32] };
        let installed = Step { install: Some(id), applied: Some(id.slot), ..Step::default() };
        let mut step = changed(2, 7);
        step.absorb(installed);
        step.absorb(changed(3, 101));
        let written = step.persist(|write| {
            assert_eq!((write.install, write.applied), (Some(id), Some(Slot(101))));
            assert_eq!(write.changes, [change(3)]);
            Ok::<_, ()>(Vec::new())
        });
        assert!(written.is_ok());
    }
}
