//! What a broker can be told. Every bound stands with the reason for its number in [`Limits`].

use std::path::PathBuf;
use std::time::Duration;

use broker_core::Incarnation;
use broker_settings::{Limits, Tls, WebSocket};

use crate::access::Access;

/// Settings of one broker. `Default` is a working broker on `127.0.0.1:1883`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address and port to listen on, for example `0.0.0.0:1883`. Port 0 lets the system choose one; empty for no such
    /// port, where there is one for TLS or WebSocket.
    pub bind: String,
    /// The site's name: the topic root of `<site>/<zone>/<device>/report` and `set`.
    pub site: String,
    /// Number of this broker within the site; first part of every stamp.
    pub broker_id: u16,
    /// A number that no earlier run of this broker had; second part of every stamp.
    /// The caller chooses it (a start time in milliseconds will do).
    pub incarnation: u64,
    /// Whether `report` and `set` are acknowledged only after the zone's session acknowledged them,
    /// and held while a zone has no session. Off, the broker is any MQTT broker.
    pub durable_ack: bool,
    /// Folder of the file that keeps what outlives the broker: retained messages, sessions and their
    /// subscriptions, and wills. `None` keeps everything in memory only.
    pub data_dir: Option<PathBuf>,
    /// Who may come in and do what.
    pub access: Access,
    /// How often the `$SYS` topics are brought up to date. 10 s, as with mosquitto; zero for no such topics.
    pub sys_interval: Duration,
    /// Address and port on which the same numbers are told to Prometheus (`GET /metrics`), if anywhere.
    pub metrics: Option<String>,
    /// A port for TLS, and the certificates for WebSocket.
    pub tls: Option<Tls>,
    /// A port for WebSocket.
    pub websocket: Option<WebSocket>,
    /// Bounds of queues, sizes and waiting times.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:1883".to_owned(),
            site: "home".to_owned(),
            broker_id: 1,
            incarnation: 0,
            durable_ack: true,
            data_dir: None,
            access: Access::default(),
            sys_interval: Duration::from_secs(10),
            metrics: None,
            tls: None,
            websocket: None,
            limits: Limits::default(),
        }
    }
}

impl Settings {
    /// What the core is told of them.
    pub(crate) fn core(&self) -> broker_core::Settings {
        broker_core::Settings {
            site: self.site.clone(),
            broker_id: self.broker_id,
            incarnation: Incarnation(self.incarnation),
            durable_ack: self.durable_ack,
            store: self.data_dir.is_some(),
            limits: self.limits.clone(),
        }
    }
}
