//! Many clients at once, each asking as fast as it is answered: how fast is a home?

mod responders;

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use link::{Address, RequestError, Requester, Retry};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::{Answer, Device, Site, Topics, Zone, ZoneVerb};

pub use self::responders::{Responders, RespondersError};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The broker.
    pub address: Address,
    /// The home.
    pub site: Site,
    /// The devices that are asked, in turn; see [`Responders`]. Not empty.
    pub devices: Vec<(Zone, Device)>,
    /// Clients, each with a connection of its own and one request under way; at least one.
    pub clients: usize,
    /// When to stop.
    pub until: Until,
    /// What is asked.
    pub what: What,
    /// When a request is repeated and when it counts as an error.
    pub retry: Retry,
}

/// When a measurement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After so much time; requests under way are still awaited.
    Elapsed(Duration),
    /// After so many requests in all.
    Requests(u64),
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Orders: answered when a majority has them on disk.
    Set,
    /// Queries: answered by the owner alone.
    Get,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Good answers.
    pub count: u64,
    /// From the first request to the last answer, in seconds.
    pub seconds: f64,
    /// Half of the answers came within this, in microseconds.
    pub p50: u64,
    /// 99 of 100 answers came within this, in microseconds.
    pub p99: u64,
    /// The slowest answer, in microseconds.
    pub max: u64,
    /// Refusals, and requests without an answer in time.
    pub errors: u64,
    /// What the last error said.
    pub last_error: Option<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = if self.seconds > 0.0 { self.count as f64 / self.seconds } else { 0.0 };
        write!(
            f,
            "{} answers in {:.2} s: {rate:.0}/s, p50 {} us, p99 {} us, max {} us, {} errors",
            self.count, self.seconds, self.p50, self.p99, self.max, self.errors
        )
    }
}

/// Clients that are connected and have asked nothing yet.
#[derive(Debug)]
pub struct Fleet {
    settings: Settings,
    clients: Vec<Requester>,
}

impl Fleet {
    /// Connects all clients, measures, and disconnects.
    ///
    /// # Errors
    /// When a client cannot connect. Failed requests are counted, not returned.
    pub async fn run(settings: Settings) -> Result<Summary, RequestError> {
        Ok(Self::connect(settings).await?.measure().await)
    }

    /// Connects all clients, so that connecting is not measured.
    ///
    /// # Errors
    /// When a client cannot connect.
    pub async fn connect(settings: Settings) -> Result<Self, RequestError> {
        let mut clients = Vec::with_capacity(settings.clients);
        for _ in 0..settings.clients.max(1) {
            clients.push(Requester::connect(settings.address.clone(), "hearth-fleet").await?);
        }
        Ok(Self { settings, clients })
    }

    /// Asks until it is enough. Without devices there is nothing to ask.
    pub async fn measure(self) -> Summary {
        let Self { settings, clients } = self;
        if settings.devices.is_empty() {
            return Summary::default();
        }
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        let share = clients.len();
        for (number, requester) in clients.into_iter().enumerate() {
            tasks.spawn(Client::new(&settings, number, share, requester).run(began));
        }
        let mut all = Tally::default();
        while let Some(one) = tasks.join_next().await {
            // A client that panicked has nothing to count; the panic itself was shown.
            all.add(one.unwrap_or_default());
        }
        all.summary(began.elapsed())
    }
}

/// One client's part.
struct Client {
    requester: Requester,
    topics: Vec<String>,
    what: What,
    until: Until,
    retry: Retry,
    /// Which device is first, so that the clients do not all ask the same one.
    offset: usize,
}

struct Tally {
    /// In microseconds.
    latencies: Histogram<u64>,
    errors: u64,
    last_error: Option<String>,
}

impl Client {
    fn new(settings: &Settings, number: usize, of: usize, requester: Requester) -> Self {
        let topics = Topics::new(settings.site.clone());
        let verb = match settings.what {
            What::Set => ZoneVerb::Set,
            What::Get => ZoneVerb::Get,
        };
        let devices = settings.devices.iter();
        let topics = devices.map(|(zone, device)| topics.device(zone, device, verb)).collect();
        let until = match settings.until {
            Until::Requests(all) => {
                let (number, of) = (number as u64, of as u64);
                Until::Requests(all / of + u64::from(number < all % of))
            }
            elapsed @ Until::Elapsed(_) => elapsed,
        };
        let (what, retry) = (settings.what, settings.retry);
        Self { requester, topics, what, until, retry, offset: number }
    }

    async fn run(self, began: Instant) -> Tally {
        let mut tally = Tally::default();
        for round in 0.. {
            match self.until {
                Until::Requests(most) if round >= most => break,
                Until::Elapsed(most) if began.elapsed() >= most => break,
                Until::Requests(_) | Until::Elapsed(_) => {}
            }
            let asked = Instant::now();
            match self.ask(round).await {
                Ok(()) => tally.count(asked.elapsed()),
                Err(why) => {
                    tally.errors += 1;
                    tally.last_error = Some(why);
                }
            }
        }
        self.requester.close().await;
        tally
    }

    async fn ask(&self, round: u64) -> Result<(), String> {
        let turn = self.offset + usize::try_from(round).unwrap_or(0);
        let topic = &self.topics[turn % self.topics.len()];
        let payload = match self.what {
            // A repeated request must not become a second order.
            What::Set => json!({
                "state": round % 2,
                "id": format!("{}-{round}", self.requester.reply_topic()),
            })
            .to_string(),
            What::Get => String::new(),
        };
        let answer = self.requester.request(topic, payload, self.retry).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let answer = Answer::parse(&answer.payload).map_err(|error| error.to_string())?;
        answer.failure().map_or(Ok(()), |why| Err(format!("{topic}: {why}")))
    }
}

/// Latencies are known to a thousandth.
const DIGITS: u8 = 3;

impl Default for Tally {
    fn default() -> Self {
        let latencies = Histogram::new(DIGITS).expect("a histogram has up to five digits");
        Self { latencies, errors: 0, last_error: None }
    }
}

impl Tally {
    fn count(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        // Unlike its saturating kind, this makes the histogram grow, to hold any number that 64 bits can be.
        self.latencies.record(micros).expect("a histogram that grows takes any number");
    }

    fn add(&mut self, other: Self) {
        self.latencies += other.latencies;
        self.errors += other.errors;
        self.last_error = other.last_error.or(self.last_error.take());
    }

    fn summary(self, took: Duration) -> Summary {
        Summary {
            count: self.latencies.len(),
            seconds: took.as_secs_f64(),
            p50: self.latencies.value_at_quantile(0.50),
            p99: self.latencies.value_at_quantile(0.99),
            max: self.latencies.max(),
            errors: self.errors,
            last_error: self.last_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_latency_is_counted_as_it_was() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        (0..99).for_each(|_| one.count(Duration::from_millis(3)));
        other.count(Duration::from_secs(7));
        one.add(other);
        let Summary { count, p50, p99, max, .. } = one.summary(Duration::from_secs(1));
        let near = |found: u64, wanted: u64| found.abs_diff(wanted) * 1000 <= wanted;
        assert_eq!(count, 100);
        assert!(near(p50, 3000) && near(p99, 3000) && near(max, 7_000_000), "{p50} {p99} {max}");
    }
}
