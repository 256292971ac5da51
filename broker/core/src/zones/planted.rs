//! Mistakes about what zones hold, and its acknowledgements.

use crate::id::ConnId;
use crate::message::Delivery;
use crate::planted::planted;

planted! {
    /// The connection on which a publisher is told.
    AcknowledgedElsewhere: fn heard_on(heard: ConnId, now: Option<ConnId>) => now.unwrap_or(heard);
    /// Whether what a session had not acknowledged waits before what is newer.
    BehindTheNewer: fn waits_first(first: bool) => false;
    /// Whether a publish may be dropped for one at QoS 0: one at QoS 0.
    PromisedDropped: fn droppable(unpromised: bool) => true;
    /// Whether publishers that found no room are read further when there is some.
    NotReadOn: fn reads_on(on: bool) => false;
    /// Whether what is settled makes room.
    RoomKept: fn makes_room(room: bool) => false;
    /// What waited, in the order in which a new session gets it.
    NewestFirst: fn released(held: Vec<Delivery>) => held.into_iter().rev().collect();
    /// Whether a zone that waits is announced more than once.
    AnnouncedOnce: fn announces_again(again: bool) => false;
    /// Whether the leader's word is on a publish: on none that came after what the leader was told of.
    WordOnTheNewer: fn is_meant(meant: bool) => true;
}
