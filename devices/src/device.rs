//! One simulated device: a thin shell around [`Core`].

mod core;
mod outbox;
mod reading;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use link::{Address, Delivery, Event, Events, Link, Options, Publish, Qos, TryPublish, Will};
use tokio::time::{Instant, sleep_until};
use wire::{Device, Kind, Site, State, Topics, Value, Zone, ZoneVerb};

pub use self::core::{Asker, Core, Effect, Input, Note};
use self::reading::Thermometer;

/// Hears what happens to a device; a [`Note`] shows itself as a line for people.
pub type Story = Arc<dyn Fn(&Note) + Send + Sync>;

/// Which device to be.
#[derive(Clone)]
pub struct Settings {
    /// The broker.
    pub address: Address,
    /// The home.
    pub site: Site,
    /// Where the device is.
    pub zone: Zone,
    /// Its name, unique in its zone.
    pub name: Device,
    /// What it is.
    pub kind: Kind,
    /// How often a thermometer reports by itself; none for only on events and orders. Other kinds
    /// never report by themselves.
    pub interval: Option<Duration>,
    /// Its state when it starts.
    pub initial: State,
    /// Hears what happens, besides the log.
    pub story: Option<Story>,
}

impl Settings {
    /// A device that starts off, closed or at 0, and reports only on events and orders.
    #[must_use]
    pub fn new(address: Address, site: Site, zone: Zone, name: Device, kind: Kind) -> Self {
        let (interval, initial, story) = (None, kind.own(&Value::OFF.state()), None);
        Self { address, site, zone, name, kind, interval, initial, story }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}/{}", self.kind, self.site, self.zone, self.name)
    }
}

/// Why a device stopped before it was told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Its connection was ended for good, which only the device itself may do.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "the device's connection ended without being told to"),
        }
    }
}

impl std::error::Error for Error {}

/// Is a device until `shutdown` is ready; then it says that it is offline and returns. A broker
/// that is not there, or goes away, is waited for.
///
/// # Errors
/// See [`Error`]; none is expected.
pub async fn run(
    settings: Settings,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let topics = Names::of(&settings);
    let (link, mut events) = Link::keep(topics.options(&settings), topics.subscriptions());
    let mut shell = Shell {
        core: Core::new(settings.kind, settings.initial.clone(), life()),
        began: Instant::now(),
        thermometer: Thermometer::new(&settings),
        link,
        topics,
        story: settings.story.clone(),
    };
    let outcome = tokio::select! {
        outcome = shell.live(&mut events) => outcome,
        () = shutdown => Ok(()),
    };
    shell.stop(&mut events).await;
    outcome
}

/// Which start of this device this is: reports of different lives must not share an id. The clock
/// may stand still or go back on a small box, so the process number helps.
fn life() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    nanos ^ (u64::from(std::process::id()) << 40)
}

/// The topics of one device.
struct Names {
    status: String,
    report: String,
    answer: String,
    command: String,
    world: String,
    client: String,
}

impl Names {
    fn of(settings: &Settings) -> Self {
        let topics = Topics::new(settings.site.clone());
        let (zone, name) = (&settings.zone, &settings.name);
        let report = topics.device(zone, name, ZoneVerb::Report);
        Self {
            status: topics.device(zone, name, ZoneVerb::Status),
            // Also where an owner answers a device that names no topic for it.
            answer: format!("{report}/response"),
            report,
            command: topics.device(zone, name, ZoneVerb::Command),
            world: topics.world(zone, name),
            client: topics.device_session(zone, name),
        }
    }

    fn options(&self, settings: &Settings) -> Options {
        let mut options = Options::new(settings.address.clone(), self.client.as_str());
        // An order must wait for a device that is away.
        options.clean = false;
        options.will = Some(Will {
            topic: self.status.clone(),
            payload: b"offline".to_vec(),
            qos: Qos::AtLeastOnce,
            retain: true,
        });
        options
    }

