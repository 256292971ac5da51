//! A loud device: many reports at QoS 0, which nothing holds back.

use std::time::Duration;

use link::{Address, Link, Options, Publish, Qos};
use tokio::time::{Instant, interval};

/// A device in the zone of two of the others.
const PLACE: &str = "home/kitchen/noise/report";
/// 50 every 10 ms are 5,000 a second, more than two busy cores agree on.
const BURST: u64 = 50;
const EVERY: Duration = Duration::from_millis(10);

/// Floods its zone for so long. What the queue to the broker has no room for is not sent.
pub(crate) async fn flood(broker: Address, time: Duration) {
    let (link, mut events) = Link::keep(Options::new(broker, "linear-noise"), Vec::new());
    let (end, mut burst) = (Instant::now() + time, interval(EVERY));
    let mut value = 0_u64;
    while Instant::now() < end {
        tokio::select! {
            _ = burst.tick() => {
                for _ in 0..BURST {
                    value += 1;
                    let report = Publish::new(PLACE, value.to_string()).qos(Qos::AtMostOnce);
                    let _ = link.try_publish(report);
                }
            }
            // They are told of connections; nothing is subscribed to.
            event = events.next() => if event.is_none() { break },
        }
    }
    link.close().await;
}
