//! The embedded MQTT broker: a connection edge of our own around rumqttd's router.

mod error;
mod listener;
mod settings;

pub use error::{BindError, BrokerError};
pub use listener::Broker;
pub use settings::{Limits, Settings};
