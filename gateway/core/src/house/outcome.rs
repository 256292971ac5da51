//! What became of an entry: for its proposer, who answers, and for everyone's log.

use wire::{Epoch, GatewayId, NodeId, OrderNumber, Seq, State, Zone};

use super::change::Change;
use super::note::Note;

/// What became of one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The rows to write, in order.
    pub changes: Vec<Change>,
    /// What its proposer answers.
    pub verdict: Verdict,
    /// The registers that changed, one for each [`Change::Status`], in the same order.
    pub written: Vec<Written>,
    /// Orders that the entry fulfilled.
    pub closed: Vec<(NodeId, OrderNumber)>,
    /// Orders that nobody will fulfil any more: replaced by a newer one, or expired.
    pub dropped: Vec<(NodeId, OrderNumber)>,
    /// Devices that registered with this entry.
    pub registered: Vec<NodeId>,
    /// Zones that got an owner or a new one.
    pub moved: Vec<Moved>,
    /// Zones that are gone.
    pub removed: Vec<Zone>,
    /// What there is to tell.
    pub notes: Vec<Note>,
}

/// What the proposer of an entry answers its requester.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody asked, or nothing was to be done.
    #[default]
    Nothing,
    /// Agreed; for a report the change, for an order also its number.
    Done {
        /// The device.
        node: NodeId,
        /// Number of the change; 0 when there was none, as with a registration.
        seq: Seq,
        /// Number of the order.
        order: Option<OrderNumber>,
        /// It was agreed before: the request had come already.
        again: bool,
    },
    /// It cannot be done, and why.
    Refused(Refusal, String),
    /// The proposal's epoch or number is not the next one: it was applied before, or the zone has
    /// moved, or one before it is missing and it has to be proposed again.
    Fenced,
}

/// Why a request is refused for good, as far as a program has to tell the cases apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Its payload is not what its topic takes.
    Payload,
    /// Its topic names something that there is not, or that takes no such request.
    Unknown,
    /// Its sender may not ask for this.
    Denied,
    /// Its sender has used up its share of something.
    Quota,
}

/// A register that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The device.
    pub node: NodeId,
    /// Number of the change.
    pub seq: Seq,
    /// Its new value.
    pub state: State,
    /// The order, when the change is one.
    pub order: Option<OrderNumber>,
}

/// A zone that got an owner or a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The zone.
    pub zone: Zone,
    /// Its owner before; none for a new zone.
    pub from: Option<GatewayId>,
    /// Its owner now.
    pub to: GatewayId,
    /// The new epoch.
    pub epoch: Epoch,
}
