//! The settings as written: right shapes, nothing else known of them.

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
    pub(crate) limits: RawLimits,
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
pub(crate) struct RawLimits {
    pub(crate) connections: i64,
    pub(crate) gateway_connections: i64,
    pub(crate) connections_per_address: i64,
    pub(crate) pending_connections: i64,
    pub(crate) sessions: i64,
    pub(crate) session_bytes: i64,
    pub(crate) packet_bytes: i64,
    pub(crate) queue_messages: i64,
    pub(crate) queue_bytes: i64,
    pub(crate) waiting_bytes: i64,
    pub(crate) inflight: i64,
    pub(crate) receive_maximum: i64,
    pub(crate) subscriptions: i64,
    pub(crate) wildcard_filters: i64,
    pub(crate) retained_messages: i64,
    pub(crate) retained_bytes: i64,
    pub(crate) zone_messages: i64,
    pub(crate) zone_qos0: i64,
    pub(crate) zone_bytes: i64,
    pub(crate) connect_timeout_ms: i64,
    pub(crate) write_timeout_ms: i64,
    pub(crate) announce_every_ms: i64,
    pub(crate) gateway_grace_ms: i64,
    pub(crate) come_back_ms: i64,
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
