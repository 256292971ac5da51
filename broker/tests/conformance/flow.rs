//! Flow control and sizes, chapters 3.1.2.11, 3.3.4 and 4.9.

use crate::case::{Version, cases};
use crate::server::Server;
use crate::wire::{self, Publish, id, kind};

cases! {
    no_more_than_the_client_takes: V5 "3.3.4-9 4.9.0-1 4.9.0-2";
    qos_2_is_under_way_until_pubcomp: V5 "3.3.4-9 4.9.0-2";
    other_packets_do_not_wait: V5 "3.3.4-10 4.9.0-3";
    a_refusal_makes_room: V5 "3.3.4-9 4.4.0-2";
    a_smaller_maximum_counts_for_what_comes_again: V5 "3.3.4-9 3.3.4-10 4.4.0-1";
    no_more_than_the_broker_takes: V311 "4.5.0-1", V5 "4.13.1-1";
    messages_that_are_too_large_count_as_sent: V5 "3.1.2-24 3.1.2-25";
    the_limit_itself_is_allowed: V5 "3.1.2-24";
    a_client_may_take_very_little: V5 "3.1.2-24";
    no_answer_is_too_large:
        V5 "3.1.2-24 3.2.2-19 3.2.2-20 3.4.2-2 3.4.2-3 3.5.2-2 3.5.2-3 3.6.2-2 3.6.2-3 3.7.2-2 3.7.2-3
            3.9.2-1 3.9.2-2 3.11.2-1 3.11.2-2 3.14.2-3 3.14.2-4";
    packets_that_are_too_large_end_the_connection: V311 "4.8.0-1", V5 "4.13.1-1";
}

/// Publishes texts to a topic and waits until the broker has all of them.
fn publish_all(server: &Server, topic: &str, qos: u8, texts: &[&str]) {
    let mut publisher = server.client("publisher");
    texts.iter().for_each(|text| publisher.publish(&Publish::new(topic, text).qos(qos)));
}

fn no_more_than_the_client_takes(server: &Server) {
    let topic = server.topic("few");
    for most in [1, 2, 3] {
        let connect = server.connect("slow").with(wire::two(id::RECEIVE_MAXIMUM, most));
        let (mut client, _) = server.open(&connect);
        client.watch(&topic, 1);
        publish_all(server, &topic, 1, &["1", "2", "3", "4", "5"]);
        let mut under_way: Vec<_> = (0..most).map(|_| client.got().pid).collect();
        client.ping();
        for text in usize::from(most) + 1..=5 {
            client.answer(kind::PUBACK, under_way.remove(0));
            let got = client.got();
            assert_eq!(got.text(), text.to_string());
            under_way.push(got.pid);
            client.ping();
        }
    }
}

fn qos_2_is_under_way_until_pubcomp(server: &Server) {
    let topic = server.topic("few");
    let connect = server.connect("slow").with(wire::two(id::RECEIVE_MAXIMUM, 1));
    let (mut client, _) = server.open(&connect);
    client.watch(&topic, 2);
    publish_all(server, &topic, 2, &["1", "2"]);
    let one = client.got();
    client.ping();
    client.answer(kind::PUBREC, one.pid);
    client.expect_ack(kind::PUBREL, one.pid);
    client.ping();
    client.answer(kind::PUBCOMP, one.pid);
    assert_eq!(client.got().text(), "2");
}

fn other_packets_do_not_wait(server: &Server) {
    let topic = server.topic("few");
    let connect = server.connect("slow").with(wire::two(id::RECEIVE_MAXIMUM, 1));
    let (mut client, _) = server.open(&connect);
    client.watch(&topic, 2);
    publish_all(server, &topic, 2, &["1", "2"]);
    let one = client.got();
    // Everything else a client can ask for is answered meanwhile.
    client.ping();
    client.watch(&server.topic("other"), 1);
    client.unsubscribe(&[&server.topic("other")]);
    client.publish(&Publish::new(server.topic("x"), "x").qos(1));
    client.publish(&Publish::new(server.topic("x"), "x").qos(2));
    client.answer(kind::PUBREC, one.pid);
    client.expect_ack(kind::PUBREL, one.pid);
}

