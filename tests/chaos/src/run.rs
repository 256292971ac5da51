//! One run from the first process to the verdict.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::board::Kind;
use crate::clock::Faketime;
use crate::faults::Faults;
use crate::home::{GATEWAYS, Home};
use crate::judge::{Fault, History, Verdict, judge};
use crate::ledger::{Fate, Ledger};
use crate::level::{stand, until_level};
use crate::people::{People, World, places};
use crate::report::Report;
use crate::screen;

/// How long a home without faults may take to be whole, and to answer everybody.
const PATIENCE: Duration = Duration::from_secs(90);

/// No lane of faults makes so many.
const LAST_MARK: u64 = 1 << 40;

/// What to do.
#[derive(Clone, Debug)]
pub struct Order {
    /// The program under test.
    pub program: PathBuf,
    /// What everything runs at first, to be upgraded while it works.
    pub older: Option<PathBuf>,
    /// Where its files go.
    pub folder: PathBuf,
    /// Draws the faults.
    pub seed: u64,
    /// How long they go on.
    pub time: Duration,
    /// Messages a second of each client.
    pub rate: u32,
    /// Reports a second of a loud device.
    pub flood: u64,
}

/// Plays it.
pub async fn run(order: &Order) -> Report {
    let faketime = Faketime::find(&order.program);
    let skipped = faketime.as_ref().err().map(|reason| format!("wrong clocks: {reason}"));
    let home = Home::start(order.program.clone(), order.older.clone(), order.folder.clone()).await;
    let (stopping, _) = watch::channel(false);
    let pace = Duration::from_secs(1) / order.rate;
    let world = Arc::new(World { ledger: Ledger::new(places()), home, pace, stopping });
    let mut people = People::start(&world, order.seed);
    let faults = Faults::new(world.clone(), faketime.ok(), order.flood).await;
    let mut verdict = Verdict::default();
    begin(&world, &mut verdict).await;

    let end = Instant::now() + order.time;
    tokio::select! {
        () = faults.run(&people, order.seed, end) => {}
        () = screen::show(&world, &faults, end) => {}
        () = supervise(&world, &mut verdict) => {}
    }
    let ended = Instant::now();
    world.stopping.send_replace(true);
    let all = async { while people.tasks.join_next().await.is_some() {} };
    if timeout(PATIENCE, all).await.is_err() {
        people.tasks.shutdown().await;
    }
    settle(&world, &mut verdict).await;
    let healed = ended.elapsed();
    for (name, words) in world.home.ended_by_themselves() {
        verdict.add(Fault::EndedByItself, || format!("{name}: {words}"));
    }
    GATEWAYS.iter().for_each(|id| world.home.kill_gateway(*id));
    world.home.kill_broker();
    conclude(order, &world, &faults, verdict, skipped, healed)
}

/// The faults begin in a home that works.
async fn begin(world: &World, verdict: &mut Verdict) {
    let works = async {
        while world.ledger.counts().0 < world.ledger.places.len() as u64 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    if timeout(PATIENCE, works).await.is_err() {
        verdict.add(Fault::NotWhole, || "the home did not begin".to_owned());
    }
}

/// Notes processes that end by themselves, and starts them again. Never returns.
async fn supervise(world: &World, verdict: &mut Verdict) {
    loop {
        for (name, words) in world.home.ended_by_themselves() {
            match name.strip_prefix("gateway-").and_then(|id| id.parse().ok()) {
                Some(id) => world.home.start_gateway(id, None),
                None => world.home.start_broker(),
            }
            verdict.add(Fault::EndedByItself, || format!("{name}: {words}"));
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// Every gateway has everything on its disk.
async fn settle(world: &World, verdict: &mut Verdict) {
    let asking = world.home.requester("chaos-closing").await;
    if !until_level(&asking, LAST_MARK, Instant::now() + PATIENCE).await {
        let mut stands = Vec::new();
        for id in GATEWAYS {
            stands.push(stand(&asking, id).await);
        }
        verdict.add(Fault::NotWhole, || stands.join("; "));
    }
    asking.close().await;
}

fn conclude(
    order: &Order,
    world: &World,
    faults: &Faults,
    mut verdict: Verdict,
    skipped: Option<String>,
    healed: Duration,
) -> Report {
    let (entries, gaps) = world.ledger.close();
    let open = entries.iter().filter(|entry| entry.fate == Fate::Open).count() as u64;
    if open > 0 {
        let seconds = PATIENCE.as_secs();
        verdict.add_many(Fault::NotAnswered, open, || {
            format!("{open} messages, {seconds} s after all faults have ended")
        });
    }
    let mut histories = Vec::new();
    for id in GATEWAYS {
        match History::read(id, &world.home.file(id), &world.ledger, &entries) {
            Ok(history) => histories.push(history),
            Err(error) => verdict.add(Fault::Differs, || format!("gateway {id}'s file: {error}")),
        }
    }
    judge(&mut verdict, &world.ledger, &entries, &histories);
    let counts = faults.board.counts();
    let left_out = faults.left_out();
    let kinds = Kind::ALL.into_iter().filter(|kind| !left_out.contains(kind));
    let kinds: Vec<_> = kinds.map(|kind| (kind, counts.get(&kind).copied().unwrap_or(0))).collect();
    for (kind, times) in &kinds {
        let least = (kind.in_ten_minutes() * order.time.as_secs() / 600).max(1);
        if *times < least {
            verdict.add(Fault::TooFewFaults, || format!("{kind:?}: {times} instead of {least}"));
        }
    }
    let mut gaps: Vec<_> = world.ledger.places.iter().cloned().zip(gaps).collect();
    gaps.sort_by_key(|(_, gap)| std::cmp::Reverse(gap.length));
    Report {
        seed: order.seed,
        seconds: order.time.as_secs(),
        entries,
        gaps,
        faults: kinds,
        loud: faults.flood.said().iter().sum(),
        skipped: skipped.into_iter().collect(),
        verdict,
        healed,
    }
}
