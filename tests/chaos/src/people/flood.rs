//! A loud device: many reports at QoS 0, faster than a home can agree on them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, interval};

use super::{LOUD, World, ZONES};
use crate::mqtt::{Connection, Hello, Publish, Version};

/// Between two bursts.
const BURST: Duration = Duration::from_millis(10);

/// The loud devices, one of each zone.
#[derive(Debug)]
pub struct Flood {
    /// How many reports a second.
    rate: u64,
    /// The last value of each zone's.
    said: [AtomicU64; ZONES.len()],
}

impl Flood {
    /// One that says so many reports a second.
    #[must_use]
    pub fn new(rate: u64) -> Self {
        Self { rate, said: Default::default() }
    }

    /// How many reports were said in each zone; their values are 1, 2, 3, ….
    pub fn said(&self) -> [u64; ZONES.len()] {
        std::array::from_fn(|zone| self.said[zone].load(Ordering::Relaxed))
    }

    /// Floods a zone until `end`, or until the connection ends. Gives how many reports it said.
    pub async fn strike(&self, world: &World, zone: usize, end: Instant) -> u64 {
        let client = format!("chaos-flood-{zone}-{}", std::process::id());
        let hello = Hello { version: Version::V3, client, clean: true };
        let topic = format!("home/{}/{LOUD}/report", ZONES[zone]);
        let Ok(mut connection) = Connection::open(world.home.quiet(), &hello).await else {
            return 0;
        };
        let (mut burst, mut said) = (interval(BURST), 0);
        while Instant::now() < end {
            burst.tick().await;
            let mut bytes = Vec::new();
            for _ in 0..self.rate * BURST.as_millis() as u64 / 1000 {
                let value = self.said[zone].fetch_add(1, Ordering::Relaxed) + 1;
                let payload = value.to_string();
                let (topic, payload) = (topic.as_str(), payload.as_bytes());
                let message =
                    Publish { topic, payload, qos: 0, id: 0, dup: false, answer_to: None };
                message.encode(Version::V3, &mut bytes);
                said += 1;
            }
            if connection.send(&bytes).await.is_err() {
                return said;
            }
        }
        said
    }
}