fn a_refusal_makes_room(server: &Server) {
    let topic = server.topic("few");
    let connect = server.connect("slow").with(wire::two(id::RECEIVE_MAXIMUM, 1));
    let (mut client, _) = server.open(&connect);
    client.watch(&topic, 2);
    publish_all(server, &topic, 1, &["1"]);
    publish_all(server, &topic, 2, &["2", "3"]);
    let one = client.got();
    client.answer_with(kind::PUBACK, one.pid, 0x97);
    let two = client.got();
    client.answer_with(kind::PUBREC, two.pid, 0x97);
    assert_eq!(client.got().text(), "3");
}

fn a_smaller_maximum_counts_for_what_comes_again(server: &Server) {
    let topic = server.topic("few");
    let connect = server.connect("slow").keep();
    let (mut client, _) = server.open(&connect);
    client.watch(&topic, 2);
    publish_all(server, &topic, 2, &["1", "2", "3"]);
    let got = [client.got(), client.got(), client.got()];
    client.answer(kind::PUBREC, got[2].pid);
    client.expect_ack(kind::PUBREL, got[2].pid);
    client.vanish();
    // One PUBLISH at a time now. The PUBREL is none, so it does not wait for them.
    let (mut client, _) = server.open(&connect.with(wire::two(id::RECEIVE_MAXIMUM, 1)));
    client.send(&[0xC0, 0]);
    let mut came = Vec::new();
    loop {
        let packet = client.next().expect("a packet");
        if packet.kind == kind::PINGRESP {
            break;
        }
        came.push((packet.kind, packet.pid));
    }
    assert!(came.contains(&(kind::PUBREL, got[2].pid)), "{came:?}");
    came.retain(|came| came.0 != kind::PUBREL);
    client.answer(kind::PUBCOMP, got[2].pid);
    if came.is_empty() {
        came.push((kind::PUBLISH, client.got().pid));
    }
    assert_eq!(came, [(kind::PUBLISH, got[0].pid)]);
    client.answer(kind::PUBREC, got[0].pid);
    client.expect_ack(kind::PUBREL, got[0].pid);
    client.answer(kind::PUBCOMP, got[0].pid);
    let two = client.got();
    assert_eq!((two.text(), two.pid, two.dup()), ("2", got[1].pid, true));
}

fn no_more_than_the_broker_takes(server: &Server) {
    let own = server.own(|settings| settings.limits.receive_maximum = 2, "max_inflight_messages 2");
    let server = &own.server;
    let (mut client, connack) = server.open(&server.connect("fast"));
    let topic = server.topic("x");
    if server.version == Version::V5 {
        assert_eq!(connack.properties.number(id::RECEIVE_MAXIMUM), Some(2));
        let ids: Vec<_> = (0..3).map(|_| client.start(&Publish::new(&topic, "x").qos(2))).collect();
        client.expect_ack(kind::PUBREC, ids[0]);
        client.expect_ack(kind::PUBREC, ids[1]);
        client.ends_at_once(0x93);
    } else {
        // Who knows no maximum is held back instead, and loses nothing.
        let mut watcher = server.watcher("watcher", &topic, 0);
        let ids: Vec<_> =
            (0..5).map(|n| client.start(&Publish::new(&topic, n.to_string()).qos(2))).collect();
        let mut finished = Vec::new();
        while finished.len() < 5 {
            let packet = client.next().expect("a packet");
            match packet.kind {
                kind::PUBREC => client.answer(kind::PUBREL, packet.pid),
                _ => finished.push(packet.pid),
            }
        }
        assert_eq!(finished, ids);
        assert_eq!(watcher.take_texts(5), ["0", "1", "2", "3", "4"]);
    }
}

