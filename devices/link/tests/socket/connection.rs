//! What one connection does, seen from the other end of the socket.

use crate::peer::{
    DISCONNECT, Listener, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Peer, SUBSCRIBE,
};
use link::{Closed, Delivery, Event, Events, Link, Publish, Qos, TryPublish, Version, Will};
use std::time::Duration;

async fn up(events: &mut Events) -> bool {
    match events.next().await {
        Some(Event::Up { session_present }) => session_present,
        other => panic!("expected Up, not {other:?}"),
    }
}

async fn message(events: &mut Events) -> Delivery {
    match events.next().await {
        Some(Event::Message(delivery)) => delivery,
        other => panic!("expected a message, not {other:?}"),
    }
}

/// The last event, and that it is the last.
async fn down(events: &mut Events) -> link::DownReason {
    let Some(Event::Down(reason)) = events.next().await else { panic!("expected Down") };
    assert_eq!(events.next().await, None);
    reason
}

async fn open(version: Version) -> (Link, Events, Peer) {
    open_with(version, |_| ()).await
}

async fn open_with(
    version: Version,
    change: impl FnOnce(&mut link::Options),
) -> (Link, Events, Peer) {
    let listener = Listener::new().await;
    let mut options = listener.options(version);
    change(&mut options);
    let (link, mut events) = Link::open(options);
    let peer = listener.welcome(version, false).await;
    assert!(!up(&mut events).await);
    (link, events, peer)
}

#[tokio::test]
async fn messages_go_both_ways_in_both_versions() {
    for version in [Version::V3, Version::V5] {
        let (link, mut events, mut peer) = open(version).await;
        link.publish(Publish::new("a/b", "out")).await.unwrap();
        let published = peer.published().await;
        assert_eq!(published.topic, "a/b");
        assert!(published.rest.ends_with(b"out"));
        peer.publish("c/d", 1, true, 77, "in").await;
        let delivery = message(&mut events).await;
        assert_eq!((delivery.topic.as_str(), &delivery.payload[..]), ("c/d", &b"in"[..]));
        assert!(delivery.dup && !delivery.retain);
        assert_eq!(peer.expect(PUBACK).await.body, [0, 77], "acknowledged by itself");
    }
}

#[tokio::test]
async fn requests_carry_what_an_answer_needs() {
    let (link, mut events, mut peer) = open(Version::V5).await;
    let request = Publish::new("a", "").response_topic("r/1").correlation("c7").property("k", "v");
    link.publish(request).await.unwrap();
    // The properties come back as they went out: the same bytes without the payload.
    let properties = peer.published().await.rest;
    peer.publish_with("b", 0, false, 0, &properties[1..], "").await;
    let delivery = message(&mut events).await;
    assert_eq!(delivery.response_topic.as_deref(), Some("r/1"));
    assert_eq!(delivery.correlation.as_deref(), Some(&b"c7"[..]));
    assert_eq!(delivery.properties, [("k".to_owned(), "v".to_owned())]);
}

#[tokio::test]
async fn a_subscription_is_granted_or_refused_filter_by_filter() {
    let (link, mut events, mut peer) = open(Version::V5).await;
    let filters = vec![("a/#".into(), Qos::ExactlyOnce), ("b".into(), Qos::AtLeastOnce)];
    link.subscribe(filters).await.unwrap();
    let subscribe = peer.expect(SUBSCRIBE).await;
    peer.suback(&subscribe, &[1, 0x87]).await;
    let Some(Event::Subscribed(granted)) = events.next().await else { panic!("no answer") };
    assert_eq!((granted[0].filter.as_str(), &granted[0].outcome), ("a/#", &Ok(Qos::AtLeastOnce)));
    assert!(granted[1].outcome.as_ref().is_err_and(|why| why.contains("NotAuthorized")));
}

#[tokio::test]
async fn an_acknowledgement_overtakes_publishes_that_wait() {
    let (link, mut events, mut peer) = open_with(Version::V5, |options| {
        options.manual_acks = true;
        options.in_flight = 1;
    })
    .await;
    link.publish(Publish::new("a", "first")).await.unwrap();
    link.publish(Publish::new("a", "second")).await.unwrap();
    let first = peer.published().await;
    peer.publish("b", 1, false, 5, "").await;
    let delivery = message(&mut events).await;
    link.ack(delivery.ack).unwrap();
    assert_eq!(peer.expect(PUBACK).await.body, [0, 5]);
    peer.send(PUBACK, 0, &first.id).await;
    assert!(peer.published().await.rest.ends_with(b"second"));
}

#[tokio::test]
async fn a_caller_who_does_not_read_can_still_send() {
    let (link, _events, mut peer) = open_with(Version::V3, |options| options.queue = 1).await;
    for _ in 0..1000 {
        peer.publish("flood", 0, false, 0, "water").await;
    }
    for _ in 0..10 {
        link.publish(Publish::new("a", "out")).await.unwrap();
        let published = peer.published().await;
        assert_eq!(published.topic, "a");
    }
}

