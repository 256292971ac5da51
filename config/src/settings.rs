//! The settings as meant: whoever has one of these need not check it again.

use std::path::PathBuf;
use std::time::Duration;

use broker_settings::{Limits, Tls, WebSocket};
use hearth_address::Address;

/// Every setting, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Name of the home: one topic level, not `hearth`.
    pub site: String,
    /// The broker that this machine runs.
    pub broker: Broker,
    /// How the broker is reached.
    pub client: Client,
    /// The gateways.
    pub gateway: Gateway,
    /// The simulated devices, in order of registration.
    pub devices: Vec<Device>,
}

/// `[broker]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Address and port to listen on; empty for no port without TLS and WebSocket.
    pub bind: String,
    /// Number of the broker within the site.
    pub id: u16,
    /// Whether a device's PUBACK waits for the gateways' agreement.
    pub durable_ack: bool,
    /// Folder of the file of what outlives the broker; none to keep nothing.
    pub data_dir: Option<PathBuf>,
    /// File of the users; none for a broker that never has any.
    pub users: Option<PathBuf>,
    /// File of the roles; none for the built-in ones.
    pub roles: Option<PathBuf>,
    /// How often the `$SYS` topics are brought up to date; zero for none.
    pub sys_interval: Duration,
    /// Address and port of the metrics, if they are told.
    pub metrics: Option<String>,
    /// What TLS needs; none if no port uses it.
    pub tls: Option<Tls>,
    /// A port for WebSocket.
    pub websocket: Option<WebSocket>,
    /// Bounds.
    pub limits: Limits,
}

/// `[client]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Where the broker is.
    pub broker: Address,
    /// File with its user's password, or a folder of such files.
    pub password_file: Option<PathBuf>,
    /// How long a command waits for an answer.
    pub timeout: Duration,
}

/// `[gateway]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Which gateway this is, where that was said.
    pub id: Option<u8>,
    /// The gateways that found a new site: 1 to 7 different ones. Who votes afterwards is agreed.
    pub voters: Vec<u8>,
    /// The gateways that own zones: at least one.
    pub serving: Vec<u8>,
    /// Preferred leaders among the voters, the most preferred first.
    pub leaders: Vec<u8>,
    /// Devices that fill a gateway; at least 1.
    pub threshold: u32,
    /// Factor on every time after which silence means something; 1 to 100.
    pub patience: u32,
    /// Devices that the cache holds; 0 for no cache.
    pub cache: usize,
    /// Folder of the replicas' files.
    pub data_dir: PathBuf,
    /// Applied slots of the log that are kept; at least 16.
    pub log_keep: u64,
    /// How long a door stays open; none for ever.
    pub door_closes_after: Option<Duration>,
    /// Whether the broker is Hearth's own.
    pub own_broker: bool,
    /// Whether a story tells of every round of Paxos.
    pub rounds: bool,
    /// Whether a request may make a gateway a rival of the leader.
    pub contention: bool,
    /// The file is the newest one of the gateway although it lies elsewhere than before.
    pub trust_file: bool,
}

/// `[[device]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its zone.
    pub zone: String,
    /// Its name, unique within the zone.
    pub name: String,
    /// What it is: `temperature`, `motion`, `door`, `bulb` or `outlet`.
    pub kind: String,
}
