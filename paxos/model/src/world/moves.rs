//! What each action does. What a replica makes of an input is worked out once, however many states it occurs in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use paxos::{Ballot, Input, Message, Outgoing, Replica, ReplicaId, Slot};

use super::{Action, Broken, Fact, Node, Outcome, State, Stimulus, Unwritten, World};
use crate::envelope::Envelope;
use crate::history::History;
use crate::key;
use crate::local::{Reaction, answered, request, start, step, with_mark};

impl World {
    /// What can be given to a replica.
    pub(super) fn inputs(
        &self,
        id: ReplicaId,
        node: &Node,
        state: &State,
        actions: &mut Vec<Action>,
    ) {
        let bounds = &self.bounds;
        let torn = bounds.unwritten == 0 && state.crashes < bounds.crashes;
        let mut give = |stimulus| {
            actions.push(Action::Input(id, stimulus));
            if torn {
                actions.push(Action::LastInput(id, stimulus));
            }
        };
        node.inbox.iter().for_each(|message| give(Stimulus::Receive(*message)));
        if node.campaigns < bounds.campaigns[index(id)] {
            give(Stimulus::Campaign);
        }
        let may_propose = !node.proposed && bounds.clients.contains(&id.0);
        if may_propose && self.replicas.get(node.replica).is_leading() {
            give(Stimulus::Propose);
        }
        let may_wish = !node.wished && !bounds.wish.is_empty() && id == ReplicaId(1);
        if may_wish && self.replicas.get(node.replica).is_leading() {
            give(Stimulus::Wish);
        }
    }

    pub(super) fn happen(&self, next: &mut State, action: Action) {
        match action {
            Action::Input(at, stimulus) => {
                self.input(next, at, stimulus);
                if self.bounds.unwritten == 0 && !next.nodes[index(at)].unwritten.is_empty() {
                    self.write(next, at);
                }
            }
            Action::LastInput(at, stimulus) => {
                self.input(next, at, stimulus);
                self.crash(next, at);
            }
            Action::Write(at) => self.write(next, at),
            Action::Crash(at) => self.crash(next, at),
        }
    }

    fn input(&self, next: &mut State, at: ReplicaId, stimulus: Stimulus) {
        let outcome = self.outcome(next.nodes[index(at)].replica, stimulus);
        if !outcome.chosen.is_empty() || outcome.stopped.is_some() {
            let fact = Fact::Reported(next.nodes[index(at)].replica, stimulus);
            self.remember(next, fact);
        }
        self.send(next, &outcome.immediate);
        let early = self.bounds.broken == Some(Broken::SentBeforeWritten);
        let waits = !next.nodes[index(at)].unwritten.is_empty();
        if early || !outcome.needs_write && !waits {
            self.send(next, &outcome.durable);
            outcome.answered.into_iter().for_each(|b| self.remember(next, Fact::Answered(at, b)));
        }
        let unchanged = outcome.replica == next.nodes[index(at)].replica && outcome.write.is_none();
        if unchanged {
            return;
        }
        let node = Arc::make_mut(&mut next.nodes[index(at)]);
        node.replica = outcome.replica;
        node.campaigns += u8::from(stimulus == Stimulus::Campaign);
        node.proposed |= stimulus == Stimulus::Propose;
        node.wished |= stimulus == Stimulus::Wish;
        node.unwritten.extend(outcome.write.filter(|_| outcome.needs_write || waits && !early));
        self.sweep(&mut next.nodes[index(at)]);
    }

    fn write(&self, next: &mut State, at: ReplicaId) {
        let node = Arc::make_mut(&mut next.nodes[index(at)]);
        let write = node.unwritten.remove(0);
        node.disk = self.written.get_or((node.disk, write), |(disk, write)| {
            let mut disk = (*self.disks.get(*disk)).clone();
            disk.write(&self.writes.get(*write).records);
            self.disks.keep(format!("{disk:?}"), disk)
        });
        self.sweep(&mut next.nodes[index(at)]);
        self.remember(next, Fact::Written(at, write));
        self.send(next, &self.writes.get(write).messages);
    }

    fn crash(&self, next: &mut State, at: ReplicaId) {
        let node = Arc::make_mut(&mut next.nodes[index(at)]);
        let (disk, replica) = self.restart(at, node.disk);
        if node.unwritten.is_empty() && (node.disk, node.replica) == (disk, replica) {
            return;
        }
        (node.disk, node.replica) = (disk, replica);
        node.unwritten.clear();
        self.sweep(&mut next.nodes[index(at)]);
        next.crashes += 1;
    }

    /// The disk after a crash, and the replica that starts from it.
    pub(super) fn restart(&self, id: ReplicaId, disk: u32) -> (u32, u32) {
        self.restarted.get_or((id, disk), |(_, number)| {
            let mut disk = (*self.disks.get(*number)).clone();
            if self.bounds.broken == Some(Broken::PromiseLost) {
                disk.promised = Ballot::ZERO;
            }
            let mut recovered = disk.recovered(self.bounds.founders());
            if self.bounds.broken == Some(Broken::VotersForgotten) {
                recovered.voters = self.bounds.founders();
            }
            let replica = start(id, &self.bounds, recovered);
            (self.disks.keep(format!("{disk:?}"), disk), self.keep_replica(replica))
        })
    }

