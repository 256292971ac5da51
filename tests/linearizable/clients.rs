//! Clients that write and read the orders of a few devices, and write down what they saw.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hearth_random::Random;
use linear::{Action, Operation};
use link::{Requester, Retry};
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::Answer;

use crate::PATIENCE;
use crate::home::Home;

/// Zone and name of each device: with a threshold of one device, each zone has another owner.
pub(crate) const DEVICES: [&str; 4] =
    ["kitchen/oven", "kitchen/lamp", "hallway/lamp", "bedroom/lamp"];

const CLIENTS: u64 = 16;

/// The longest pause between two operations of a client. Without any, the clients would take the
/// processors that the gateways need to hear each other in time.
const LONGEST_PAUSE_MS: u64 = 20;

/// The patience of most requests: enough for a failover.
pub(crate) const RETRY: Retry =
    Retry { every: Duration::from_millis(300), within: Duration::from_millis(2500) };

/// The clients at work.
pub(crate) struct Clients {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    requester: Requester,
}

/// What the clients have seen.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) operations: Vec<Operation>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) failed_reads: u64,
}

/// The answer to a `set`.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) place: &'static str,
    pub(crate) value: u64,
    pub(crate) order: u64,
    pub(crate) seq: u64,
}

struct Shared {
    /// One clock for all clients.
    began: Instant,
    record: Mutex<Record>,
    /// Operations that were answered, per device.
    answered: watch::Sender<[u64; DEVICES.len()]>,
    /// Every write has a value of its own.
    last_value: AtomicU64,
    stopping: AtomicBool,
}

impl Clients {
    /// Registers the devices and starts to work on them.
    pub(crate) async fn start(home: &Home, seed: u64) -> Self {
        let requester = home.requester("linear-registrar").await;
        for place in DEVICES {
            let (zone, name) = place.split_once('/').unwrap();
            let device = json!({"zone": zone, "name": name});
            ask(&requester, "hearth/home/api/register", device).await;
        }
        let shared = Arc::new(Shared {
            began: Instant::now(),
            record: Mutex::default(),
            answered: watch::Sender::new([0; DEVICES.len()]),
            last_value: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        });
        let mut tasks = Vec::new();
        for number in 1..=CLIENTS {
            let random = Random::new(seed ^ number << 32);
            let requester = home.requester("linear-client").await;
            tasks.push(tokio::spawn(work(number, requester, random, shared.clone())));
        }
        Self { shared, tasks, requester }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.shared.began.elapsed()
    }

    /// Waits until so many more operations of every device are answered: the home works.
    pub(crate) async fn progress(&self, operations: u64) {
        let mut answered = self.shared.answered.subscribe();
        let before = *answered.borrow();
        let more =
            answered.wait_for(|now| (0..now.len()).all(|d| now[d] >= before[d] + operations));
        if tokio::time::timeout(PATIENCE, more).await.is_err() {
            let now = *self.shared.answered.borrow();
            panic!("a device answers nobody: there were {before:?} answers, now there are {now:?}");
        }
    }

    /// Lets every client end what it has begun.
    pub(crate) async fn stop(self) -> Record {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.requester.close().await;
        std::mem::take(&mut *self.shared.record.lock().unwrap())
    }
}

/// Asks until there is a good answer.
pub(crate) async fn ask(requester: &Requester, topic: &str, payload: Json) -> Answer {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < PATIENCE, "{topic} {payload} is not answered");
        let answered = requester.request(topic, payload.to_string(), RETRY).await;
        let answer = answered.ok().and_then(|delivery| Answer::parse(&delivery.payload).ok());
        if let Some(answer) = answer.filter(|answer| answer.failure().is_none()) {
            return answer;
        }
    }
}

async fn work(client: u64, requester: Requester, mut random: Random, shared: Arc<Shared>) {
    while !shared.stopping.load(Ordering::Relaxed) {
        let device = random.less_than(DEVICES.len() as u64) as usize;
        // One in four is given up so soon that its outcome often remains unknown.
        let impatient = Duration::from_millis(1 + random.less_than(100));
        let within = if random.less_than(4) == 0 { impatient } else { RETRY.within };
        let asks = Asks { requester: &requester, place: DEVICES[device], within };
        let done = match random.less_than(2) {
            0 => shared.write(client, asks).await,
            _ => shared.read(client, asks).await,
        };
        if done {
            shared.answered.send_modify(|answered| answered[device] += 1);
        }
        tokio::time::sleep(Duration::from_millis(random.less_than(LONGEST_PAUSE_MS))).await;
    }
    requester.close().await;
}

/// How an operation is done.
struct Asks<'a> {
    requester: &'a Requester,
    place: &'static str,
    within: Duration,
}

impl Asks<'_> {
    /// A good answer. Whatever else comes leaves the outcome open: a refusal may be the answer to
    /// one copy of a request of which another copy was agreed.
    async fn request(&self, verb: &str, payload: String) -> Option<Answer> {
        let topic = format!("home/{}/{verb}", self.place);
        let retry = Retry { within: self.within, ..RETRY };
        let answered = self.requester.request(&topic, payload, retry).await.ok()?;
        Answer::parse(&answered.payload).ok().filter(|answer| answer.failure().is_none())
    }
}

impl Shared {
    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    async fn write(&self, client: u64, asks: Asks<'_>) -> bool {
        let (value, place) = (self.last_value.fetch_add(1, Ordering::Relaxed) + 1, asks.place);
        let called = self.now();
        let answer = asks.request("set", json!({"state": value, "id": value}).to_string()).await;
        let returned = answer.as_ref().map(|_| self.now());
        let mut record = self.record.lock().unwrap();
        let (key, action) = (place.to_owned(), Action::Write(value));
        record.operations.push(Operation { key, client, action, called, returned });
        record.receipts.extend(answer.iter().map(|answer| {
            let number = |name| answer.get(name).as_u64().unwrap_or_else(|| panic!("{answer:?}"));
            Receipt { place, value, order: number("order"), seq: number("seq") }
        }));
        answer.is_some()
    }

    async fn read(&self, client: u64, asks: Asks<'_>) -> bool {
        let called = self.now();
        let answer = asks.request("get", String::new()).await;
        let returned = Some(self.now());
        let mut record = self.record.lock().unwrap();
        let Some(answer) = answer else {
            record.failed_reads += 1;
            return false;
        };
        let (key, seen) = (
            asks.place.to_owned(),
            answer.get("desired")["state"].as_str().and_then(|state| state.parse().ok()),
        );
        let action = Action::Read(seen);
        record.operations.push(Operation { key, client, action, called, returned });
        true
    }
}