#[tokio::test]
async fn quality_two_is_delivered_once_and_sent_once() {
    let (link, mut events, mut peer) = open(Version::V5).await;
    peer.publish("a", 2, false, 9, "once").await;
    peer.publish("a", 2, true, 9, "once").await;
    peer.send(PUBREL, 2, &[0, 9]).await;
    peer.publish("a", 2, false, 9, "next").await;
    assert_eq!(&message(&mut events).await.payload[..], b"once");
    assert_eq!(&message(&mut events).await.payload[..], b"next");
    peer.expect(PUBREC).await;
    assert_eq!(peer.expect(PUBCOMP).await.body, [0, 9]);
    peer.expect(PUBREC).await;

    link.publish(Publish::new("b", "").qos(Qos::ExactlyOnce)).await.unwrap();
    let id = peer.published().await.id;
    peer.send(PUBREC, 0, &id).await;
    assert_eq!(peer.expect(PUBREL).await.body, id);
    peer.send(PUBCOMP, 0, &id).await;
}

#[tokio::test]
async fn a_connection_that_was_taken_over_says_so_and_is_over() {
    for goodbye in [&[0x8E_u8][..], &[0x8E, 0]] {
        let (link, mut events, mut peer) = open(Version::V5).await;
        link.publish(Publish::new("a", "never acknowledged")).await.unwrap();
        peer.published().await;
        peer.publish("b", 0, false, 0, "before the end").await;
        peer.send(DISCONNECT, 0, goodbye).await;
        drop(peer);
        assert_eq!(message(&mut events).await.topic, "b");
        let reason = down(&mut events).await;
        assert!(reason.taken_over, "{reason}");
        assert_eq!(link.publish(Publish::new("a", "")).await, Err(Closed));
        assert_eq!(link.try_publish(Publish::new("a", "")), Err(TryPublish::Closed));
        assert!(link.is_closed());
    }
}

#[tokio::test]
async fn a_broken_connection_is_over() {
    let (link, mut events, peer) = open(Version::V3).await;
    drop(peer);
    let reason = down(&mut events).await;
    assert!(!reason.taken_over, "{reason}");
    assert!(link.is_closed());
}

#[tokio::test]
async fn a_silent_broker_is_given_up() {
    let (_link, mut events, mut peer) =
        open_with(Version::V5, |options| options.keep_alive = Duration::ZERO).await;
    assert_eq!(peer.receive().await.map(|packet| packet.kind), Some(12), "a ping");
    let reason = down(&mut events).await;
    assert!(reason.text.contains("nothing heard"), "{reason}");
}

#[tokio::test]
async fn closing_sends_what_waits_and_says_goodbye() {
    let (link, mut events, mut peer) = open_with(Version::V5, |options| {
        options.will = Some(Will {
            topic: "status".into(),
            payload: b"offline".to_vec(),
            qos: Qos::AtLeastOnce,
            retain: true,
        });
    })
    .await;
    for _ in 0..3 {
        link.publish(Publish::new("a", "")).await.unwrap();
    }
    link.close().await;
    for _ in 0..3 {
        peer.expect(PUBLISH).await;
    }
    peer.expect(DISCONNECT).await;
    assert_eq!(peer.receive().await, None);
    down(&mut events).await;
}

#[tokio::test]
async fn dropping_the_last_link_says_goodbye_and_aborting_does_not() {
    let (link, mut events, mut peer) = open(Version::V5).await;
    drop(link);
    peer.expect(DISCONNECT).await;
    down(&mut events).await;

    let (link, mut events, mut peer) = open(Version::V5).await;
    link.abort();
    assert_eq!(peer.receive().await, None, "no goodbye");
    down(&mut events).await;
    assert!(link.is_closed());
}

#[tokio::test]
async fn what_no_broker_takes_is_dropped_and_the_connection_lives() {
    let (link, _events, mut peer) = open(Version::V5).await;
    for topic in ["", "a/+", "#", "a\0"] {
        link.publish(Publish::new(topic, "")).await.unwrap();
    }
    link.publish(Publish::new("large", vec![0; 2 * 1024 * 1024])).await.unwrap();
    link.publish(Publish::new("fine", "")).await.unwrap();
    assert_eq!(peer.published().await.topic, "fine");
}

#[tokio::test]
async fn a_full_queue_says_so_without_waiting() {
    let listener = Listener::new().await;
    let mut options = listener.options(Version::V5);
    options.queue = 1;
    // Nobody answers the CONNECT, so nothing leaves the queue.
    let (link, _events) = Link::open(options);
    assert_eq!(link.try_publish(Publish::new("a", "")), Ok(()));
    let second = Publish::new("b", "");
    assert_eq!(link.try_publish(second.clone()), Err(TryPublish::Full(second.into())));
}

#[tokio::test]
async fn a_refusal_says_why() {
    for (version, code) in [(Version::V3, 5), (Version::V5, 0x87)] {
        let listener = Listener::new().await;
        let (_link, mut events) = Link::open(listener.options(version));
        listener.accept(version).await.connack(false, code).await;
        let reason = down(&mut events).await;
        assert!(reason.text.contains("not authorised"), "{reason}");
        assert!(reason.text.contains(&listener.address().to_string()), "{reason}");
    }
}
