//! The broker's state machine: sessions, subscriptions, QoS, retained messages, wills, zones; and the MQTT packets that
//! it takes and gives. No clock and no I/O: time is a value, connections are numbers, and what is to be done comes out
//! as a value too. [`Core`] states what its caller has to do.
//!
//! ```text
//!  packets, matches, time --> Core --> packets, steps for the router, changes for the store
//! ```
//!
//! Several cores may stand beside each other in one process; the broker's own shell has one, a simulator many.

pub mod access;
mod core;
mod map;
mod message;
mod moment;
#[cfg(not(feature = "mutants"))]
mod mutant;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod protocol;
pub mod router;
mod settings;
mod weight;

pub use broker_settings::Limits;
#[cfg(feature = "testing")]
pub use core::testing;
pub use core::{
    Connected, Core, Counts, Effects, Ended, Keep, LastWill, Lasting, Memory, Reading, Received,
    Sent, StoredMessage, StoredSession, StoredWaiting, StoredWill, Waiting, Waits,
};
pub use map::Map;
pub use message::{ConnId, Message, SessionKey};
pub use moment::Moment;
pub use settings::Settings;
