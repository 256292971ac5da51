//! What a gateway is told when it starts.

use std::path::PathBuf;
use std::time::Duration;

use link::Address;
use wire::{GatewayId, Site};

/// The settings of one gateway. Those marked *agreed* become entries of the log, proposed by the
/// leader, so that every replica applies with the same ones.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The site.
    pub site: Site,
    /// Which gateway this is.
    pub id: GatewayId,
    /// The gateways that found a new site together, 1 to 7 of them. Who votes afterwards is agreed.
    pub voters: Vec<GatewayId>,
    /// The voters that own zones; the others stand by.
    pub serving: Vec<GatewayId>,
    /// Preferred leaders, the most preferred first; those that are not named come after.
    pub leaders: Vec<GatewayId>,
    /// *Agreed.* A serving gateway with this many devices takes no new zone while another has fewer.
    pub threshold: u32,
    /// Factor on every time after which silence means something, at least 1.
    pub patience: u32,
    /// *Agreed.* How long a door stays open before it closes itself; none for ever.
    pub door_closes_after: Option<Duration>,
    /// Devices that the cache holds; 0 for no cache.
    pub cache: usize,
    /// Folder of the replica's SQLite file, `gateway-<id>.db`; made if missing.
    pub data_dir: PathBuf,
    /// Applied slots that the log keeps for gateways that were away; they get a snapshot beyond.
    pub log_keep: u64,
    /// The file is the newest one of this gateway although it lies elsewhere than before.
    pub trust_file: bool,
    /// The broker.
    pub broker: Address,
    /// Whether the broker is Hearth's own: it stamps deliveries and holds unknown zones.
    pub own_broker: bool,
    /// Tell every step of what happens on standard output, instead of the main ones in the log.
    pub story: bool,
    /// Tell of every round of Paxos too.
    pub rounds: bool,
    /// A request may make this gateway a rival of the leader, to show what Paxos does then.
    pub contention: bool,
}
