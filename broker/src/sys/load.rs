//! Averages over 1, 5 and 15 minutes, as mosquitto has them: events per minute, the past forgotten exponentially.

use std::time::Duration;

use super::Snapshot;

const NAMES: [&str; 9] = [
    "messages/received",
    "messages/sent",
    "publish/received",
    "publish/sent",
    "publish/dropped",
    "bytes/received",
    "bytes/sent",
    "sockets",
    "connections",
];
const SPANS: [(&str, f64); 3] = [("1min", 60.0), ("5min", 300.0), ("15min", 900.0)];

/// The averages, as of the last snapshot.
#[derive(Debug)]
pub(super) struct Loads {
    every: f64,
    last: [u64; NAMES.len()],
    averages: [[f64; SPANS.len()]; NAMES.len()],
}

impl Loads {
    /// For snapshots that come every `every`.
    pub(super) fn new(every: Duration) -> Self {
        let every = every.as_secs_f64();
        Self { every, last: Default::default(), averages: Default::default() }
    }

    pub(super) fn add(&mut self, snapshot: &Snapshot) {
        let now = counters(snapshot);
        for (at, averages) in self.averages.iter_mut().enumerate() {
            let per_minute = (now[at] - self.last[at]) as f64 * 60.0 / self.every;
            for (average, (_, span)) in averages.iter_mut().zip(SPANS) {
                let weight = (-self.every / span).exp();
                *average = per_minute + weight * (*average - per_minute);
            }
        }
        self.last = now;
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = (String, String)> {
        let rows = NAMES.iter().zip(self.averages);
        rows.flat_map(|(name, averages)| {
            let cells = SPANS.iter().zip(averages);
            cells.map(move |((span, _), average)| {
                (format!("load/{name}/{span}"), format!("{average:.2}"))
            })
        })
    }
}

/// In the order of [`NAMES`].
fn counters(snapshot: &Snapshot) -> [u64; NAMES.len()] {
    let counts = &snapshot.core.counts;
    [
        counts.received,
        counts.sent,
        counts.publishes_received,
        counts.publishes_sent,
        counts.dropped,
        snapshot.bytes_received,
        snapshot.bytes_sent,
        snapshot.sockets,
        counts.connections,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_load_is_approached_as_fast_as_its_span_says() {
        let mut loads = Loads::new(Duration::from_secs(10));
        let mut snapshot = Snapshot::default();
        for _ in 0..6 {
            snapshot.bytes_sent += 100;
            loads.add(&snapshot);
        }
        let of = |loads: &Loads, span| {
            let name = format!("load/bytes/sent/{span}");
            loads.topics().find(|(topic, _)| *topic == name).unwrap().1
        };
        // 600 a minute, 1 - 1/e of it after one span.
        assert_eq!(of(&loads, "1min"), "379.27");
        assert_eq!(of(&loads, "5min"), "108.76");
        for _ in 0..600 {
            snapshot.bytes_sent += 100;
            loads.add(&snapshot);
        }
        assert_eq!([of(&loads, "1min"), of(&loads, "15min")], ["600.00", "599.29"]);
    }
}
