//! What is measured of every broker.

use std::net::SocketAddr;
use std::time::Duration;

use super::throughput::Shape;
use super::{idle, round_trip, throughput, will};
use crate::failure::Outcome;

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Throughput(Shape),
    RoundTrip { qos: u8 },
    Idle { wildcard: bool },
    Will,
}

/// How it is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Conditions {
    pub(super) span: Duration,
    pub(super) payload: usize,
    pub(super) connections: usize,
}

/// One number that a measurement gives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure {
    pub(super) what: &'static str,
    pub(super) unit: Unit,
    pub(super) value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    PerSecond,
    Micros,
    Millis,
    KiB,
    /// Something that should not be.
    Faults,
}

impl Measure {
    pub(super) fn all() -> Vec<Self> {
        let shapes =
            [(1, 1), (50, 1), (1, 50)].into_iter().flat_map(|(publishers, subscribers)| {
                (0..=2).map(move |qos| Self::Throughput(Shape { publishers, subscribers, qos }))
            });
        let rest = [
            Self::RoundTrip { qos: 0 },
            Self::RoundTrip { qos: 1 },
            Self::Idle { wildcard: false },
            Self::Idle { wildcard: true },
            Self::Will,
        ];
        shapes.chain(rest).collect()
    }

    /// Whether it is about connections that do nothing. They differ little from round to round, and stock rumqttd takes
    /// one in a millisecond.
    pub(super) fn is_idle(self) -> bool {
        matches!(self, Self::Idle { .. })
    }

    /// What `--only` and the report call it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Throughput(Shape { publishers, subscribers, qos }) => {
                format!("{publishers}-{subscribers}-qos{qos}")
            }
            Self::RoundTrip { qos } => format!("trip-qos{qos}"),
            Self::Idle { wildcard: false } => "idle-exact".to_owned(),
            Self::Idle { wildcard: true } => "idle-wildcard".to_owned(),
            Self::Will => "will".to_owned(),
        }
    }

    pub(super) fn run(
        self,
        broker: SocketAddr,
        pid: u32,
        conditions: Conditions,
    ) -> Outcome<Vec<Figure>> {
        let Conditions { span, payload, connections } = conditions;
        let figure = |what, unit, value| Figure { what, unit, value };
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        Ok(match self {
            Self::Throughput(shape) => {
                let got = throughput::measure(broker, pid, shape, payload, span)?;
                vec![
                    figure("messages", Unit::PerSecond, got.rate),
                    figure("processor time each", Unit::Micros, micros(got.cost)),
                    figure("lost", Unit::Faults, got.lost as f64),
                    figure("doubled", Unit::Faults, got.doubled as f64),
                ]
            }
            Self::RoundTrip { qos } => {
                let got = round_trip::measure(broker, qos, payload, span)?;
                vec![
                    figure("p50", Unit::Micros, micros(got.median)),
                    figure("p99", Unit::Micros, micros(got.p99)),
                ]
            }
            Self::Idle { wildcard } => {
                let got = idle::measure(broker, pid, connections, wildcard)?;
                vec![
                    figure("memory each", Unit::KiB, got.memory),
                    figure("connects", Unit::PerSecond, got.rate),
                    figure("processor time each", Unit::Micros, micros(got.cost)),
                ]
            }
            Self::Will => {
                let got = will::measure(broker)?;
                vec![
                    figure("min", Unit::Millis, millis(got.min)),
                    figure("median", Unit::Millis, millis(got.median)),
                    figure("max", Unit::Millis, millis(got.max)),
                ]
            }
        })
    }
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "per_second",
            Self::Micros => "us",
            Self::Millis => "ms",
            Self::KiB => "kib",
            Self::Faults => "messages",
        }
    }

    /// A value as people read it.
    pub(super) fn write(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{}/s", thousands(value)),
            Self::Micros => format!("{value:.1} µs"),
            Self::Millis => format!("{value:.2} ms"),
            Self::KiB => format!("{value:.1} KiB"),
            Self::Faults => thousands(value),
        }
    }
}

/// A whole number with a comma before every three digits.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_readable() {
        for (value, text) in [(7.2, "7"), (999.0, "999"), (1000.0, "1,000"), (1.2e6, "1,200,000")] {
            assert_eq!(thousands(value), text);
        }
    }

    #[test]
    fn every_measurement_has_a_name_of_its_own() {
        let mut names: Vec<_> = Measure::all().into_iter().map(Measure::name).collect();
        let all = names.len();
        names.dedup();
        assert_eq!((all, names.len()), (14, 14));
    }
}
