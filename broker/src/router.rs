//! The only module that knows rumqttd: wildcard filters in, matching message numbers out.
//!
//! One link serves the whole broker. It subscribes to every distinct wildcard filter once; the edge fans out to
//! its sessions. Only a message's number travels through the router's log; the message itself waits in the
//! edge's window ([`broker_core`]), so the log stays small and nothing is copied. A link of its own for every
//! session would cost 27 KiB each and put the bounds on slow readers into a shared log, where the oldest
//! message is dropped whatever its QoS.
//!
//! ```text
//!  edge --publish(number, topic)--> router thread --matches--> Feed --(filter, number)--> edge
//! ```

use bytes::Bytes;
use rumqttd::RouterConfig;
use rumqttd::local::{LinkBuilder, LinkRx, LinkTx};
use rumqttd::protocol::{
    Filter, Packet, Publish, QoS, RetainForwardRule, Subscribe, SubscribeProperties,
};
use rumqttd::{Notification, Router as Engine};

use broker_core::Map;
use broker_core::router::{FilterId, READ_AT_ONCE, Routed};

/// Fences share the filters' numbers, which begin behind this one; rumqttd refuses 0.
const FENCE: FilterId = FilterId(1);
/// The router's log per filter: 2 segments of 1 MiB. A number with its topic counts about 50 bytes, so two
/// segments hold more than is ever inside; older entries are only memory.
const SEGMENT_BYTES: usize = 1024 * 1024;

/// The router thread is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouterDied;

/// The sending side.
pub(crate) struct Router {
    link: LinkTx,
}

/// The receiving side.
pub(crate) struct Feed {
    link: LinkRx,
    /// Next log offset per filter; a jump means that the log rolled over.
    expected: Map<u32, u64>,
}

/// Starts the router thread.
///
/// # Errors
///
/// What rumqttd said.
pub(crate) fn start(incarnation: u64) -> Result<(Router, Feed), String> {
    let config = RouterConfig {
        // The one link; a second for good measure.
        max_connections: 2,
        max_outgoing_packet_count: READ_AT_ONCE,
        max_segment_size: SEGMENT_BYTES,
        max_segment_count: 2,
        ..RouterConfig::default()
    };
    let sender = Engine::new(0, config).spawn();
    let name = format!("edge-{incarnation}");
    let (tx, rx, _) = LinkBuilder::new(&name, sender).build().map_err(|error| error.to_string())?;
    let mut router = Router { link: tx };
    let failed = |_| "the router thread ended at once".to_owned();
    router.subscribe_raw(FENCE, "fence".to_owned()).map_err(failed)?;
    Ok((router, Feed { link: rx, expected: Map::default() }))
}

impl Router {
    /// Sends a message's number on its way.
    pub(crate) fn publish(&mut self, topic: &str, number: u64) -> Result<(), RouterDied> {
        self.send(prefixed(topic), number)
    }

    /// Asks for a [`Routed::Fence`] after everything before it.
    pub(crate) fn fence(&mut self, number: u64) -> Result<(), RouterDied> {
        self.send("fence".to_owned(), number)
    }

    pub(crate) fn subscribe(&mut self, id: FilterId, filter: &str) -> Result<(), RouterDied> {
        self.subscribe_raw(id, prefixed(filter))
    }

    fn subscribe_raw(&mut self, id: FilterId, path: String) -> Result<(), RouterDied> {
        let filter = Filter {
            path,
            qos: QoS::AtMostOnce,
            nolocal: false,
            preserve_retain: false,
            retain_forward_rule: RetainForwardRule::Never,
        };
        let properties =
            SubscribeProperties { id: Some(id.0 as usize), user_properties: Vec::new() };
        self.push(Packet::Subscribe(Subscribe { pkid: 0, filters: vec![filter] }, Some(properties)))
    }

    fn send(&mut self, topic: String, number: u64) -> Result<(), RouterDied> {
        let number = Bytes::copy_from_slice(&number.to_be_bytes());
        self.push(Packet::Publish(Publish::new(Bytes::from(topic), number, false), None))
    }

    #[cfg(test)]
    pub(crate) fn break_thread(&mut self) {
        // rumqttd cuts a topic after its first byte, which is not the end of this character.
        let sent = self.send("\u{e9}".to_owned(), 0);
        assert_eq!(sent, Ok(()), "the thread was still there");
    }

