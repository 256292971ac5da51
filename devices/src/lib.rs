//! The device side of Hearth: simulated sensors and devices, the user who acts on them, a
//! fleet of clients that measures a home under load, and a cable that can be cut.
//!
//! Nothing here prints, and nothing here knows a gateway: everything is said over MQTT, in the
//! words of `wire`.
//!
//! ```text
//! user ──world──▶ device ──report──▶ owner of the zone
//!        ◀──────answer──────┘  ◀─answer, command──┘
//! fleet ──set, get──────────────────▶
//! ```

pub mod device;
pub mod fleet;
pub mod relay;
pub mod user;