    /// Whoever has no vote asks the first replica for the log, which learns of it by that if it leads.
    pub(super) fn questions(&self, to: ReplicaId) -> Vec<u32> {
        let message = || Message::CatchUp { from: Slot(1) };
        let ask = |from| Envelope { from, to, message: message() };
        let asked = self.bounds.strangers().filter(|_| to == ReplicaId(1)).map(ask);
        asked.map(|each| self.envelopes.keep(format!("{each:?}"), each)).collect()
    }

    pub(super) fn keep_history(&self, history: History) -> u32 {
        let name = format!("{history:?}");
        self.histories.keep(name, history.judge(&self.bounds.founders()))
    }

    pub(crate) fn outcome(&self, replica: u32, stimulus: Stimulus) -> Arc<Outcome> {
        self.outcomes.get_or((replica, stimulus), |_| {
            let before = self.replicas.get(replica);
            let reaction = step(&before, self.meaning(before.id(), stimulus));
            Arc::new(match reaction {
                Ok(reaction) => self.number(before.id(), before.chosen_to(), reaction),
                Err(stopped) => Outcome::stopped(replica, stopped),
            })
        })
    }

    fn meaning(&self, id: ReplicaId, stimulus: Stimulus) -> Input {
        match stimulus {
            Stimulus::Campaign => Input::Campaign,
            Stimulus::Propose => Input::Propose(vec![request(id)]),
            Stimulus::Wish => Input::ChangeVoters(self.bounds.wished()),
            Stimulus::Receive(number) => {
                let envelope = self.envelopes.get(number);
                Input::Message { from: envelope.from, message: envelope.message.clone() }
            }
        }
    }

    fn number(&self, id: ReplicaId, mark: Slot, reaction: Reaction) -> Outcome {
        let Reaction { replica, immediate, records, durable, needs_write, chosen, events } =
            reaction;
        let answered = answered(&durable);
        let durable = self.post(id, &durable);
        let early = self.bounds.broken == Some(Broken::SentBeforeWritten);
        let write = (needs_write || !durable.is_empty()).then(|| {
            let records = if needs_write { with_mark(mark, records) } else { Vec::new() };
            let (messages, answered) =
                if early { (Vec::new(), None) } else { (durable.clone(), answered) };
            let name = format!("{records:?} {messages:?}");
            self.writes.keep(name, Unwritten { records, messages, answered })
        });
        let (immediate, replica) = (self.post(id, &immediate), self.keep_replica(replica));
        let stopped = None;
        Outcome {
            replica,
            immediate,
            durable,
            write,
            needs_write,
            answered,
            chosen,
            stopped,
            events,
        }
    }

    fn keep_replica(&self, replica: Replica) -> u32 {
        self.replicas.keep(format!("{} {}", replica.id(), key::name(&replica)), replica)
    }

    /// Numbers what is to be sent, as far as it matters.
    fn post(&self, from: ReplicaId, messages: &[Outgoing]) -> Vec<(ReplicaId, u32)> {
        let envelopes = messages
            .iter()
            .map(|out| Envelope { from, to: out.to, message: out.message.clone() }.settled());
        let matter = envelopes.filter(|envelope| envelope.matters(self.bounds.slots));
        matter.map(|each| (each.to, self.envelopes.keep(format!("{each:?}"), each))).collect()
    }

    fn send(&self, next: &mut State, messages: &[(ReplicaId, u32)]) {
        for (to, message) in messages {
            let node = &mut next.nodes[index(*to)];
            if let Err(place) = node.inbox.binary_search(message) {
                Arc::make_mut(node).inbox.insert(place, *message);
            }
            self.sweep(node);
        }
        let under_way = next.nodes.iter().map(|node| node.inbox.len()).sum();
        if under_way > self.most_messages.load(Ordering::Relaxed) {
            self.most_messages.fetch_max(under_way, Ordering::Relaxed);
        }
    }

    /// Takes out of an inbox what can have no effect any more.
    fn sweep(&self, node: &mut Arc<Node>) {
        let replica = self.replicas.get(node.replica);
        let promised = self.disks.get(node.disk).promised;
        self.envelopes.read(|envelopes| {
            let dead = |number: &u32| envelopes[*number as usize].is_dead(&replica, promised);
            if node.inbox.iter().any(dead) {
                Arc::make_mut(node).inbox.retain(|number| !dead(number));
            }
        });
    }

    fn remember(&self, next: &mut State, fact: Fact) {
        next.history = self.remembered.get_or((next.history, fact), |(history, fact)| {
            let mut history = self.histories.get(*history).history.clone();
            match *fact {
                Fact::Reported(replica, stimulus) => {
                    let outcome = self.outcome(replica, stimulus);
                    history.report(&outcome.chosen);
                    history.stopped.clone_from(&outcome.stopped);
                }
                Fact::Written(by, write) => {
                    let write = self.writes.get(write);
                    history.write(by, &write.records);
                    write.answered.into_iter().for_each(|ballot| history.answer(by, ballot));
                }
                Fact::Answered(by, ballot) => history.answer(by, ballot),
            }
            self.keep_history(history)
        });
    }
}

impl Outcome {
    const fn stopped(replica: u32, why: String) -> Self {
        Self {
            replica,
            immediate: Vec::new(),
            durable: Vec::new(),
            write: None,
            needs_write: false,
            answered: None,
            chosen: Vec::new(),
            stopped: Some(why),
            events: Vec::new(),
        }
    }
}

/// Where a replica stands in a state.
pub(super) const fn index(id: ReplicaId) -> usize {
    id.number() as usize - 1
}
