//! What is done to the home, drawn from a seed.
//!
//! Several lanes work at the same time, each on one thing: processes of gateways, their files, networks, the broker, a
//! loud device, devices that start again. A lane takes its kinds in turn, in an order of its own, so that none is rare.
//! The seed decides what each lane does and for how long, and not what comes of it.

mod files;
mod lanes;

use hearth_random::Random;
use std::sync::Arc;
use std::time::Duration;

use link::Requester;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::board::{Board, Kind};
use crate::clock::Faketime;
use crate::home::GATEWAYS;
use crate::people::{Flood, People, World};

/// The faults of a run.
#[derive(Debug)]
pub struct Faults {
    world: Arc<World>,
    /// What is broken.
    pub board: Board,
    /// The loud devices.
    pub flood: Flood,
    /// If clocks can be wrong.
    faketime: Option<Faketime>,
    /// Only its holder does something to the process of a gateway.
    processes: [Mutex<()>; GATEWAYS.len()],
    asking: Requester,
}

/// Faults of a kind that a lane aims at in ten minutes: half as many again as are asked for.
const AIM: u32 = 45;

impl Faults {
    /// Faults of a home.
    pub async fn new(world: Arc<World>, faketime: Option<Faketime>, flood: u64) -> Self {
        let asking = world.home.requester("chaos-faults").await;
        let board = Board::new(&world.home.folder().join("faults.log"), world.ledger.began());
        let flood = Flood::new(flood);
        Self { world, board, flood, faketime, processes: Default::default(), asking }
    }

    /// The kinds that cannot happen here.
    pub fn left_out(&self) -> Vec<Kind> {
        if self.faketime.is_some() { Vec::new() } else { vec![Kind::WrongClock] }
    }

    /// Breaks things until `end`, and leaves a home that is whole.
    pub async fn run(&self, people: &People, seed: u64, end: Instant) {
        let dice = |lane: u64| Random::new(seed ^ lane << 32);
        let mut processes = vec![Kind::Kill, Kind::Restart, Kind::Stop];
        if self.faketime.is_some() {
            processes.push(Kind::WrongClock);
        }
        let networks = [Kind::Cut, Kind::Mute, Kind::Deaf, Kind::Refuse];
        let broker = [Kind::BrokerKill, Kind::BrokerRestart];
        tokio::join!(
            self.lane(&processes, dice(1), end, async |kind, dice| self.process(kind, dice).await),
            self.lane(&networks, dice(2), end, async |kind, dice| self.network(kind, dice).await),
            self.lane(&broker, dice(3), end, async |kind, dice| self.broker(kind, dice).await),
            self.lane(&[Kind::Flood], dice(4), end, async |_, dice| self.flood(dice).await),
            self.lane(&[Kind::ClientRestart], dice(5), end, async |_, dice| {
                self.client(people, dice).await;
            }),
            self.files(dice(6), end),
        );
        self.asking.clone().close().await;
    }

    /// One fault after another, each kind in turn.
    async fn lane(
        &self,
        kinds: &[Kind],
        mut dice: Random,
        end: Instant,
        strike: impl AsyncFn(Kind, &mut Random),
    ) {
        let every = Duration::from_secs(600) / (AIM * kinds.len() as u32);
        let mut bag = Vec::new();
        let mut due = Instant::now() + every / 2;
        while due < end {
            sleep_until(due).await;
            due = (due + every).max(Instant::now());
            if bag.is_empty() {
                bag = kinds.to_vec();
                dice.shuffle(&mut bag);
            }
            if let Some(kind) = bag.pop() {
                strike(kind, &mut dice).await;
            }
        }
    }
}

async fn pass(milliseconds: u64) {
    sleep(Duration::from_millis(milliseconds)).await;
}
