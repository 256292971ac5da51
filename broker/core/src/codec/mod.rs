//! Packets as bytes, in both versions of the protocol.
//!
//! `mqtt-protocol-core` parses the packets. Its `Connection` is not used, because it keeps a
//! second copy of the session's handshakes, answers a repeated QoS 2 publish at once even while the
//! durable acknowledgement is outstanding, and counts a resumed PUBREL below zero for clients with a
//! Receive Maximum. PUBLISH and its acknowledgements, the hot path, are read and written in place.

mod connect;
mod decode;
mod encode;
mod properties;

pub use decode::{Decoder, claimed_version};
pub use encode::{
    Action, Alias, ConnackLimits, Encoder, Outgoing, REFUSAL, codes_size, welcome_size,
};