    fn subscriptions(&self) -> Vec<(String, Qos)> {
        [&self.answer, &self.command, &self.world]
            .map(|filter| (filter.clone(), Qos::AtLeastOnce))
            .to_vec()
    }

    fn status(&self, status: &'static str) -> Publish {
        Publish::new(self.status.as_str(), status).retain(true)
    }
}

struct Shell {
    core: Core,
    began: Instant,
    thermometer: Option<Thermometer>,
    link: Link,
    topics: Names,
    story: Option<Story>,
}

impl Shell {
    async fn live(&mut self, events: &mut Events) -> Result<(), Error> {
        loop {
            let wake = self.core.deadline().map(|at| self.began + at);
            let measure = self.thermometer.as_ref().map(Thermometer::next);
            let input = tokio::select! {
                event = events.next() => match event {
                    Some(Event::Up { .. }) => {
                        self.send(self.topics.status("online"))?;
                        Some(Input::Up)
                    }
                    Some(Event::Down(reason)) => {
                        tracing::warn!(device = self.topics.client, %reason, "offline");
                        Some(Input::Down)
                    }
                    Some(Event::Message(delivery)) => self.understand(delivery),
                    Some(Event::Subscribed(granted)) => {
                        for one in granted.iter().filter(|one| one.outcome.is_err()) {
                            tracing::warn!(device = self.topics.client, ?one, "not subscribed");
                        }
                        None
                    }
                    None => return Err(Error::Closed),
                },
                () = at(wake) => Some(Input::Wake),
                () = at(measure) => self.thermometer.as_mut().map(|it| Input::Reading(it.read())),
            };
            if let Some(input) = input {
                self.step(input)?;
            }
        }
    }

    fn understand(&self, delivery: Delivery) -> Option<Input> {
        let asker = delivery
            .response_topic
            .map(|topic| Asker { topic, correlation: delivery.correlation.clone() });
        let payload = delivery.payload;
        match delivery.topic {
            // An order is news; one that a broker kept is resent by its owner if it still counts.
            topic if topic == self.topics.command && !delivery.retain => {
                Some(Input::Command(payload))
            }
            topic if topic == self.topics.world && !delivery.retain => {
                Some(Input::World { payload, asker })
            }
            topic if topic == self.topics.answer => {
                Some(Input::Answer { correlation: delivery.correlation, payload })
            }
            _ => None,
        }
    }

    fn step(&mut self, input: Input) -> Result<(), Error> {
        for effect in self.core.step(self.began.elapsed(), input) {
            match effect {
                Effect::Report { id, payload } => {
                    let report = Publish::new(self.topics.report.as_str(), payload)
                        .response_topic(self.topics.answer.as_str())
                        .correlation(id);
                    self.send(report)?;
                }
                Effect::Reply { to, payload } => {
                    let mut reply = Publish::new(to.topic, payload);
                    reply.correlation = to.correlation;
                    self.send(reply)?;
                }
                Effect::Note(note) => self.tell(&note),
            }
        }
        Ok(())
    }

    /// A full queue drops the message: reports are sent again, and who asked asks again.
    fn send(&self, message: Publish) -> Result<(), Error> {
        match self.link.try_publish(message) {
            Ok(()) | Err(TryPublish::Full(_)) => Ok(()),
            Err(TryPublish::Closed) => Err(Error::Closed),
        }
    }

    fn tell(&self, note: &Note) {
        if note.is_trouble() {
            tracing::warn!(device = self.topics.client, "{note}");
        } else {
            tracing::info!(device = self.topics.client, "{note}");
        }
        if let Some(story) = &self.story {
            story(note);
        }
    }

    /// A clean stop publishes no will, so the device says itself that it is gone.
    async fn stop(self, events: &mut Events) {
        let Self { link, topics, .. } = self;
        let offline = topics.status("offline");
        let goodbye = async {
            if link.publish(offline).await.is_ok() {
                link.close().await;
            }
        };
        // The connection may wait for its events to be read before it can end.
        let read_on = async { while events.next().await.is_some() {} };
        tokio::join!(goodbye, read_on);
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