    fn push(&mut self, packet: Packet) -> Result<(), RouterDied> {
        // `send` is async in name only: it pushes and notifies the thread without ever waiting on the runtime.
        let mut sending = std::pin::pin!(self.link.send(packet));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match sending.as_mut().poll(&mut context) {
            std::task::Poll::Ready(Ok(_)) => Ok(()),
            _ => Err(RouterDied),
        }
    }
}

impl Feed {
    /// Waits until the router has something and adds all of it to `into`.
    pub(crate) async fn next(&mut self, into: &mut Vec<Routed>) -> Result<(), RouterDied> {
        let first = self.link.next().await.map_err(|_| RouterDied)?;
        self.take(first, into).await?;
        loop {
            // Whatever is already here belongs to the same batch.
            let more = tokio::select! {
                biased;
                more = self.link.next() => more.map_err(|_| RouterDied)?,
                () = std::future::ready(()) => return Ok(()),
            };
            self.take(more, into).await?;
        }
    }

    async fn take(
        &mut self,
        notification: Option<Notification>,
        into: &mut Vec<Routed>,
    ) -> Result<(), RouterDied> {
        match notification {
            Some(Notification::Forward(forward)) => {
                let id =
                    forward.properties.and_then(|p| p.subscription_identifiers.last().copied());
                let number =
                    <[u8; 8]>::try_from(&forward.publish.payload[..]).map(u64::from_be_bytes);
                if let (Some(id), Ok(number)) = (id.and_then(|id| u32::try_from(id).ok()), number) {
                    self.matched(id, number, forward.cursor, into);
                }
            }
            Some(Notification::Unschedule) => self.link.wake().await.map_err(|_| RouterDied)?,
            Some(Notification::Disconnect(..)) => return Err(RouterDied),
            _ => {}
        }
        Ok(())
    }

    fn matched(
        &mut self,
        id: u32,
        number: u64,
        cursor: Option<(u64, u64)>,
        into: &mut Vec<Routed>,
    ) {
        if let Some((_, offset)) = cursor {
            let expected = self.expected.insert(id, offset + 1);
            if expected.is_some_and(|expected| expected != offset) {
                into.push(Routed::Gap(FilterId(id)));
            }
        }
        into.push(if id == FENCE.0 {
            Routed::Fence(number)
        } else {
            Routed::Match(FilterId(id), number)
        });
    }
}

/// Topics inside the router start with an ASCII level, because rumqttd cuts a topic after its first byte; `$`
/// topics have a level of their own, so that a leading wildcard never reaches them [MQTT-4.7.2-1].
fn prefixed(topic: &str) -> String {
    let level = if topic.starts_with('$') { "d/" } else { "e/" };
    let mut prefixed = String::with_capacity(2 + topic.len());
    prefixed.push_str(level);
    prefixed.push_str(topic);
    prefixed
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn until_fence(feed: &mut Feed, fence: u64) -> Vec<Routed> {
        let mut seen = Vec::new();
        while !seen.contains(&Routed::Fence(fence)) {
            feed.next(&mut seen).await.unwrap();
        }
        seen.retain(|routed| matches!(routed, Routed::Match(..)));
        seen
    }

    #[tokio::test]
    async fn a_number_comes_back_once_for_every_filter_that_matches() {
        let (mut router, mut feed) = start(1).unwrap();
        let (all, some, own) = (FilterId(2), FilterId(3), FilterId(4));
        router.subscribe(all, "#").unwrap();
        router.subscribe(some, "été/+").unwrap();
        router.subscribe(own, "$own/#").unwrap();
        router.publish("été/1", 10).unwrap();
        router.publish("$own/x", 11).unwrap();
        router.fence(13).unwrap();
        // One fence may overtake a turn of a filter; what was before it has come when the next one is back.
        let mut seen = until_fence(&mut feed, 13).await;
        router.fence(14).unwrap();
        seen.extend(until_fence(&mut feed, 14).await);
        seen.sort_by_key(|routed| format!("{routed:?}"));
        let matches = [Routed::Match(all, 10), Routed::Match(some, 10), Routed::Match(own, 11)];
        assert_eq!(seen, matches);
    }

    #[tokio::test]
    async fn the_end_of_the_thread_is_noticed() {
        let (mut router, mut feed) = start(1).unwrap();
        router.break_thread();
        let mut seen = Vec::new();
        while feed.next(&mut seen).await.is_ok() {}
        assert!(!seen.iter().any(|routed| matches!(routed, Routed::Match(..))));
    }
}
