//! Everybody who uses the home: devices that report, people who order, lamps that obey, and a loud device.

mod flood;
mod lamp;
mod reporter;
mod setter;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::home::{Home, STREETS};
use crate::ledger::Ledger;
use crate::mqtt::Version;
pub use flood::Flood;
use lamp::Lamp;
use reporter::{Habit, Reporter};
use setter::Setter;

/// The zones: with a threshold of one device, each has another owner.
pub const ZONES: [&str; 3] = ["kitchen", "hallway", "bedroom"];

/// The longest wait before a client tries to connect again.
const AGAIN: Duration = Duration::from_millis(100);

/// What all clients share.
#[derive(Debug)]
pub struct World {
    /// What was said.
    pub ledger: Ledger,
    /// Where they live.
    pub home: Home,
    /// Between two messages of a client.
    pub pace: Duration,
    /// True once nobody is to begin anything new.
    pub stopping: watch::Sender<bool>,
}

impl World {
    fn stops(&self) -> bool {
        *self.stopping.borrow()
    }
}

/// All clients at work.
#[derive(Debug)]
pub struct People {
    /// Ends when the last of them has ended what it began.
    pub tasks: JoinSet<()>,
    /// Restarts a client that keeps its session.
    pub restarts: Vec<Arc<Notify>>,
}

/// The reporters of each zone.
const HABITS: [(&str, Habit); 6] = [
    ("meter", Habit { version: Version::V3, qos: 1, named: false, keeps: true, repeats: true }),
    ("sensor", Habit { version: Version::V5, qos: 1, named: true, keeps: false, repeats: true }),
    ("counter", Habit { version: Version::V5, qos: 2, named: false, keeps: true, repeats: true }),
    ("tally", Habit { version: Version::V3, qos: 2, named: true, keeps: true, repeats: true }),
    ("drop", Habit { version: Version::V5, qos: 1, named: false, keeps: false, repeats: false }),
    ("noise", Habit { version: Version::V3, qos: 0, named: false, keeps: false, repeats: false }),
];

/// The device of each zone that is loud at times; it is not in the ledger.
pub const LOUD: &str = "flood";

/// The device of each zone that obeys orders.
const LAMP: &str = "lamp";

/// `zone/device` of every place that the ledger knows.
#[must_use]
pub fn places() -> Vec<String> {
    let devices = HABITS.iter().map(|(name, _)| *name).chain([LAMP]);
    let devices: Vec<_> = devices.collect();
    ZONES.iter().flat_map(|zone| devices.iter().map(move |name| format!("{zone}/{name}"))).collect()
}

impl People {
    /// Everybody begins.
    #[must_use]
    pub fn start(world: &Arc<World>, run: u64) -> Self {
        let mut people = Self { tasks: JoinSet::new(), restarts: Vec::new() };
        for (number, place) in world.ledger.places.iter().enumerate() {
            let port = world.home.street(number % STREETS).port;
            let client = format!("chaos-{run}-{}", place.replace('/', "-"));
            let place_number = number as u16;
            let habit = HABITS.iter().find(|(name, _)| place.ends_with(&format!("/{name}")));
            if let Some((_, habit)) = habit {
                let restart = Arc::new(Notify::new());
                if habit.keeps {
                    people.restarts.push(restart.clone());
                }
                let reporter =
                    Reporter::new(world.clone(), client, place_number, *habit, port, restart);
                people.tasks.spawn(reporter.live());
            } else {
                people
                    .tasks
                    .spawn(Lamp::new(world.clone(), client.clone(), place_number, port).live());
                for named in [true, false] {
                    let client = format!("{client}-{}", if named { "named" } else { "once" });
                    let setter = Setter::new(world.clone(), client, place_number, named, port);
                    people.tasks.spawn(setter.live());
                }
            }
        }
        people
    }
}
