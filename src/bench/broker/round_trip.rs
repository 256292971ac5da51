//! How long one message takes from a publisher through the broker to a subscriber, one at a time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::packets::{self, PUBACK, Packet, Template};
use super::session::Session;
use crate::failure::{Failure, Outcome};

/// Trips before the measurement.
const WARM_UP: u64 = 200;
const TOPIC: &str = "bench/round-trip";

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoundTrip {
    pub(super) median: Duration,
    /// 99 of 100 trips were no longer.
    pub(super) p99: Duration,
}

/// From before the publish is written until the subscriber has read it; with QoS 1 until the publisher has read its
/// PUBACK too.
pub(super) fn measure(
    broker: SocketAddr,
    qos: u8,
    payload: usize,
    span: Duration,
) -> Outcome<RoundTrip> {
    let mut publisher = Session::open(broker, "bench-trip-pub")?;
    let mut subscriber = Session::open(broker, "bench-trip-sub")?;
    subscriber.subscribe(TOPIC, qos)?;
    let mut template = Template::new(TOPIC, qos, payload);
    let (mut out, mut times) = (Vec::new(), Vec::new());
    let mut began = Instant::now();
    for number in 0.. {
        if number == WARM_UP {
            times.clear();
            began = Instant::now();
        }
        if number > WARM_UP && began.elapsed() >= span {
            break;
        }
        out.clear();
        template.put(&mut out, 1, number);
        let sent = Instant::now();
        publisher.send(&out)?;
        let pid = subscriber.receive(|packet| expected(packet, number))??;
        if qos == 1 {
            publisher.receive(acknowledged)??;
        }
        times.push(sent.elapsed());
        if qos == 1 {
            out.clear();
            packets::step(&mut out, PUBACK, pid);
            subscriber.send(&out)?;
        }
    }
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied();
    Ok(RoundTrip { median: at(0.5).unwrap_or_default(), p99: at(0.99).unwrap_or_default() })
}

fn expected(packet: Packet<'_>, number: u64) -> Outcome<u16> {
    match packet {
        Packet::Publish { pid, payload, .. } if packets::number(payload) == Some(number) => Ok(pid),
        other => Err(Failure::failed(format!("instead of message {number} came {other:?}"))),
    }
}

fn acknowledged(packet: Packet<'_>) -> Outcome {
    match packet {
        Packet::Step(PUBACK, _) => Ok(()),
        other => Err(Failure::failed(format!("instead of a PUBACK came {other:?}"))),
    }
}
