//! MQTT as seen by a client that must know every packet: which packet id it uses, what is acknowledged and how.
//!
//! `link` hides exactly that. This client speaks just what the people of a chaos run say.

mod connection;
mod packet;

pub use connection::{Connection, Hello};
pub use packet::{Packet, Publish, Version};
