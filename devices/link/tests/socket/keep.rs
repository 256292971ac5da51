//! What a kept connection does when it breaks, and how requests get over that.

use std::time::Duration;

use crate::peer::{Listener, PUBACK, PUBLISH, Packet, Peer, SUBSCRIBE};
use link::{Event, Events, Link, Publish, Qos, RequestError, Requester, Retry, Version};

async fn down(events: &mut Events) {
    let Some(Event::Down(_)) = events.next().await else { panic!("expected Down") };
}

async fn up(events: &mut Events) {
    let Some(Event::Up { .. }) = events.next().await else { panic!("expected Up") };
}

/// Answers the subscription that comes next; gives its filters as text.
async fn grant(peer: &mut Peer) -> String {
    let subscribe: Packet = peer.expect(SUBSCRIBE).await;
    let filters = String::from_utf8_lossy(&subscribe.body).into_owned();
    peer.suback(&subscribe, &[1]).await;
    filters
}

#[tokio::test]
async fn a_kept_connection_subscribes_again_only_without_a_session() {
    let listener = Listener::new().await;
    let filters = vec![("a/#".to_owned(), Qos::AtLeastOnce)];
    let (link, mut events) = Link::keep(listener.options(Version::V5), filters);
    let mut peer = listener.welcome(Version::V5, true).await;
    // The session may be of an earlier program with other wishes.
    assert!(grant(&mut peer).await.contains("a/#"));
    up(&mut events).await;
    assert!(matches!(events.next().await, Some(Event::Subscribed(_))));
    drop(peer);
    down(&mut events).await;

    let mut peer = listener.welcome(Version::V5, true).await;
    up(&mut events).await;
    link.publish(Publish::new("x", "")).await.unwrap();
    peer.expect(PUBLISH).await;
    drop(peer);
    down(&mut events).await;

    let mut peer = listener.welcome(Version::V5, false).await;
    assert!(grant(&mut peer).await.contains("a/#"));
}

#[tokio::test]
async fn a_later_subscription_is_remembered_too() {
    let listener = Listener::new().await;
    let (link, mut events) = Link::keep(listener.options(Version::V5), Vec::new());
    let peer = listener.welcome(Version::V5, false).await;
    up(&mut events).await;
    drop(peer);
    down(&mut events).await;
    link.subscribe(vec![("late".into(), Qos::AtLeastOnce)]).await.unwrap();
    let mut peer = listener.welcome(Version::V5, true).await;
    assert!(grant(&mut peer).await.contains("late"));
}

#[tokio::test]
async fn nothing_stale_leaves_after_an_outage() {
    let listener = Listener::new().await;
    let (link, mut events) = Link::keep(listener.options(Version::V5), Vec::new());
    let mut peer = listener.welcome(Version::V5, false).await;
    up(&mut events).await;
    link.publish(Publish::new("unacknowledged", "")).await.unwrap();
    peer.published().await;
    drop(peer);
    down(&mut events).await;
    for _ in 0..2000 {
        link.publish(Publish::new("stale", "")).await.unwrap();
    }
    let mut peer = listener.welcome(Version::V5, true).await;
    up(&mut events).await;
    link.publish(Publish::new("fresh", "")).await.unwrap();
    assert_eq!(peer.published().await.topic, "fresh");
}

#[tokio::test]
async fn an_acknowledgement_of_an_earlier_connection_is_not_sent() {
    let listener = Listener::new().await;
    let mut options = listener.options(Version::V5);
    options.manual_acks = true;
    let (link, mut events) = Link::keep(options, Vec::new());
    let mut peer = listener.welcome(Version::V5, false).await;
    up(&mut events).await;
    peer.publish("a", 1, false, 3, "").await;
    let Some(Event::Message(old)) = events.next().await else { panic!("no message") };
    drop(peer);
    down(&mut events).await;
    let mut peer = listener.welcome(Version::V5, true).await;
    up(&mut events).await;
    peer.publish("b", 1, false, 4, "").await;
    let Some(Event::Message(new)) = events.next().await else { panic!("no message") };
    link.ack(old.ack).unwrap();
    link.ack(new.ack).unwrap();
    assert_eq!(peer.expect(PUBACK).await.body, [0, 4]);
}

