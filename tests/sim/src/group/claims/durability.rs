//! What was said is on disk, and what was promised is kept.

use std::collections::BTreeMap;

use paxos::{Ballot, Message, Replica, ReplicaId, Slot};

use crate::group::disk::Disk;
use crate::verdict::claim;

#[derive(Default)]
pub(crate) struct Durability {
    /// The highest promise that left each replica.
    promised: BTreeMap<ReplicaId, Ballot>,
}

impl Durability {
    pub(crate) fn on_send(&mut self, from: ReplicaId, message: &Message, disk: &Disk) {
        nothing_rests_on_unsynced_state(from, message, disk);
        self.no_promise_is_forgotten(from, message);
    }

    fn no_promise_is_forgotten(&mut self, from: ReplicaId, message: &Message) {
        let promised = self.promised.entry(from).or_insert(Ballot::ZERO);
        match message {
            Message::Promise { ballot, .. } => {
                claim!(
                    ballot >= promised,
                    "no promise is forgotten",
                    "replica {from} promised {ballot} after it promised {promised}"
                );
                *promised = *ballot;
            }
            Message::Accepted { ballot, .. } => {
                claim!(
                    ballot >= promised,
                    "no promise is forgotten",
                    "replica {from} accepted {ballot} after it promised {promised}"
                );
            }
            _ => {}
        }
    }
}

fn nothing_rests_on_unsynced_state(from: ReplicaId, message: &Message, disk: &Disk) {
    match message {
        Message::Promise { ballot, .. }
        | Message::Prepare { ballot, .. }
        | Message::Accept { ballot, .. } => {
            claim!(
                disk.promised >= *ballot,
                "nothing rests on unsynced state",
                "replica {from} sends {message:?}, but its promise is not on disk"
            );
        }
        Message::Accepted { ballot, from: first, to, .. } => {
            let held = |slot| disk.accepted.get(&slot).is_some_and(|(held, _)| held >= ballot);
            let settled = |slot| slot <= disk.chosen || slot <= disk.applied_to();
            claim!(
                (first.0..=to.0).map(Slot).all(|slot| held(slot) || settled(slot)),
                "nothing rests on unsynced state",
                "replica {from} sends {message:?}, but it is not on disk"
            );
        }
        _ => {}
    }
}

pub(crate) fn memory_is_bounded(replica: &Replica) {
    let held = replica.chosen_to().next().above(replica.memory_from());
    let bound = replica.config().log_window;
    claim!(
        held <= bound,
        "memory is bounded",
        "replica {} holds {held} chosen slots, but {bound} are enough",
        replica.id()
    );
}
