//! What can be seen of the broker from outside: the `$SYS` topics that mosquitto's users know, and the same numbers
//! for Prometheus.
//!
//! Counting happens where the work is done, under a lock that is held anyway or with one relaxed addition per read
//! and write of a socket. Everything else happens here, once in a while.

mod figures;
mod load;
mod metrics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::hub::Hub;
use broker_core::Reading;
use figures::figures;
use load::Loads;
pub(crate) use metrics::Metrics;

/// What the sockets carry. Not under the core's lock, because they work without it.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Everything in numbers at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub(crate) core: Reading,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    /// Connections accepted, whatever became of them.
    pub(crate) sockets: u64,
    pub(crate) uptime: Duration,
    /// Bytes that the process has in memory, where the system tells.
    pub(crate) resident: u64,
    /// Why the broker's file cannot be written.
    pub(crate) trouble: Option<String>,
}

impl Snapshot {
    pub(crate) fn traffic(self, traffic: &Traffic) -> Self {
        Self {
            bytes_received: traffic.received.load(Ordering::Relaxed),
            bytes_sent: traffic.sent.load(Ordering::Relaxed),
            ..self
        }
    }
}

/// Publishes under `$SYS` what has changed, every `every`. Never returns.
pub(crate) async fn publish(hub: Arc<Hub>, every: Duration) {
    if every.is_zero() {
        return std::future::pending().await;
    }
    let mut loads = Loads::new(every);
    let mut told = BTreeMap::new();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let snapshot = hub.snapshot();
        loads.add(&snapshot);
        let mut values = topics(&snapshot);
        values.extend(loads.topics());
        let news = changes(&mut told, values);
        hub.step(|core, now| news.iter().for_each(|(topic, value)| core.tell(now, topic, value)));
    }
}

/// Every topic below `$SYS/broker` with its value, but for the averages.
fn topics(snapshot: &Snapshot) -> Vec<(String, String)> {
    let version = format!("hearth version {}", env!("CARGO_PKG_VERSION"));
    let uptime = format!("{} seconds", snapshot.uptime.as_secs());
    let store = snapshot.trouble.clone().unwrap_or_else(|| "ok".to_owned());
    let texts = [("version", version), ("uptime", uptime), ("hearth/store", store)];
    let mut all: Vec<_> = texts.map(|(topic, value)| (topic.to_owned(), value)).into();
    for figure in figures(snapshot) {
        let value = figure.value.to_string();
        all.extend(figure.topics.iter().map(|topic| ((*topic).to_owned(), value.clone())));
    }
    let zones = snapshot.core.zones.held.iter();
    all.extend(zones.map(|(zone, held)| (format!("hearth/zones/{zone}/held"), held.to_string())));
    all
}

/// What differs from what was told before; what is not there any more is cleared.
fn changes(
    told: &mut BTreeMap<String, String>,
    values: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let there: BTreeSet<&String> = values.iter().map(|(topic, _)| topic).collect();
    let gone: Vec<_> = told.keys().filter(|topic| !there.contains(topic)).cloned().collect();
    let mut news: Vec<_> = gone.into_iter().map(|topic| (topic, String::new())).collect();
    news.extend(values.into_iter().filter(|(topic, value)| told.get(topic) != Some(value)));
    for (topic, value) in &news {
        if value.is_empty() {
            told.remove(topic);
        } else {
            told.insert(topic.clone(), value.clone());
        }
    }
    news
}

/// Bytes of this process in memory; 0 where the system does not say.
pub(crate) fn resident() -> u64 {
    let pages = |statm: String| statm.split_whitespace().nth(1)?.parse::<u64>().ok();
    // 4 KiB everywhere Hearth runs; on others the figure is too small by a constant factor.
    std::fs::read_to_string("/proc/self/statm").ok().and_then(pages).unwrap_or(0) * 4096
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_changed_is_told_and_what_is_gone_is_cleared() {
        let pair = |topic: &str, value: &str| (topic.to_owned(), value.to_owned());
        let mut told = BTreeMap::new();
        let first = vec![pair("a", "1"), pair("b", "1")];
        assert_eq!(changes(&mut told, first.clone()), first);
        assert_eq!(changes(&mut told, first), []);
        assert_eq!(changes(&mut told, vec![pair("a", "2")]), [pair("b", ""), pair("a", "2")]);
        assert_eq!(changes(&mut told, vec![pair("a", "2")]), []);
    }

    #[test]
    fn every_topic_and_every_metric_has_a_name_of_its_own() {
        let topics = topics(&Snapshot::default());
        let names: BTreeSet<_> = topics.iter().map(|(topic, _)| topic).collect();
        assert_eq!(names.len(), topics.len());
        let figures = figures(&Snapshot::default());
        let names: BTreeSet<_> = figures.iter().map(|figure| figure.metric).collect();
        assert_eq!(names.len(), figures.len());
    }
}
