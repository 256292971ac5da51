//! The state machine that the group replicates: it carries out each client's requests in order, each once.

use super::planted::{self, Mutant};
use paxos::{RequestId, Slot, Value, Voters};

/// How many clients there are; each has a session.
pub(crate) const CLIENTS: usize = 3;

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// What every slot held, from slot 1.
    pub(crate) values: Vec<Value>,
    /// Who votes behind the last slot, if a slot ever said so.
    pub(crate) voters: Option<Voters>,
    /// The last request of each client that was carried out.
    last: [u64; CLIENTS],
    /// Of everything that was carried out, in order.
    pub(crate) hash: u64,
}

impl Machine {
    pub(crate) const fn new() -> Self {
        Self { values: Vec::new(), voters: None, last: [0; CLIENTS], hash: 0 }
    }

    pub(crate) const fn applied_to(&self) -> Slot {
        Slot(self.values.len() as u64)
    }

    /// Applies the next slot. What was carried out before, and what comes too early, does nothing.
    pub(crate) fn apply(&mut self, value: Value) {
        for request in value.requests() {
            let last = &mut self.last[client(request.id())];
            if request.number == *last + 1 {
                *last = request.number;
                self.hash = mix(mix(self.hash, request.session.0), request.number);
                if planted::is_active(Mutant::ApplyReadsTheClock) {
                    self.hash = mix(self.hash, self.values.as_ptr() as u64);
                }
            }
        }
        if let Some(voters) = value.voters() {
            self.voters = Some(voters.clone());
        }
        self.values.push(value);
    }

    /// What another replica gets when it is too late for the log.
    pub(crate) fn snapshot(&self) -> Self {
        let last = if planted::is_active(Mutant::SnapshotWithoutRequests) {
            [0; CLIENTS]
        } else {
            self.last
        };
        Self { last, ..self.clone() }
    }

    pub(crate) const fn has_done(&self, id: RequestId) -> bool {
        id.number <= self.last[client(id)]
    }
}

/// Whose request it is, counted from 0.
pub(crate) const fn client(id: RequestId) -> usize {
    id.session.0 as usize - 1
}

const fn mix(hash: u64, with: u64) -> u64 {
    (hash ^ with).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}
