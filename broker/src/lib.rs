//! The embedded MQTT broker: a connection edge of our own around rumqttd's router.

mod connection;
mod core;
mod error;
mod hub;
mod listener;
mod message;
mod protocol;
mod router;
mod settings;

pub use error::{BindError, BrokerError};
pub use listener::Broker;
pub use settings::{Limits, Settings};
