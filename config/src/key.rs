//! The keys, and how a value of each is written.

use broker_settings::Limits;

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

/// Every key but the broker's bounds and the devices. A test holds the keys and `default.toml` together.
const KEYS: &[(&str, Shape)] = &[
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

/// The table of the broker's bounds, whose keys are [`Limits::NAMES`].
const LIMITS: &str = "broker.limits.";

/// The key of the list of simulated devices, and the keys of one of them.
pub(crate) const DEVICE: &str = "device";
pub(crate) const DEVICE_KEYS: [&str; 3] = ["zone", "name", "kind"];

impl Shape {
    /// The shape of the value of `key`; none when there is no such key.
    pub(crate) fn of(key: &str) -> Option<Self> {
        if key == DEVICE {
            return Some(Self::Devices);
        }
        if key.strip_prefix(LIMITS).is_some_and(|name| Limits::NAMES.contains(&name)) {
            return Some(Self::Whole);
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

/// Every key but that of the devices.
pub(crate) fn all() -> impl Iterator<Item = String> {
    let limits = Limits::NAMES.iter().map(|name| format!("{LIMITS}{name}"));
    KEYS.iter().map(|(key, _)| (*key).to_owned()).chain(limits)
}

/// The keys that may stand where `key` stands: those with the same table before them.
pub(crate) fn beside(key: &str) -> Vec<String> {
    let table = key.rsplit_once('.').map_or("", |(table, _)| table);
    let known = all().chain([DEVICE.to_owned()]);
    let in_table = |known: &String| table.is_empty() || known.starts_with(&format!("{table}."));
    let found: Vec<String> = known.filter(in_table).collect();
    if found.is_empty() { beside("") } else { found }
}
