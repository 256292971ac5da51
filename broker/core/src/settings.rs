//! What the core can be told. Every bound of the broker stands here with the reason for its number.

use std::time::Duration;

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

/// Bounds. Every queue of the broker has one here.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time. 10,000: a large home has a few hundred; one costs about 4 KiB.
    pub connections: usize,
    /// Those of `connections` that only gateways can have. 1,000: three gateways with the zones of a large home.
    pub gateway_connections: usize,
    /// Connections at a time from one address, or from one /64 of IPv6; not for gateways. 2,000: a whole fleet behind
    /// one router, and not all there are.
    pub connections_per_address: usize,
    /// Connections beside those whose CONNECT has not come yet. 1,000, at 20 KiB each during a handshake of TLS: a
    /// fleet that comes back at once. A newer one takes the place of the oldest.
    pub pending_connections: usize,
    /// Sessions, connected or not. 20,000: every connection and as many sleepers.
    pub sessions: usize,
    /// Bytes of all that sessions are: client ids, filters, wills. 128 MiB: 6 KiB for each, or half a million
    /// subscriptions altogether.
    pub session_bytes: usize,
    /// Largest packet that is read, in bytes. 1 MiB: a camera still, not a video.
    pub packet_bytes: u32,
    /// Messages that may wait for one session. 50,000: one second of a very busy home at about
    /// 100 bytes of bookkeeping each, so at most 5 MiB.
    pub queue_messages: usize,
    /// Bytes of topic, properties and payload that may wait for one session, or be sent to its client and not
    /// acknowledged. 32 MiB: messages are shared
    /// between sessions, so many slow readers of the same topics cost this about once.
    pub queue_bytes: usize,
    /// Bytes of all messages that wait for sessions, and of what is kept about them. 256 MiB: as much as is retained.
    /// A session may have no more waiting than is free of it, so that many slow readers get less each than few.
    pub waiting_bytes: usize,
    /// QoS 1 and 2 messages sent to one client and not yet acknowledged. 1,000: enough for a 10 ms
    /// round trip at 100,000 messages a second; a client may ask for less by Receive Maximum.
    pub inflight: u16,
    /// QoS 1 and 2 publishes taken from one client and not yet acknowledged. 1,000, as above.
    /// Announced to MQTT 5 clients; an MQTT 3.1.1 client is not read further while its zone makes it wait, and
    /// beyond that has as many QoS 2 handshakes open as there are packet ids.
    pub receive_maximum: u16,
    /// Subscriptions of one session. 10,000: a load test's fleet on one connection.
    pub subscriptions: usize,
    /// Different wildcard filters that anyone is subscribed to. 20,000: one for every session, half a KiB each.
    pub wildcard_filters: usize,
    /// Retained messages. 100,000: about 100 MiB with everyday payloads.
    pub retained_messages: usize,
    /// Bytes of retained messages. 256 MiB: what a small box can spare.
    pub retained_bytes: usize,
    /// Publishes of one zone taken in and not acknowledged by its session. 4,096: half a minute of a
    /// zone's hundred busy sensors while its owner moves.
    pub zone_messages: usize,
    /// QoS 0 publishes held for a zone without a session. 64: fresh readings matter, old ones do not.
    pub zone_qos0: usize,
    /// Bytes of all publishes taken in for zones and not acknowledged. 64 MiB.
    pub zone_bytes: usize,
    /// Time from TCP accept to a complete CONNECT, with all handshakes. 10 s: a slow radio link needs two or three.
    pub connect_timeout: Duration,
    /// Time a write may stand still before the client counts as gone, also with keepalive 0.
    /// 20 s: longer than a Wi-Fi roam.
    pub write_timeout: Duration,
    /// How often a waiting zone is announced. 250 ms: a lost announcement costs a blink.
    pub announce_every: Duration,
    /// How long after its start a broker takes gateways to be on their way, and holds reports and orders for
    /// them; then, if none has come, it is a broker like any other. 5 s: a gateway knocks every second at least.
    pub gateway_grace: Duration,
    /// How long after its start a broker takes the clients of its earlier life to be on their way back; then it publishes
    /// the wills of those who are not. 15 s: stock devices knock every ten.
    pub come_back: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            gateway_connections: 1_000,
            connections_per_address: 2_000,
            pending_connections: 1_000,
            sessions: 20_000,
            session_bytes: 128 * 1024 * 1024,
            packet_bytes: 1024 * 1024,
            queue_messages: 50_000,
            queue_bytes: 32 * 1024 * 1024,
            waiting_bytes: 256 * 1024 * 1024,
            inflight: 1_000,
            receive_maximum: 1_000,
            subscriptions: 10_000,
            wildcard_filters: 20_000,
            retained_messages: 100_000,
            retained_bytes: 256 * 1024 * 1024,
            zone_messages: 4_096,
            zone_qos0: 64,
            zone_bytes: 64 * 1024 * 1024,
            connect_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(20),
            announce_every: Duration::from_millis(250),
            gateway_grace: Duration::from_secs(5),
            come_back: Duration::from_secs(15),
        }
    }
}
