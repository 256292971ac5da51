//! Whether another gateway with this id is running: asked once, before anything is said.
//!
//! A second one would throw the first out of its sessions, and be thrown out by it, for ever.

use link::{Event, Link, Publish, Qos, Version};
use tokio::time::{Duration, timeout};
use wire::{GatewayVerb, Heartbeat, Liveness, Topics};

use crate::error::Error;
use crate::peers;
use crate::settings::Settings;

/// A running gateway beats every 100 ms; one that is silent for this long does not run.
const SILENCE: Duration = Duration::from_millis(1000);

/// Waits until the broker can be asked, and fails if a gateway with this id beats.
pub(crate) async fn look_for(settings: &Settings, incarnation: u64) -> Result<(), Error> {
    let topics = Topics::new(settings.site.clone());
    let status = topics.gateway(settings.id, GatewayVerb::Status);
    let name = topics.gateway_session(settings.id, &format!("look-{incarnation}"));
    let marker = format!("hearth/{}/reply/{name}", settings.site);
    let filters = vec![(status, Qos::AtMostOnce), (marker.clone(), Qos::AtMostOnce)];
    let options = peers::options(settings, name, Version::V3);
    let (link, mut events) = Link::keep(options, filters);
    let mut claims_alive = false;
    while let Some(event) = events.next().await {
        match event {
            // What the broker kept comes before this does.
            Event::Subscribed(_) => {
                let end = Publish::new(marker.clone(), "").qos(Qos::AtMostOnce);
                if link.publish(end).await.is_err() {
                    break;
                }
            }
            Event::Message(message) if message.topic == marker => break,
            Event::Message(message) => claims_alive |= alive(&message).is_some(),
            Event::Down(reason) => tracing::warn!("the broker cannot be reached: {reason}"),
            Event::Up { .. } => {}
        }
    }
    let beats = async {
        while let Some(event) = events.next().await {
            // What the broker kept may be a dead one's; a beat is fresh.
            if let Event::Message(message) = event
                && !message.retain
                && let Some(other) = alive(&message)
            {
                return Some(other);
            }
        }
        None
    };
    let found = if claims_alive { timeout(SILENCE, beats).await.ok().flatten() } else { None };
    link.close().await;
    match found {
        Some(incarnation) => Err(Error::Twin { gateway: settings.id, incarnation }),
        None => Ok(()),
    }
}

fn alive(message: &link::Delivery) -> Option<u64> {
    let beat = Heartbeat::parse(&message.payload).ok()?;
    (beat.status == Liveness::Alive).then_some(beat.incarnation)
}
