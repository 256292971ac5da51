//! Sessions over several connections, chapters 3.1.2.4, 3.14.2.2.2, 4.1 and 4.4.

use crate::case::{Version, cases};
use crate::client::Client;
use crate::server::Server;
use crate::wire::{self, Publish, id, kind};

cases! {
    a_kept_session_is_resumed:
        V311 "3.1.2-4 3.1.3-2 3.1.4-3 3.2.2-2 3.2.2-3",
        V5 "3.1.2-5 3.1.2-6 3.1.2-23 3.1.3-2 3.1.4-4 3.2.2-3";
    a_clean_session_begins_anew: V311 "3.1.2-6 3.2.2-1", V5 "3.1.2-4 3.2.2-2";
    a_clean_session_ends_with_its_connection: V311 "3.1.2-6", V5 "4.1.0-2";
    a_session_lives_as_long_as_its_connection: V311 "4.1.0-1 4.1.0-2", V5 "4.1.0-1";
    a_sleeping_session_collects: V311 "3.1.2-5 4.5.0-1", V5 "3.1.2-23 4.5.0-1";
    qos_1_comes_again_until_it_is_acknowledged:
        V311 "3.3.1-1 4.3.2-1 4.4.0-1 4.6.0-1", V5 "3.3.1-1 4.3.2-3 4.4.0-1";
    qos_2_comes_again_until_it_is_received:
        V311 "3.3.1-1 4.3.3-1 4.4.0-1 4.6.0-1", V5 "3.3.1-1 4.3.3-3 4.4.0-1";
    pubrel_comes_again_and_publish_does_not:
        V311 "4.3.3-1 4.4.0-1", V5 "4.3.3-5 4.3.3-6 4.4.0-1";
    the_wrong_acknowledgement_is_none: V311 "4.3.2-1 4.3.3-1", V5 "4.3.2-3 4.3.3-3";
    qos_2_is_taken_once_over_connections: V311 "4.3.3-2", V5 "4.3.3-10";
    nothing_comes_again_without_need: V311 "", V5 "4.4.0-1";
    a_refusal_acknowledges: V5 "4.4.0-2";
    what_is_under_way_does_not_expire: V5 "4.3.3-7";
    what_waits_expires: V5 "3.3.2-5";
    a_session_changes_its_version: V311 "3.1.3-2", V5 "3.1.3-2";
    goodbye_changes_the_expiry: V5 "4.1.0-2";
    goodbye_makes_no_session: V5 "3.14.2-2";
    a_session_ends_with_its_expiry: V5 "4.1.0-2";
    identifiers_outlive_the_connection: V5 "3.1.2-5";
}

fn a_kept_session_is_resumed(server: &Server) {
    let topic = server.topic("kept");
    let connect = server.connect("sleeper").keep();
    let (mut client, connack) = server.open(&connect);
    assert!(!connack.session_present, "there was none");
    client.watch(&topic, 1);
    client.vanish();
    // Another id is another session.
    let (_other, connack) = server.open(&server.connect("other").keep());
    assert!(!connack.session_present);
    for _ in 0..2 {
        let (mut client, connack) = server.open(&connect);
        assert!(connack.session_present);
        server.client("publisher").publish(&Publish::new(&topic, "x").qos(1));
        assert_eq!(client.take().text(), "x", "still subscribed");
        client.disconnect();
    }
}

fn a_clean_session_begins_anew(server: &Server) {
    let topic = server.topic("clean");
    let connect = server.connect("sleeper").keep();
    let (mut client, _) = server.open(&connect);
    client.watch(&topic, 1);
    client.disconnect();
    server.client("publisher").publish(&Publish::new(&topic, "missed").qos(1));
    let clean = wire::Connect { clean: true, ..connect };
    let (mut client, connack) = server.open(&clean);
    assert!(!connack.session_present);
    server.client("publisher").publish(&Publish::new(&topic, "nobody's").qos(1));
    client.ping();
    client.watch(&topic, 1);
    client.publish(&Publish::new(&topic, "own"));
    assert_eq!(client.take().text(), "own", "neither messages nor subscriptions are left");
}

fn a_clean_session_ends_with_its_connection(server: &Server) {
    let topic = server.topic("clean");
    server.watcher("brief", &topic, 1).disconnect();
    server.client("publisher").publish(&Publish::new(&topic, "missed").qos(1));
    let (mut client, connack) = server.open(&server.connect("brief").resume());
    assert!(!connack.session_present);
    client.ping();
}

fn a_session_lives_as_long_as_its_connection(server: &Server) {
    // Whatever its expiry; the time that passes is that of a will's delay.
    let topic = server.topic("alive");
    let mut client = server.watcher("alive", &topic, 2);
    server.client("publisher").publish(&Publish::new(&topic, "one").qos(2));
    let one = client.got();
    crate::will::wait_seconds(server, 1);
    client.answer(kind::PUBREC, one.pid);
    client.expect_ack(kind::PUBREL, one.pid);
    server.client("publisher").publish(&Publish::new(&topic, "two").qos(1));
    assert_eq!(client.take().text(), "two");
}

