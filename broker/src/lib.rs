//! The embedded MQTT broker: a connection edge of our own around rumqttd's router.
//!
//! ```text
//!            connection (tokio, one task per client, 3.1.1 and 5 on one port)
//!                |  packets                          ^  actions
//!                v                                   |
//!   hub:  one lock around the core: sessions, QoS, wills, retained messages, zones
//!                |  number + topic, wildcards only   ^  number + filter
//!                v                                   |
//!            router (rumqttd's thread: which filters match)
//! ```
//!
//! A message is one shared value. Subscribers of its exact topic and the session of its zone get it in the same
//! step that took it in. If anyone has a wildcard subscription, the message's number goes through the router and
//! comes back once for every filter that matches; the message waits in a bounded window meanwhile. Where several
//! subscriptions of one session match, the oldest one's way delivers, with the highest QoS of all of them, so
//! there is one copy and no overtaking.
//!
//! What other brokers do not do: a publish to `<site>/<zone>/<device>/report` or `set` is acknowledged only when
//! the session `hearth-<site>-zone-<zone>` has acknowledged it, and is held while there is no such session. It
//! carries the user property `hearth-stamp: <broker>/<incarnation>/<counter>`, the same on redelivery, and
//! `hearth-retained: 1` if it comes from the retained store.
//!
//! Nothing waits for the disk: what outlives the broker is written by a thread of its own ([`Settings::data_dir`]).
//!
//! All decisions are made in [`broker_core`], which does no I/O.
//!
//! While there is a file of users, everyone logs in, and a role says which topics each may read and write; without one
//! the broker listens on loopback addresses only. The core is given a client's rights as a value and decides by them.
//!
//! Clients come over TCP, TLS and WebSocket, each on a port of its own.
//!
//! Absent: the broker never looks into a payload.
//!
//! The router logs every step at error level spans; give your log filter `rumqttd=off`.

mod access;
mod admission;
mod bell;
mod connection;
mod control;
mod converse;
mod descriptors;
mod error;
mod hub;
mod large;
mod listener;
mod pace;
mod pipe;
mod refusals;
mod reload;
mod router;
mod settings;
mod store;
mod sys;
mod transport;

pub use access::{
    Access, AccessError, Resident, User, Users, UsersError, hash_password, random_password,
    read_roles,
};
pub use broker_core::access::{Roles, RolesError};
pub use broker_settings::{Limits, Tls, WebSocket};
pub use error::{BindError, BrokerError};
pub use listener::Broker;
pub use reload::Reloader;
pub use settings::Settings;
pub use store::StoreError;
