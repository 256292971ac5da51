//! What the core can be told. Every bound stands with the reason for its number in [`Limits`].

use broker_settings::Limits;

use crate::id::Incarnation;

/// Settings of one broker's core. `Default` is the core of a working broker that keeps everything in memory.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The site's name: the topic root of `<site>/<zone>/<device>/report` and `set`.
    pub site: String,
    /// Number of this broker within the site; first part of every stamp.
    pub broker_id: u16,
    /// A number that no earlier run of this broker had; second part of every stamp.
    pub incarnation: Incarnation,
    /// Whether `report` and `set` are acknowledged only after the zone's session acknowledged them, and held while a
    /// zone has no session.
    pub durable_ack: bool,
    /// Whether there is a store, which is told what outlives the broker ([`Effects::keep`](crate::Effects::keep)).
    pub store: bool,
    /// Bounds of queues, sizes and waiting times.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            site: "home".to_owned(),
            broker_id: 1,
            incarnation: Incarnation::default(),
            durable_ack: true,
            store: false,
            limits: Limits::default(),
        }
    }
}
