//! The group as stateright sees it: states, what may happen next, and what must hold.

mod moves;
mod tell;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use paxos::{Ballot, Record, Replica, ReplicaId};
use stateright::{Model, Property};

use crate::bounds::{Bounds, Broken};
use crate::disk::Disk;
use crate::envelope::Envelope;
use crate::history::{History, Judged};
use crate::shelf::{Memo, Shelf};

/// The whole group at one moment. Replicas, disks, messages and what is on its way to a disk go by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    nodes: Vec<Arc<Node>>,
    history: u32,
    crashes: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Node {
    replica: u32,
    disk: u32,
    /// Steps whose write is under way, the oldest first.
    unwritten: Vec<u32>,
    /// Everything that was ever sent to it, ascending: it may come at any time, again, or never.
    inbox: Vec<u32>,
    campaigns: u8,
    proposed: bool,
    wished: bool,
}

/// Something that happens at the replica with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It takes an input.
    Input(ReplicaId, Stimulus),
    /// It takes an input, and crashes before the write.
    LastInput(ReplicaId, Stimulus),
    /// Its oldest write is done, and what waited for it leaves.
    Write(ReplicaId),
    /// It loses everything that is not on its disk, and starts again.
    Crash(ReplicaId),
}

/// What a replica can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stimulus {
    /// The election timer fired and the pre-vote, if any, was won.
    Campaign,
    /// Its client's request.
    Propose,
    /// The wish for other voters.
    Wish,
    /// A message, by number.
    Receive(u32),
}

/// What followed from a stimulus, in numbers.
pub(crate) struct Outcome {
    replica: u32,
    immediate: Vec<(ReplicaId, u32)>,
    durable: Vec<(ReplicaId, u32)>,
    /// The records and what waits for them, if that must be written or if an earlier write is under way.
    write: Option<u32>,
    needs_write: bool,
    /// The highest ballot that the durable messages promise to keep.
    answered: Option<Ballot>,
    chosen: Vec<paxos::Chosen>,
    stopped: Option<String>,
    pub(crate) events: Vec<String>,
}

/// Records on their way to a disk, and the messages that rest on them.
pub(crate) struct Unwritten {
    records: Vec<Record>,
    messages: Vec<(ReplicaId, u32)>,
    answered: Option<Ballot>,
}

/// Something for the history.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Fact {
    Reported(u32, Stimulus),
    Written(ReplicaId, u32),
    Answered(ReplicaId, Ballot),
}

/// A group within bounds.
pub(crate) struct World {
    bounds: Bounds,
    replicas: Shelf<Replica>,
    disks: Shelf<Disk>,
    envelopes: Shelf<Envelope>,
    writes: Shelf<Unwritten>,
    histories: Shelf<Judged>,
    outcomes: Memo<(u32, Stimulus), Arc<Outcome>>,
    written: Memo<(u32, u32), u32>,
    restarted: Memo<(ReplicaId, u32), (u32, u32)>,
    remembered: Memo<(u32, Fact), u32>,
    most_messages: AtomicUsize,
}

/// The claim that matters most.
pub const ONE_VALUE: &str = "a slot never has two values";
/// What replicas tell their callers.
pub const REPORTS_HOLD: &str = "what is reported was accepted by a majority on disk";
/// Persistence.
pub const PROMISES_KEPT: &str = "a disk never forgets a promise";
/// The code's own assertions.
pub const NOBODY_STOPS: &str = "no replica finds its invariants broken";

impl World {
    /// A group that was just founded.
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            replicas: Shelf::new(),
            disks: Shelf::new(),
            envelopes: Shelf::new(),
            writes: Shelf::new(),
            histories: Shelf::new(),
            outcomes: Memo::new(),
            written: Memo::new(),
            restarted: Memo::new(),
            remembered: Memo::new(),
            most_messages: AtomicUsize::new(0),
        }
    }

    /// The most messages under way in one state.
    pub(crate) fn most_messages(&self) -> usize {
        self.most_messages.load(Ordering::Relaxed)
    }

    fn judged(&self, state: &State) -> Arc<Judged> {
        self.histories.get(state.history)
    }

    fn keeps_promises(&self, state: &State) -> bool {
        let judged = self.judged(state);
        let mut nodes = self.bounds.replicas().zip(&state.nodes);
        nodes.all(|(id, node)| self.disks.get(node.disk).promised >= judged.history.answered(id))
    }

    fn leaders(&self, state: &State) -> usize {
        state.nodes.iter().filter(|node| self.replicas.get(node.replica).is_leading()).count()
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let blank = self.disks.keep(format!("{:?}", Disk::blank()), Disk::blank());
        let node = |id: ReplicaId| {
            let (disk, replica) = self.restart(id, blank);
            Arc::new(Node {
                replica,
                disk,
                unwritten: Vec::new(),
                inbox: self.questions(id),
                campaigns: 0,
                proposed: false,
                wished: false,
            })
        };
        let nodes = self.bounds.replicas().map(node).collect();
        let history = self.keep_history(History::default());
        vec![State { nodes, history, crashes: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if self.judged(state).history.stopped.is_some() {
            return;
        }
        for (id, node) in self.bounds.replicas().zip(&state.nodes) {
            if !node.unwritten.is_empty() {
                actions.push(Action::Write(id));
            }
            if state.crashes < self.bounds.crashes {
                actions.push(Action::Crash(id));
            }
            if node.unwritten.len() < self.bounds.unwritten.max(1) {
                self.inputs(id, node, state, actions);
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.happen(&mut next, action);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(ONE_VALUE, |world: &Self, state| world.judged(state).one_value),
            Property::always(REPORTS_HOLD, |world: &Self, state| world.judged(state).reports_hold),
            Property::always(PROMISES_KEPT, Self::keeps_promises),
            Property::always(NOBODY_STOPS, |world: &Self, state| {
                world.judged(state).history.stopped.is_none()
            }),
            Property::sometimes("a request is chosen", |world: &Self, state| {
                world.judged(state).request_chosen
            }),
            Property::sometimes("two replicas lead", |world: &Self, state| {
                world.leaders(state) > 1
            }),
            Property::sometimes(
                "one leader's request is chosen in another's ballot",
                |world: &Self, state| world.judged(state).completed_by_another,
            ),
        ];
        if !self.bounds.wish.is_empty() {
            properties.push(Property::sometimes(
                "the new voters choose a request while an old leader leads",
                |world: &Self, state| {
                    world.judged(state).chosen_after_a_change && world.leaders(state) > 1
                },
            ));
        }
        properties
    }
}
