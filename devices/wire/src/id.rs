//! Numbers that must not be mixed up, a type each.

use core::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The number after this one.
            #[must_use]
            pub fn next(self) -> Self {
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
    /// Number of a registered device, from 2 in order of registration.
    NodeId(u32)
}
number! {
    /// Number of a gateway, 1 to 254; also its replica number in Paxos.
    GatewayId(u8)
}
number! {
    /// Counter of agreed device changes, from 1 without holes, assigned by apply.
    Seq(u64)
}
number! {
    /// Number of one ownership of one zone; every placement and every move takes a new one.
    Epoch(u64)
}
number! {
    /// Number of an order, from 1 for each device.
    OrderNumber(u64)
}
number! {
    /// Milliseconds since the Unix epoch, as agreed in the log.
    UnixMillis(u64)
}
number! {
    /// A Lamport clock (Lamport 1978): it orders what could have caused what.
    Clock(u64)
}

impl NodeId {
    /// The first device that registers gets this number.
    pub const FIRST: Self = Self(2);
}

impl Clock {
    /// Advances the clock for an event of its own and gives the new value.
    pub fn tick(&mut self) -> Self {
        self.0 += 1;
        *self
    }

    /// Takes the clock of a received message into account, as an event of its own.
    pub fn observe(&mut self, received: Self) -> Self {
        self.0 = self.0.max(received.0) + 1;
        *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_received_clock_is_always_behind_the_event_of_receiving_it() {
        let mut clock = Clock(3);
        assert_eq!(clock.observe(Clock(9)), Clock(10));
        assert_eq!(clock.observe(Clock(2)), Clock(11));
        assert_eq!(clock.tick(), Clock(12));
    }
}
