//! The keys, and how a value of each is written.

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `"text"`
    Text,
    /// `3`
    Whole,
    /// `true`
    Switch,
    /// `[1, 2, 3]`, in the environment `1,2,3`
    Numbers,
    /// `[[device]]` tables; only in files
    Devices,
}

/// Every key. A test holds this list and `default.toml` together.
pub(crate) const KEYS: &[(&str, Shape)] = &[
    ("site", Shape::Text),
    ("broker.bind", Shape::Text),
    ("broker.id", Shape::Whole),
    ("broker.durable_ack", Shape::Switch),
    ("broker.data_dir", Shape::Text),
    ("broker.users", Shape::Text),
    ("broker.roles", Shape::Text),
    ("broker.sys_interval", Shape::Whole),
    ("broker.metrics", Shape::Text),
    ("broker.tls.bind", Shape::Text),
    ("broker.tls.certificate", Shape::Text),
    ("broker.tls.key", Shape::Text),
    ("broker.tls.client_ca", Shape::Text),
    ("broker.tls.client_required", Shape::Switch),
    ("broker.websocket.bind", Shape::Text),
    ("broker.websocket.tls", Shape::Switch),
    ("broker.limits.connections", Shape::Whole),
    ("broker.limits.gateway_connections", Shape::Whole),
    ("broker.limits.connections_per_address", Shape::Whole),
    ("broker.limits.pending_connections", Shape::Whole),
    ("broker.limits.sessions", Shape::Whole),
    ("broker.limits.session_bytes", Shape::Whole),
    ("broker.limits.packet_bytes", Shape::Whole),
    ("broker.limits.queue_messages", Shape::Whole),
    ("broker.limits.queue_bytes", Shape::Whole),
    ("broker.limits.waiting_bytes", Shape::Whole),
    ("broker.limits.inflight", Shape::Whole),
    ("broker.limits.receive_maximum", Shape::Whole),
    ("broker.limits.subscriptions", Shape::Whole),
    ("broker.limits.wildcard_filters", Shape::Whole),
    ("broker.limits.retained_messages", Shape::Whole),
    ("broker.limits.retained_bytes", Shape::Whole),
    ("broker.limits.zone_messages", Shape::Whole),
    ("broker.limits.zone_qos0", Shape::Whole),
    ("broker.limits.zone_bytes", Shape::Whole),
    ("broker.limits.connect_timeout_ms", Shape::Whole),
    ("broker.limits.write_timeout_ms", Shape::Whole),
    ("broker.limits.announce_every_ms", Shape::Whole),
    ("broker.limits.gateway_grace_ms", Shape::Whole),
    ("broker.limits.come_back_ms", Shape::Whole),
    ("client.broker", Shape::Text),
    ("client.password_file", Shape::Text),
    ("client.timeout_ms", Shape::Whole),
    ("gateway.id", Shape::Whole),
    ("gateway.voters", Shape::Numbers),
    ("gateway.serving", Shape::Numbers),
    ("gateway.leaders", Shape::Numbers),
    ("gateway.threshold", Shape::Whole),
    ("gateway.patience", Shape::Whole),
    ("gateway.cache", Shape::Whole),
    ("gateway.data_dir", Shape::Text),
    ("gateway.door_closes_after_ms", Shape::Whole),
    ("gateway.log_keep", Shape::Whole),
    ("gateway.own_broker", Shape::Switch),
    ("gateway.rounds", Shape::Switch),
    ("gateway.contention", Shape::Switch),
    ("gateway.trust_file", Shape::Switch),
];

/// The key of the list of simulated devices, and the keys of one of them.
pub(crate) const DEVICE: &str = "device";
pub(crate) const DEVICE_KEYS: [&str; 3] = ["zone", "name", "kind"];

impl Shape {
    /// The shape of the value of `key`; none when there is no such key.
    pub(crate) fn of(key: &str) -> Option<Self> {
        if key == DEVICE {
            return Some(Self::Devices);
        }
        KEYS.iter().find(|(known, _)| *known == key).map(|(_, shape)| *shape)
    }

    /// In words, for an error.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text in quotes",
            Self::Whole => "a whole number",
            Self::Switch => "true or false",
            Self::Numbers => "a list of gateway numbers such as [1, 2, 3]",
            Self::Devices => "[[device]] tables with zone, name and kind, in a file",
        }
    }
}

/// The keys that may stand where `key` stands: those with the same table before them.
pub(crate) fn beside(key: &str) -> Vec<String> {
    let table = key.rsplit_once('.').map_or("", |(table, _)| table);
    let known = KEYS.iter().map(|(known, _)| *known).chain([DEVICE]);
    let in_table = |known: &&str| table.is_empty() || known.starts_with(&format!("{table}."));
    let found: Vec<String> = known.filter(in_table).map(str::to_owned).collect();
    if found.is_empty() { beside("") } else { found }
}