#[tokio::test]
async fn an_outage_is_told_once_and_closing_ends_the_waiting() {
    let listener = Listener::new().await;
    let options = listener.options(Version::V3);
    let (link, mut events) = Link::keep(options, Vec::new());
    // Three attempts fail.
    for _ in 0..3 {
        drop(listener.accept(Version::V3).await);
    }
    let peer = listener.welcome(Version::V3, false).await;
    down(&mut events).await;
    up(&mut events).await;
    drop((peer, listener));
    down(&mut events).await;
    link.close().await;
    assert_eq!(events.next().await, None);
}

/// Connects a requester to a listener.
async fn requester(listener: &Listener) -> (Requester, Peer) {
    let connecting = Requester::connect(listener.address(), "test");
    let broker = async {
        let mut peer = listener.welcome(Version::V5, false).await;
        assert!(grant(&mut peer).await.contains("hearth/reply/"));
        peer
    };
    let (requester, peer) = tokio::join!(connecting, broker);
    (requester.unwrap(), peer)
}

/// Reads a request; gives its topic and its Correlation Data as an MQTT 5 property.
async fn request(peer: &mut Peer) -> (String, Vec<u8>) {
    let published = peer.published().await;
    let at = published.rest.windows(3).position(|bytes| bytes == [9, 0, 16]).unwrap();
    (published.topic, published.rest[at..at + 19].to_vec())
}

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    let listener = Listener::new().await;
    let (requester, mut peer) = requester(&listener).await;
    let ask = |topic: &'static str| {
        let requester = requester.clone();
        async move { requester.request(topic, "", Retry::default()).await.unwrap() }
    };
    let broker = async {
        let mut requests = vec![request(&mut peer).await, request(&mut peer).await];
        requests.reverse();
        for (topic, correlation) in requests {
            peer.publish_with("reply", 0, false, 0, &correlation, &topic).await;
        }
    };
    let (one, two, ()) = tokio::join!(ask("one"), ask("two"), broker);
    assert_eq!((&one.payload[..], &two.payload[..]), (&b"one"[..], &b"two"[..]));
}

#[tokio::test]
async fn a_request_is_asked_again_also_on_another_connection() {
    let listener = Listener::new().await;
    let (requester, mut peer) = requester(&listener).await;
    let retry = Retry { every: Duration::from_millis(20), within: Duration::from_secs(60) };
    let asking = requester.request("q", "", retry);
    let broker = async {
        let first = request(&mut peer).await;
        assert_eq!(request(&mut peer).await, first);
        drop(peer);
        let mut peer = listener.welcome(Version::V5, false).await;
        grant(&mut peer).await;
        let again = request(&mut peer).await;
        assert_eq!(again, first);
        peer.publish_with("reply", 0, false, 0, &again.1, "done").await;
        peer
    };
    let (answer, _peer) = tokio::join!(asking, broker);
    assert_eq!(&answer.unwrap().payload[..], b"done");
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let listener = Listener::new().await;
    let (requester, _peer) = requester(&listener).await;
    let retry = Retry { every: Duration::from_millis(5), within: Duration::from_millis(20) };
    let error = requester.request("home/a/b/get", "", retry).await.unwrap_err();
    assert!(matches!(error, RequestError::NoAnswer { .. }));
    let text = error.to_string();
    assert!(text.contains("home/a/b/get") && text.contains("hearth status"), "{text}");

    let gone = Listener::new().await.address();
    let error = Requester::connect(gone.clone(), "test").await.unwrap_err().to_string();
    assert!(error.contains(&gone.to_string()) && error.contains("hearth up"), "{error}");
}
