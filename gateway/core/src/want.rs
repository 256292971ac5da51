//! What roles want done.
//!
//! A role changes itself and nothing else. What it wants of the others and of the outside it leaves in [`Wants`], and
//! [`Gateway`](crate::Gateway) sees to one want after the other: whatever follows from a want comes before the next.

use std::collections::{BTreeMap, VecDeque};

use paxos::{Chosen, Event, Moment, ReplicaId};
use wire::{ApiVerb, Epoch, GatewayId, Stamp, Zone};

use crate::command::Op;
use crate::context::Context;
use crate::event::{Delivery, Effect, Read};
use crate::house::House;
use crate::id::Incarnation;
use crate::peer::PeerMessage;
use crate::snapshots::SnapshotId;
use crate::witness::Witness;

/// Something that is to be done.
#[derive(Debug)]
pub(crate) enum Want {
    /// It rests on no write and is the shell's.
    Effect(Effect),
    /// Tell a gateway; a message to this one is taken at once.
    Send(GatewayId, PeerMessage),
    /// Read the tables, after everything that is to be written before.
    Read(Read),
    /// Propose an entry of no zone; it may be proposed again until its effect shows.
    Propose(Op),
    /// Give these to Paxos, one after the other.
    Agree(VecDeque<paxos::Input>),
    /// Ask Paxos whether this gateway leads still.
    Confirm(Question),
    /// Paxos has answered that.
    Confirmed(Question, bool),
    /// Paxos tells of something.
    Happened(Event),
    /// Paxos chose this.
    Apply(Chosen),
    /// Everything that a step of Paxos led to is done: write its records.
    Stepped(paxos::Step),
    /// A query that waited is to be looked at again.
    Deliver(Delivery),
    /// Put this house of a snapshot in the place of everything.
    Install(SnapshotId, Box<House>),
    /// Count this, and tell of it in the log.
    Refused(Refused),
    /// Remember this of another gateway's file, or forget the file.
    Remember(ReplicaId, Option<Witness>),
    /// Tell a gateway once what is to be remembered is written.
    SendWritten(GatewayId, PeerMessage),
    /// Something is to be seen to from time to time.
    Chore(Chore),
}

/// A request that was refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) topic: String,
    pub(crate) why: String,
}

/// For what Paxos was asked whether this gateway leads still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// A life of a gateway wants a lease.
    Lease(LeaseRequest),
    /// An owner asks whether it still is one.
    Epoch(GatewayId, EpochQuestion),
    /// This gateway wants to open the site session.
    Site,
    /// This gateway wants to know whether it has applied everything that was chosen before it led.
    Past,
    /// This gateway wants to know whether nobody knows these zones.
    Knocks(Knocks),
    /// Someone asks the API, and must not be answered by a leader that was deposed.
    Api(Box<Delivery>, ApiVerb),
}

/// Zones for which a broker holds orders only, with how much it had taken in when it said so.
pub(crate) type Knocks = BTreeMap<Zone, Stamp>;

/// A life of a gateway wants a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseRequest {
    pub(crate) from: GatewayId,
    pub(crate) life: Incarnation,
    /// When it was sent, by the clock of that life.
    pub(crate) sent: Moment,
}

/// An owner asks whether it still is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EpochQuestion {
    pub(crate) zone: Zone,
    pub(crate) epoch: Epoch,
    /// Its number among those about this zone and epoch.
    pub(crate) number: u64,
}

/// What a gateway sees to from time to time, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    Standing,
    Beat,
    Lease,
    Join,
    Suspect,
    Bury,
    Probe,
    Zones,
    Queries,
    Snapshots,
    Site,
    Door,
    Voters,
    Time,
    Lead,
    Registrations,
}

impl Chore {
    pub(crate) const ALL: [Self; 16] = [
        Self::Standing,
        Self::Beat,
        Self::Lease,
        Self::Join,
        Self::Suspect,
        // A lost gateway has had its last probe before this one.
        Self::Bury,
        Self::Probe,
        Self::Zones,
        Self::Queries,
        Self::Snapshots,
        Self::Site,
        Self::Door,
        Self::Voters,
        Self::Time,
        Self::Lead,
        Self::Registrations,
    ];
}

/// What was wanted, in order.
#[derive(Debug, Default)]
pub(crate) struct Wants(Vec<Want>);

impl Wants {
    pub(crate) fn push(&mut self, want: Want) {
        self.0.push(want);
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.push(Want::Effect(effect));
    }

    pub(crate) fn send(&mut self, to: GatewayId, message: PeerMessage) {
        self.push(Want::Send(to, message));
    }

    pub(crate) fn propose(&mut self, op: Op) {
        self.push(Want::Propose(op));
    }

    pub(crate) fn agree(&mut self, input: paxos::Input) {
        self.push(Want::Agree(VecDeque::from([input])));
    }

    pub(crate) fn read(&mut self, read: Read) {
        self.push(Want::Read(read));
    }

    /// Tells what an operator must know.
    pub(crate) fn tell(&mut self, words: String) {
        self.effect(Effect::Say(words));
    }

    /// Tells a detail, if anyone wants to hear details.
    pub(crate) fn say(&mut self, ctx: &Context, words: impl FnOnce() -> String) {
        if ctx.settings.story {
            self.tell(words());
        }
    }

    /// Adds these to a stack of wants, so that the first of them comes next.
    pub(crate) fn put_on(self, stack: &mut Vec<Want>) {
        stack.extend(self.0.into_iter().rev());
    }
}

#[cfg(test)]
impl Wants {
    pub(crate) fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.0.iter().filter_map(|want| match want {
            Want::Effect(effect) => Some(effect),
            _ => None,
        })
    }
}
