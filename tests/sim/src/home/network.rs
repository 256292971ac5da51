//! Messages between gateways: they are lost, late, repeated and overtaken, and old ones come again.

use gateway_core::Input;
use gateway_core::command::{Entry, Op};
use gateway_core::peer::PeerMessage;
use paxos::{Message, ReplicaId};
use wire::GatewayId;

use super::broker::Life;
use super::claims;
use super::hearing;
use super::plan::Late;
use super::world::{Event, MS, World};

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) from: GatewayId,
    pub(crate) replica: ReplicaId,
    pub(crate) to: GatewayId,
    pub(crate) message: PeerMessage,
}

impl World {
    pub(crate) fn send(&mut self, life: Life, to: GatewayId, message: PeerMessage) {
        let node = &self.nodes[&life.0];
        let parcel = Parcel { from: life.0, replica: node.replica(), to, message };
        claims::nothing_rests_on_unsynced_state(&node.disk, &parcel);
        hearing::on_sending(self, life, &parcel);
        if let PeerMessage::LeaseRequest { sent, .. } = parcel.message {
            self.watch.asked.insert((life, sent));
        }
        let fateful = matches!(
            parcel.message,
            PeerMessage::Paxos(Message::Promise { .. } | Message::Accepted { .. })
        );
        let moves = takes_a_zone(&parcel.message);
        if !self.calm {
            self.attic.remember(&parcel, &mut self.dice);
        }
        let lost = !self.calm && self.dice.chance(self.plan.network.loss);
        if lost || !self.hears(&parcel) {
            self.summary.drops += 1;
        } else {
            self.post(parcel);
        }
        if fateful {
            self.perhaps_the_last_act(life);
        }
        if moves && !self.calm && self.dice.chance(self.plan.last_move) {
            self.nobody_hears_of_it(life);
        }
    }

    /// A follower that has just lost a zone by what was chosen hears of the agreement only later, and goes on
    /// hearing all else; one at a time, for the others are to go on.
    pub(crate) fn perhaps_a_loser_does_not_hear_of_it(&mut self) {
        for loser in core::mem::take(&mut self.watch.losers) {
            let leads = self.leader() == Some(loser.0);
            let another = self.deaf.values().any(|until| self.now < *until);
            if !self.calm && !leads && !another && self.dice.chance(self.plan.deaf_losers) {
                let until = self.now + self.dice.between(50, 500) * MS;
                self.deaf.insert(loser, until);
            }
        }
    }

    /// Its sender dies, or lives and hands on later, to another leader, what it could not get agreed.
    fn nobody_hears_of_it(&mut self, life: Life) {
        if self.dice.chance(50) {
            return self.after(0, Event::Die(life));
        }
        for other in self.everybody().into_iter().filter(|other| *other != life.0) {
            self.part(life.0.0, other.0);
        }
        self.summary.partitions += 1;
    }

    fn post(&mut self, parcel: Parcel) {
        let broker = self.broker.incarnation;
        if !self.calm && self.dice.chance(self.plan.network.duplicate) {
            self.summary.duplicates += 1;
            let delay = self.delay(&parcel);
            self.after(delay, Event::Peer(broker, parcel.clone()));
        }
        let delay = self.delay(&parcel);
        self.after(delay, Event::Peer(broker, parcel));
    }

    fn delay(&mut self, parcel: &Parcel) -> u64 {
        if kind(&parcel.message).is_some_and(|kind| self.is_late(kind)) {
            return self.lateness();
        }
        if !self.calm && self.dice.chance(self.plan.network.straggle) {
            return self.dice.tail(1000, 5_000_000);
        }
        self.dice.between(1, self.plan.network.delay)
    }

    /// Whether one of a kind is late.
    pub(crate) fn is_late(&mut self, kind: Late) -> bool {
        !self.calm && self.plan.network.late == Some(kind) && self.dice.chance(30)
    }

    pub(crate) fn lateness(&mut self) -> u64 {
        self.dice.between(20, 1000) * MS
    }

    pub(crate) fn hear(&mut self, broker: u64, parcel: Parcel) {
        if broker != self.broker.incarnation || !self.hears(&parcel) {
            return;
        }
        let life = self.nodes[&parcel.to].life();
        let Parcel { replica, message, .. } = parcel;
        self.input(life, Input::Peer { from: replica, message });
    }

    fn hears(&self, parcel: &Parcel) -> bool {
        let (from, to) = (parcel.from, parcel.to);
        let cut = |id: GatewayId| {
            self.nodes.get(&id).is_none_or(|node| node.cut.is_some()) || self.muted.contains(&id)
        };
        let deaf = matches!(parcel.message, PeerMessage::Paxos(_))
            && self.deaf.get(&to).is_some_and(|until| self.now < *until);
        !cut(from) && !cut(to) && !deaf && !self.parted.contains(&(from, to))
    }

    /// Messages come in again, however old they are.
    pub(crate) fn deliver_stale(&mut self) {
        for _ in 0..self.dice.between(1, 12) {
            let Some(parcel) = self.attic.draw(&mut self.dice) else { return };
            self.summary.stale += 1;
            let broker = self.broker.incarnation;
            self.soon(Event::Peer(broker, parcel));
        }
    }
}

fn kind(message: &PeerMessage) -> Option<Late> {
    match message {
        PeerMessage::LeaseGrant { .. } => Some(Late::Grant),
        PeerMessage::EpochAnswer { .. } => Some(Late::EpochAnswer),
        PeerMessage::Paxos(Message::Propose { .. }) => Some(Late::Proposal),
        PeerMessage::Paxos(Message::Accept { .. }) => Some(Late::Accept),
        _ => None,
    }
}

/// Whether somebody who may live is to lose a zone.
fn takes_a_zone(message: &PeerMessage) -> bool {
    let PeerMessage::Paxos(Message::Accept { value, .. }) = message else { return false };
    value.requests().iter().any(|request| {
        let entry = Entry::decode(&request.payload);
        entry.is_ok_and(|entry| matches!(entry.op, Op::Dead { .. } | Op::Move { .. }))
    })
}
