//! The broker between the replicas: it loses, delays, repeats and cuts, and it may die with all it carries.

use paxos::{Input, Message, Outgoing, ReplicaId};

use super::world::{Due, World};

/// A message in the broker.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) from: ReplicaId,
    pub(crate) to: usize,
    pub(crate) message: Message,
}

impl World {
    pub(crate) fn send(&mut self, node: usize, out: Outgoing) {
        let (from, to) = (self.nodes[node].id, self.node_of(out.to));
        self.claims.on_send(from, &out.message, &self.nodes[node].disk);
        if to == node {
            let (life, message) = (self.nodes[node].life, out.message);
            return self.after(0, Due::Own { node, life, message });
        }
        let parcel = Parcel { from, to, message: out.message };
        self.attic.remember(&parcel, &mut self.dice);
        if self.is_lost(node, &parcel) {
            self.summary.drops += 1;
            return;
        }
        if self.dice.chance(self.plan.network.duplicate) {
            self.summary.duplicates += 1;
            let delay = self.delay();
            self.post(delay, parcel.clone());
        }
        let delay = self.delay();
        self.post(delay, parcel);
    }

    fn is_lost(&mut self, node: usize, parcel: &Parcel) -> bool {
        if let Some(silenced) = &mut self.last_words
            && silenced.insert(parcel.message.name())
        {
            return true;
        }
        let offline = |node: usize| self.nodes[node].offline_until > self.now;
        self.cut.contains(&(node, parcel.to))
            || offline(node)
            || offline(parcel.to)
            || (self.calm.is_none() && self.dice.chance(self.plan.network.drop))
    }

    fn post(&mut self, delay: u64, parcel: Parcel) {
        let broker = self.broker;
        self.after(delay, Due::Deliver { broker, parcel });
    }

    fn delay(&mut self) -> u64 {
        if self.calm.is_none() && self.dice.chance(self.plan.network.straggle) {
            return self.dice.tail(1000, 5_000_000);
        }
        self.usual_delay()
    }

    pub(crate) fn usual_delay(&mut self) -> u64 {
        let (low, high) = self.plan.network.delay;
        self.dice.between(low, low + high)
    }

    pub(crate) fn deliver(&mut self, broker: u64, parcel: Parcel) {
        if broker != self.broker {
            return;
        }
        let wait = self.nodes[parcel.to].paused_until.saturating_sub(self.now);
        if wait > 0 {
            return self.after(wait, Due::Deliver { broker, parcel });
        }
        let Parcel { from, to, message } = parcel;
        self.note(to, message.name(), || format!("from {from}: {message:?}"));
        self.input(to, Input::Message { from, message });
    }

    /// A message of a replica to itself, which no broker sees.
    pub(crate) fn own(&mut self, node: usize, life: u64, message: Message) {
        let wait = self.nodes[node].paused_until.saturating_sub(self.now);
        if wait > 0 {
            return self.after(wait, Due::Own { node, life, message });
        }
        if self.nodes[node].life == life {
            let from = self.nodes[node].id;
            self.input(node, Input::Message { from, message });
        }
    }

    /// What a lost disk asked the others before there was a group is not delivered after its death: a blank replica
    /// that hears it could not tell that disk from a later one, and would wait for it.
    pub(crate) fn forget_questions(&mut self, lost: ReplicaId) {
        let asks = |parcel: &Parcel| parcel.from == lost && parcel.message == Message::Seek;
        self.attic.forget(asks);
        let now = self.now;
        self.queue
            .take(|at, due| at > now && matches!(due, Due::Deliver { parcel, .. } if asks(parcel)));
    }

    /// Messages come in again, however old they are.
    pub(crate) fn stale_deliveries(&mut self) {
        for _ in 0..self.dice.between(1, 12) {
            let Some(parcel) = self.attic.draw(&mut self.dice) else { return };
            self.summary.stale += 1;
            let delay = self.usual_delay();
            self.post(delay, parcel);
        }
    }

    /// Whatever is under way is gone, and everyone has to connect again.
    pub(crate) fn restart_broker(&mut self) {
        self.broker += 1;
        self.summary.broker_restarts += 1;
        self.note_all("the broker restarts", String::new);
        for node in 0..self.nodes.len() {
            self.nodes[node].offline_until = self.now + self.dice.tail(1000, 400_000);
        }
        if self.dice.chance(50) {
            self.after(400_000, Due::Stale);
        }
    }

    /// Of each kind of message the last one is lost: the latest on its way, or else the next.
    pub(crate) fn lose_last_words(&mut self) {
        let now = self.now;
        let carried = self.queue.take(|at, due| at > now && matches!(due, Due::Deliver { .. }));
        let mut silenced = std::collections::BTreeSet::new();
        for due in carried.into_iter().rev() {
            if let Due::Deliver { parcel, .. } = &due
                && silenced.insert(parcel.message.name())
            {
                continue;
            }
            let delay = self.usual_delay();
            self.after(delay, due);
        }
        self.last_words = Some(silenced);
    }
}
