//! The settings as written: right shapes, nothing else known of them.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct Raw {
    pub(crate) site: String,
    pub(crate) broker: RawBroker,
    pub(crate) client: RawClient,
    pub(crate) gateway: RawGateway,
    pub(crate) device: Vec<RawDevice>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawBroker {
    pub(crate) bind: String,
    pub(crate) id: i64,
    pub(crate) durable_ack: bool,
    pub(crate) data_dir: String,
    pub(crate) users: String,
    pub(crate) roles: String,
    pub(crate) sys_interval: i64,
    pub(crate) metrics: String,
    pub(crate) tls: RawTls,
    pub(crate) websocket: RawWebSocket,
    /// By their names in [`broker_settings::Limits::NAMES`].
    pub(crate) limits: BTreeMap<String, i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawTls {
    pub(crate) bind: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) client_ca: String,
    pub(crate) client_required: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawWebSocket {
    pub(crate) bind: String,
    pub(crate) tls: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawClient {
    pub(crate) broker: String,
    pub(crate) password_file: String,
    pub(crate) timeout_ms: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawGateway {
    pub(crate) id: Option<i64>,
    pub(crate) voters: Vec<i64>,
    pub(crate) serving: Vec<i64>,
    pub(crate) leaders: Vec<i64>,
    pub(crate) threshold: i64,
    pub(crate) patience: i64,
    pub(crate) cache: i64,
    pub(crate) data_dir: String,
    pub(crate) log_keep: i64,
    pub(crate) door_closes_after_ms: i64,
    pub(crate) own_broker: bool,
    pub(crate) rounds: bool,
    pub(crate) contention: bool,
    pub(crate) trust_file: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawDevice {
    pub(crate) zone: String,
    pub(crate) name: String,
    pub(crate) kind: String,
}
