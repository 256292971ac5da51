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
mod administration;
mod codec;
mod core;
mod egress;
mod fanout;
mod id;
mod ingress;
mod intake;
mod keep;
mod lifecycle;
mod map;
mod message;
mod moment;
#[cfg(feature = "mutants")]
pub mod mutant;
mod out;
mod outboxes;
mod packet;
mod planted;
mod reading;
mod request;
mod retained;
mod rooms;
mod route;
pub mod router;
mod session;
mod sessions;
mod settings;
mod shares;
mod site;
mod subscribe;
mod weight;
mod zones;

/// MQTT 3.1.1 and 5 packets, and their bytes.
pub mod protocol {
    pub use crate::codec::{
        Action, Alias, ConnackLimits, Decoder, Encoder, Outgoing, REFUSAL, claimed_version,
        codes_size, welcome_size,
    };
    pub use crate::packet::*;
}

pub use administration::SessionView;
pub use broker_settings::Limits;
#[cfg(feature = "testing")]
pub use core::testing;
pub use core::{Core, Received};
pub use egress::Pulled;
pub use id::{ConnId, Incarnation, SessionKey, Stamp};
pub use keep::{
    Keep, LastWill, Lasting, Memory, Sent, StoredMessage, StoredSession, StoredWaiting, StoredWill,
    Waiting,
};
pub use lifecycle::{Connected, Ended};
pub use map::Map;
pub use message::Message;
pub use moment::Moment;
pub use out::{Complaint, Counts, Effects};
pub use reading::Reading;
pub use request::Request;
pub use settings::Settings;
pub use zones::Waits;
