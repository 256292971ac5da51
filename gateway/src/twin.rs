//! Whether another gateway with this id is running: asked once, before anything is said, and watched for later.
//!
//! A second one would throw the first out of its sessions, and be thrown out by it, for ever. So of two that run the
//! one that was started later stays. But anyone may publish a heartbeat in this gateway's name. A twin cannot do that
//! before it has connected under this gateway's client ids, and that ends this gateway's own connections; and it was
//! started at some time, which is its incarnation. A heartbeat without both is a forger's: it is told of, and nothing
//! more.

use gateway_core::Now;
use link::{Event, Link, Publish, Qos, Version};
use paxos::Moment;
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

/// What there is to be believed of a rival under this gateway's id.
#[derive(Debug)]
pub(crate) struct Rival {
    incarnation: u64,
    /// When a connection of this gateway's own ended last.
    lost: Option<Moment>,
    /// When people were told of a forged heartbeat last.
    told: Option<Moment>,
}

/// What a heartbeat in this gateway's own name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// This gateway's own, or an older life's.
    Own,
    /// That of one that was started later, and runs.
    Twin,
    /// Nobody's who could have sent it; and whether people have not been told lately.
    Forged(bool),
}

/// A twin that takes a connection over is heard before this: it beats ten times a second, and lost connections come
/// back within some seconds.
const AFTER_LOSS: Duration = Duration::from_secs(10);

/// By which another machine's clock may be ahead when it numbers its lives; a day covers a wrong date line.
const AHEAD: u64 = 24 * 3_600_000;

const TELL_EVERY: Duration = Duration::from_secs(60);

impl Rival {
    pub(crate) const fn new(incarnation: u64) -> Self {
        Self { incarnation, lost: None, told: None }
    }

    /// A connection of this gateway's own has ended.
    pub(crate) const fn lost(&mut self, now: Moment) {
        self.lost = Some(now);
    }

    /// Judges a live heartbeat in this gateway's own name.
    pub(crate) fn judge(&mut self, beat: &Heartbeat, now: Now) -> Claim {
        if beat.status != Liveness::Alive || beat.incarnation <= self.incarnation {
            return Claim::Own;
        }
        let plausible = beat.incarnation <= now.time.0.max(self.incarnation).saturating_add(AHEAD);
        if plausible && self.lost.is_some_and(|lost| now.moment <= lost + AFTER_LOSS) {
            return Claim::Twin;
        }
        let news = self.told.is_none_or(|told| now.moment >= told + TELL_EVERY);
        if news {
            self.told = Some(now.moment);
        }
        Claim::Forged(news)
    }
}

fn alive(message: &link::Delivery) -> Option<u64> {
    let beat = Heartbeat::parse(&message.payload).ok()?;
    (beat.status == Liveness::Alive).then_some(beat.incarnation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{GatewayId, UnixMillis};

    const STARTED: u64 = 1_700_000_000_000;

    fn now(seconds: u64) -> Now {
        let moment = Moment(seconds * 1_000_000);
        Now { moment, time: UnixMillis(STARTED + seconds * 1000) }
    }

    fn beat(incarnation: u64) -> Heartbeat {
        Heartbeat::bare(Liveness::Alive, GatewayId(1), incarnation)
    }

    #[test]
    fn a_later_life_is_believed_only_after_a_connection_was_lost() {
        let mut rival = Rival::new(STARTED);
        let later = beat(STARTED + 5000);
        assert_eq!(rival.judge(&later, now(10)), Claim::Forged(true));
        assert_eq!(rival.judge(&later, now(11)), Claim::Forged(false), "told once a minute");
        assert_eq!(rival.judge(&later, now(71)), Claim::Forged(true));
        rival.lost(now(80).moment);
        assert_eq!(rival.judge(&later, now(81)), Claim::Twin);
        assert_eq!(rival.judge(&later, now(91)), Claim::Forged(false));
    }

    #[test]
    fn a_life_that_nobody_can_have_begun_is_never_believed() {
        let mut rival = Rival::new(STARTED);
        rival.lost(now(80).moment);
        assert_eq!(rival.judge(&beat(u64::MAX), now(81)), Claim::Forged(true));
        assert_eq!(rival.judge(&beat(STARTED + 2 * AHEAD), now(81)), Claim::Forged(false));
    }

    #[test]
    fn its_own_heartbeat_and_an_older_lifes_are_no_rivals() {
        let mut rival = Rival::new(STARTED);
        rival.lost(now(1).moment);
        let will = Heartbeat::bare(Liveness::Dead, GatewayId(1), STARTED + 1);
        for own in [beat(STARTED), beat(STARTED - 1), will] {
            assert_eq!(rival.judge(&own, now(2)), Claim::Own);
        }
    }
}