fn a_sleeping_session_collects(server: &Server) {
    for filter in ["a", "+"] {
        let (topic, filter) = (server.topic("a"), server.topic(filter));
        let (mut client, mut publisher) = (sleeper(server, &filter), server.client("publisher"));
        client.disconnect();
        for (qos, text) in [(1, "one"), (0, "lost or not"), (2, "two"), (1, "three")] {
            publisher.publish(&Publish::new(&topic, text).qos(qos));
        }
        client = server.open(&server.connect("sleeper").keep()).0;
        let mut texts = Vec::new();
        while texts.last().is_none_or(|last| last != "three") {
            texts.push(client.take().text().to_owned());
        }
        texts.retain(|text| text != "lost or not");
        assert_eq!(texts, ["one", "two", "three"]);
        server.client("sleeper").disconnect();
    }
}

/// A client with a new session that is kept, subscribed at QoS 2.
fn sleeper(server: &Server, filter: &str) -> Client {
    let (mut client, connack) = server.open(&server.connect("sleeper").keep());
    assert!(!connack.session_present);
    client.watch(filter, 2);
    client
}

fn again(server: &Server) -> Client {
    let (client, connack) = server.open(&server.connect("sleeper").keep());
    assert!(connack.session_present);
    client
}

fn publish_all(server: &Server, topic: &str, qos: u8, texts: &[&str]) {
    let mut publisher = server.client("publisher");
    texts.iter().for_each(|text| publisher.publish(&Publish::new(topic, text).qos(qos)));
}

fn qos_1_comes_again_until_it_is_acknowledged(server: &Server) {
    let topic = server.topic("again");
    let mut client = sleeper(server, &topic);
    publish_all(server, &topic, 1, &["one", "two", "three"]);
    let first: Vec<_> = (0..3).map(|_| client.got()).collect();
    client.answer(kind::PUBACK, first[1].pid);
    client.ping();
    for _ in 0..2 {
        client.vanish();
        client = again(server);
        for old in [&first[0], &first[2]] {
            let got = client.got();
            assert_eq!((got.text(), got.pid, got.dup()), (old.text(), old.pid, true));
        }
    }
    for old in [&first[0], &first[2]] {
        client.answer(kind::PUBACK, old.pid);
    }
    client.ping();
    client.vanish();
    again(server).ping();
}

fn qos_2_comes_again_until_it_is_received(server: &Server) {
    let topic = server.topic("again");
    let mut client = sleeper(server, &topic);
    publish_all(server, &topic, 2, &["one", "two"]);
    let first = [client.got(), client.got()];
    client.vanish();
    client = again(server);
    for old in &first {
        let got = client.got();
        assert_eq!((got.text(), got.pid, got.dup(), got.qos()), (old.text(), old.pid, true, 2));
    }
}

fn pubrel_comes_again_and_publish_does_not(server: &Server) {
    let topic = server.topic("rel");
    let mut client = sleeper(server, &topic);
    publish_all(server, &topic, 2, &["one"]);
    let one = client.got();
    client.answer(kind::PUBREC, one.pid);
    client.expect_ack(kind::PUBREL, one.pid);
    for _ in 0..2 {
        client.vanish();
        client = again(server);
        client.expect_ack(kind::PUBREL, one.pid);
        client.ping();
    }
    client.answer(kind::PUBCOMP, one.pid);
    client.ping();
    client.vanish();
    again(server).ping();
}

fn the_wrong_acknowledgement_is_none(server: &Server) {
    // A QoS 2 message is not finished by PUBACK, nor by a PUBCOMP before its time, nor QoS 1 by PUBREC. The
    // connection may end, but the message must come again.
    let topic = server.topic("wrong");
    for (qos, wrong) in [(2, kind::PUBACK), (2, kind::PUBCOMP), (1, kind::PUBCOMP)] {
        let mut client = sleeper(server, &topic);
        publish_all(server, &topic, qos, &["one"]);
        let one = client.got();
        client.answer(wrong, one.pid);
        client.send(&[0xC0, 0]);
        while client.next().is_some_and(|packet| packet.kind != kind::PINGRESP) {}
        client.vanish();
        let got = again(server).got();
        assert_eq!((got.text(), got.pid), ("one", one.pid), "QoS {qos} by packet {wrong}");
        server.client("sleeper").disconnect();
    }
}

fn qos_2_is_taken_once_over_connections(server: &Server) {
    let topic = server.topic("once");
    let mut watcher = server.watcher("watcher", &topic, 0);
    let connect = server.connect("publisher").keep();
    let publish = Publish::new(&topic, "one").qos(2).pid(9);
    let (mut client, _) = server.open(&connect);
    client.start(&publish);
    client.expect_ack(kind::PUBREC, 9);
    for _ in 0..2 {
        client.vanish();
        client = server.open(&connect).0;
        client.start(&publish.clone().dup());
        client.expect_ack(kind::PUBREC, 9);
    }
    for _ in 0..2 {
        client.answer(kind::PUBREL, 9);
        assert_eq!(client.expect(kind::PUBCOMP).pid, 9);
        client.vanish();
        client = server.open(&connect).0;
    }
    client.publish(&Publish { payload: b"two".into(), ..publish });
    assert_eq!(watcher.take_texts(2), ["one", "two"]);
}

