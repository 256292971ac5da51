//! An MQTT connection that reports what happens to it.
//!
//! The packets are rumqttc's (its codecs for 3.1.1 and 5); the connection around them is our own,
//! because rumqttc's event loop replays on a new connection what was meant for the old one, holds
//! acknowledgements back behind publishes, stops writing while its caller does not read, and needs
//! five seconds of silence before it asks whether the broker lives.
//!
//! ```text
//! Link ──publish, subscribe──▶ bounded queue ─┐
//!      ──ack────────────────▶ never waits  ──┤ task: Session (pure) ◀──▶ TCP
//! Events ◀───────────────────── bounded queue ┘
//! ```
//!
//! What the caller does:
//! 1. Open a connection: [`Link::open`] for one that ends when it breaks, [`Link::keep`] for one
//!    that is made again for ever.
//! 2. Call [`Events::next`] until it gives none. A caller who stops reading stops the broker, by
//!    TCP's own back-pressure, but not its own sending.
//! 3. With manual acknowledgements, give every [`Ack`] back once.
//!
//! Nothing is ever replayed: what was not acknowledged when a connection broke is the caller's to
//! send again.

mod codec;
mod connection;
#[cfg(test)]
mod fuzz;
mod handle;
mod keep;
mod message;
mod options;
mod request;
mod session;

pub use handle::{Closed, Events, Link, TryPublish};
pub use hearth_address::{Address, AddressError};
pub use message::{Ack, Delivery, DownReason, Event, Granted, Publish, Reason};
pub use options::{Options, Qos, Version, Will};
pub use request::{NameOf, RequestError, Requester, Retry};