fn messages_that_are_too_large_count_as_sent(server: &Server) {
    for (qos, filter) in [(0, "a"), (1, "a"), (2, "a"), (1, "+")] {
        let topic = server.topic("a");
        let connect = server
            .connect("small")
            .with(wire::four(id::MAXIMUM_PACKET, 200))
            .with(wire::two(id::RECEIVE_MAXIMUM, 1));
        let (mut client, _) = server.open(&connect);
        client.watch(&server.topic(filter), qos);
        let large = "x".repeat(200);
        publish_all(server, &topic, qos, &["1", &large, "2", &large, &large, "3"]);
        for text in ["1", "2", "3"] {
            let got = client.take();
            assert_eq!(got.text(), text);
            assert!(got.size <= 200);
        }
        client.ping();
    }
}

fn the_limit_itself_is_allowed(server: &Server) {
    let topic = server.topic("a");
    let connect = server.connect("small").with(wire::four(id::MAXIMUM_PACKET, 120));
    let (mut client, _) = server.open(&connect);
    client.watch(&topic, 0);
    let head = 2 + 2 + topic.len() + 1;
    let fits = "x".repeat(120 - head);
    let too_large = "x".repeat(121 - head);
    publish_all(server, &topic, 0, &[&too_large, &fits]);
    let got = client.take();
    assert_eq!((got.size, got.text()), (120, &fits[..]));
}

fn no_answer_is_too_large(server: &Server) {
    const MOST: u32 = 40;
    let topic = server.topic("a");
    let connect = server.connect("tiny").with(wire::four(id::MAXIMUM_PACKET, MOST));
    let (mut client, connack) = server.open(&connect);
    assert!(connack.size <= MOST as usize);
    let mut answers = Vec::new();
    let mut ask = |bytes: Vec<u8>| {
        client.send(&bytes);
        answers.extend(client.next());
    };
    let version = server.version;
    ask(wire::packet(0x82, &wire::subscribe(version, 1, &[], &[(&topic, 1), (&topic, 0)])));
    ask(wire::packet(0xA2, &wire::unsubscribe(version, 2, &[&topic, &topic])));
    ask(Publish::new(&topic, "x").qos(1).pid(3).bytes(version));
    ask(Publish::new(&topic, "x").qos(2).pid(4).bytes(version));
    ask(wire::packet(0x62, &[0, 4]));
    ask(wire::packet(0x62, &[0, 99]));
    ask(wire::packet(0x50, &[0, 99]));
    // The end for a reason that could be told at length.
    ask(wire::packet(0x32, b"\0\x02##\0\x01\0"));
    for answer in &answers {
        assert!(answer.size <= MOST as usize, "{answer:?}");
    }
    assert!(answers.len() >= 6, "{answers:?}");
}

fn a_client_may_take_very_little(server: &Server) {
    // Accepted or not, nothing is ever larger than the client takes.
    let list: Vec<_> = (0..60).map(|number| (server.topic(&number.to_string()), 0)).collect();
    for most in [1, 4, 5, 15, 16, 17, 30, 64, 65] {
        let connect = server.connect("tiny").with(wire::four(id::MAXIMUM_PACKET, most));
        let mut client = server.say(&connect.bytes());
        client.send(&wire::packet(0x82, &wire::subscribe(server.version, 1, &[], &list)));
        client.send(&[0xE0, 0]);
        while let Some(packet) = client.next() {
            assert!(packet.size <= most as usize, "{packet:?} to one that takes {most}");
            if packet.kind == kind::CONNACK && packet.code == 0x95 {
                break;
            }
        }
    }
}

fn packets_that_are_too_large_end_the_connection(server: &Server) {
    let own = server.own(|settings| settings.limits.packet_bytes = 2000, "max_packet_size 2000");
    let server = &own.server;
    let topic = server.topic("a");
    let mut watcher = server.watcher("watcher", &topic, 0);
    let (mut client, connack) = server.open(&server.connect("large"));
    if server.version == Version::V5 {
        assert_eq!(connack.properties.number(id::MAXIMUM_PACKET), Some(2000));
    }
    let mut publish = Publish::new(&topic, "");
    publish.payload = vec![b'x'; 2000 - publish.bytes(server.version).len() - 1];
    client.start(&publish);
    assert_eq!(watcher.take().payload, publish.payload, "as large as allowed");
    // Not just by a byte, since not all count alike.
    publish.payload.extend([b'x'; 10]);
    client.start(&publish);
    client.ends(0x95);
}