fn nothing_comes_again_without_need(server: &Server) {
    let topic = server.topic("quiet");
    let mut client = server.watcher("quiet", &topic, 2);
    publish_all(server, &topic, 1, &["one"]);
    publish_all(server, &topic, 2, &["two"]);
    client.got();
    client.got();
    crate::will::wait_seconds(server, 2);
    client.ping();
}

fn a_refusal_acknowledges(server: &Server) {
    let topic = server.topic("refused");
    let mut client = sleeper(server, &topic);
    publish_all(server, &topic, 1, &["one"]);
    publish_all(server, &topic, 2, &["two"]);
    for answer in [kind::PUBACK, kind::PUBREC] {
        let got = client.got();
        client.answer_with(answer, got.pid, 0x80);
    }
    client.ping();
    client.vanish();
    again(server).ping();
}

fn what_is_under_way_does_not_expire(server: &Server) {
    let topic = server.topic("brief");
    let mut client = sleeper(server, &topic);
    let publish = Publish::new(&topic, "brief").qos(2).with(wire::four(id::MESSAGE_EXPIRY, 1));
    server.client("publisher").publish(&publish);
    let first = client.got();
    crate::will::wait_seconds(server, 2);
    client.vanish();
    let mut client = again(server);
    let got = client.take();
    assert_eq!((got.text(), got.pid), ("brief", first.pid));
}

fn what_waits_expires(server: &Server) {
    let topic = server.topic("brief");
    sleeper(server, &topic).disconnect();
    let mut publisher = server.client("publisher");
    let publish = |text, seconds| {
        Publish::new(&topic, text).qos(1).with(wire::four(id::MESSAGE_EXPIRY, seconds))
    };
    publisher.publish(&publish("brief", 1));
    publisher.publish(&publish("long", 100));
    crate::will::wait_seconds(server, 2);
    let got = again(server).take();
    assert_eq!(got.text(), "long");
    let left = got.properties.number(id::MESSAGE_EXPIRY);
    assert!(left.is_some_and(|left| left < 100), "{left:?} seconds left of 100");
}

fn a_session_changes_its_version(server: &Server) {
    let topic = server.topic("change");
    let other = match server.version {
        Version::V311 => server.speaking(Version::V5),
        Version::V5 => server.speaking(Version::V311),
    };
    let (mut client, _) = server.open(&server.connect("sleeper").keep());
    client.watch(&topic, 1);
    publish_all(server, &topic, 1, &["one"]);
    let one = client.got();
    client.vanish();
    let (mut client, connack) = other.open(&other.connect("sleeper").keep());
    assert!(connack.session_present);
    assert_eq!((client.take().pid, one.text()), (one.pid, "one"));
}

fn goodbye_changes_the_expiry(server: &Server) {
    let connect = server.connect("sleeper").keep();
    let (mut client, _) = server.open(&connect);
    let none = wire::properties(&[wire::four(id::SESSION_EXPIRY, 0)]);
    client.send(&wire::packet(0xE0, &[&[0], &none[..]].concat()));
    client.end();
    assert!(!server.open(&connect).1.session_present, "no longer kept");
}

fn goodbye_makes_no_session(server: &Server) {
    let (mut client, _) = server.open(&server.connect("sleeper"));
    let long = wire::properties(&[wire::four(id::SESSION_EXPIRY, 60)]);
    client.send(&wire::packet(0xE0, &[&[0], &long[..]].concat()));
    // The server's own DISCONNECT names no expiry, which the client checks.
    client.ends_at_once(0x82);
    assert!(!server.open(&server.connect("sleeper").resume()).1.session_present);
}

fn a_session_ends_with_its_expiry(server: &Server) {
    let brief = server.connect("brief").resume().with(wire::four(id::SESSION_EXPIRY, 1));
    let forever = server.connect("forever").resume().with(wire::four(id::SESSION_EXPIRY, u32::MAX));
    server.open(&brief).0.vanish();
    server.open(&forever).0.vanish();
    crate::will::wait_seconds(server, 3);
    assert!(!server.open(&brief).1.session_present);
    assert!(server.open(&forever).1.session_present);
}

fn identifiers_outlive_the_connection(server: &Server) {
    let topic = server.topic("identified");
    let connect = server.connect("sleeper").keep();
    let (mut client, _) = server.open(&connect);
    client.subscribe_with(&[wire::subscription(7)], &[(&topic, 1)]);
    client.vanish();
    publish_all(server, &topic, 1, &["asleep"]);
    let (mut client, _) = server.open(&connect);
    publish_all(server, &topic, 1, &["awake"]);
    for text in ["asleep", "awake"] {
        let got = client.take();
        assert_eq!((got.text(), got.properties.numbers(id::SUBSCRIPTION)), (text, vec![7]));
    }
}
