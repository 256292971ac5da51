//! Numbers that must not be mixed up, a type each. Those that devices and people see stand in `wire`.

use core::fmt;

use paxos::ReplicaId;
use serde::{Deserialize, Serialize};
use wire::GatewayId;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The number after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Which life of a gateway: the milliseconds at which it started, or more; greater after every start.
    Incarnation
}
number! {
    /// Which opening of a session, from 1: tells its events from those of the one before.
    Generation
}
number! {
    /// A delivery on a session that may be acknowledged; the shell finds the message again by it.
    Token
}
number! {
    /// A question that is not answered yet.
    Ticket
}

/// The gateway of a replica: a replica with a new disk is another replica of the same gateway.
pub(crate) const fn gateway(replica: ReplicaId) -> GatewayId {
    GatewayId(replica.number())
}
