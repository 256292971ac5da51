//! Keepalive, chapters 3.1.2.10 and 3.12. Only the least time is asserted: more is the machine's.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use crate::case::cases;
use crate::client::Client;
use crate::server::{Kind, Server};
use crate::wire::{Publish, Will, id, kind};

cases! {
    ping_is_answered: V311 "3.12.4-1", V5 "3.12.4-1";
    silence_ends_the_connection: V311 "3.1.2-24", V5 "3.1.2-22 3.2.2-22";
    what_a_client_gets_is_no_sign_of_life: V311 "3.1.2-24", V5 "3.1.2-22";
    a_client_that_reads_nothing_is_ended_too: V311 "3.1.2-24", V5 "3.1.2-22";
    every_packet_is_a_sign_of_life: V311 "", V5 "";
    keepalive_0_is_for_ever: V311 "", V5 "";
}

/// One and a half times the keepalive of one second.
const PATIENCE: Duration = Duration::from_millis(1500);

fn ping_is_answered(server: &Server) {
    let mut client = server.client("pinging");
    client.send(&[0xC0, 0, 0xC0, 0, 0xC0, 0]);
    (0..3).for_each(|_| assert_eq!(client.expect(kind::PINGRESP).size, 2));
}

fn silence_ends_the_connection(server: &Server) {
    let topic = server.topic("will");
    let mut watcher = server.watcher("watcher", &topic, 0);
    let began = Instant::now();
    let connect = server.connect("silent").alive(1).will(Will::new(&topic, "silent"));
    let (mut client, connack) = server.open(&connect);
    // None of the broker's own, so that of the client counts.
    assert!(!connack.properties.has(id::SERVER_KEEP_ALIVE));
    assert_eq!(watcher.take().text(), "silent");
    // mosquitto counts whole seconds, so it may end one earlier.
    let early = server.kind == Kind::Hearth && began.elapsed() < PATIENCE;
    assert!(!early, "ended after {:?}", began.elapsed());
    client.ends_at_once(0x8D);
}

fn what_a_client_gets_is_no_sign_of_life(server: &Server) {
    let (topic, will) = (server.topic("busy"), server.topic("will"));
    let mut watcher = server.watcher("watcher", &will, 0);
    let connect = server.connect("silent").alive(1).will(Will::new(&will, "silent"));
    let (mut client, _) = server.open(&connect);
    client.watch(&topic, 0);
    talk_until(server, &topic, "x", &mut watcher);
    while client.next().is_some_and(|packet| packet.kind == kind::PUBLISH) {}
}

fn a_client_that_reads_nothing_is_ended_too(server: &Server) {
    // Far more than sockets hold, so that the broker's writes stand still.
    let (topic, will) = (server.topic("flood"), server.topic("will"));
    let mut watcher = server.watcher("watcher", &will, 0);
    let connect = server.connect("stuck").alive(1).will(Will::new(&will, "stuck"));
    let (mut client, _) = server.open(&connect);
    client.watch(&topic, 1);
    let large = "x".repeat(200_000);
    let mut publisher = server.client("publisher");
    (0..100).for_each(|_| publisher.publish(&Publish::new(&topic, &large).qos(1)));
    talk_until(server, &topic, &large, &mut watcher);
}

/// Publishes until the watcher hears what it waits for.
fn talk_until(server: &Server, topic: &str, text: &str, watcher: &mut Client) {
    let mut publisher = server.client("talker");
    let publish = Publish::new(topic, text);
    watcher.until_it_hears(|| {
        publisher.start(&publish);
        publisher.ping();
    });
    watcher.take();
}

fn every_packet_is_a_sign_of_life(server: &Server) {
    let (mut pinging, _) = server.open(&server.connect("pinging").alive(1));
    let (mut talking, _) = server.open(&server.connect("talking").alive(1));
    let topic = server.topic("alive");
    beside_a_silent_one(server, || {
        pinging.ping();
        talking.start(&Publish::new(&topic, "x"));
    });
    pinging.ping();
    talking.ping();
}

fn keepalive_0_is_for_ever(server: &Server) {
    let (mut client, _) = server.open(&server.connect("quiet").alive(0));
    beside_a_silent_one(server, || {});
    client.ping();
}

/// Does something again and again until a client with a keepalive of two seconds has been silent for too long.
fn beside_a_silent_one(server: &Server, mut act: impl FnMut()) {
    let (silent, _) = server.open(&server.connect("silent").alive(2));
    while !has_ended(&silent) {
        act();
    }
}

fn has_ended(client: &Client) -> bool {
    client.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("an open socket");
    match client.stream.peek(&mut [0]) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}
