//! Quality of service within one connection, chapters 4.3, 4.5 and 4.6.

use crate::case::{Version, cases};
use crate::server::Server;
use crate::will;
use crate::wire::{Publish, four, id, kind};

cases! {
    delivered_with_the_lower_qos: V311 "3.8.4-6", V5 "3.8.4-8";
    qos_1_is_new_again_after_puback: V311 "4.3.2-2", V5 "4.3.2-4 4.3.2-5";
    qos_2_again_and_again: V311 "4.3.3-2", V5 "4.3.3-10";
    qos_2_is_delivered_once: V311 "4.3.3-2", V5 "4.3.3-8 4.3.3-10 4.3.3-11 4.3.3-12";
    pubrel_of_an_unknown_id_is_answered: V311 "4.3.3-2", V5 "4.3.3-11 3.7.2-1";
    ids_under_way_differ: V311 "2.3.1-4 4.3.2-1 4.3.3-1", V5 "2.2.1-4 4.3.2-1 4.3.3-1";
    first_deliveries_have_no_dup: V311 "4.3.2-1 4.3.3-1", V5 "4.3.2-2 4.3.3-2";
    pubrel_follows_pubrec: V311 "2.3.1-6 4.3.3-1", V5 "2.2.1-5 3.6.2-1 4.3.3-4";
    every_subscriber_gets_it: V311 "4.5.0-1", V5 "4.5.0-1";
    order_is_kept: V311 "4.6.0-5 4.6.0-6", V5 "4.6.0-5 4.6.0-6";
    order_is_kept_with_wildcards: V311 "4.6.0-5 4.6.0-6", V5 "4.6.0-5 4.6.0-6";
    expired_qos_2_is_finished: V5 "4.3.3-13";
    wrong_acknowledgements_end_the_connection: V311 "4.8.0-1", V5 "4.13.1-1";
    acknowledgements_of_nothing_change_nothing: V311 "", V5 "";
}

fn delivered_with_the_lower_qos(server: &Server) {
    for filter in ["level", "+"] {
        let topic = server.topic("level");
        let mut watchers =
            [0, 1, 2].map(|qos| server.watcher(&format!("{qos}"), &server.topic(filter), qos));
        let mut client = server.client("publisher");
        for published in [0, 1, 2] {
            client.publish(&Publish::new(&topic, "x").qos(published));
            for (granted, watcher) in (0..).zip(&mut watchers) {
                assert_eq!(
                    watcher.take().qos(),
                    published.min(granted),
                    "{published} by {granted}"
                );
            }
        }
    }
}

fn qos_1_is_new_again_after_puback(server: &Server) {
    let topic = server.topic("again");
    let mut watcher = server.watcher("watcher", &topic, 0);
    let mut client = server.client("publisher");
    let publish = Publish::new(&topic, "first").qos(1).pid(7);
    client.publish(&publish);
    client.publish(&Publish { payload: b"second".into(), ..publish.clone() });
    client.publish(&Publish { payload: b"third".into(), ..publish.dup() });
    assert_eq!(watcher.take_texts(3), ["first", "second", "third"]);
}

fn qos_2_is_delivered_once(server: &Server) {
    let topic = server.topic("once");
    let mut watcher = server.watcher("watcher", &topic, 0);
    let mut client = server.client("publisher");
    let publish = Publish::new(&topic, "first").qos(2).pid(7);
    for again in [publish.clone(), publish.clone().dup()] {
        client.start(&again);
        client.expect_ack(kind::PUBREC, 7);
    }
    for _ in 0..2 {
        client.answer(kind::PUBREL, 7);
        let pubcomp = client.expect(kind::PUBCOMP);
        assert_eq!(pubcomp.pid, 7);
    }
    client.publish(&Publish { payload: b"second".into(), ..publish });
    assert_eq!(watcher.take_texts(2), ["first", "second"]);
}

fn qos_2_again_and_again(server: &Server) {
    // However often, and whatever DUP says: until PUBREL it is the same message.
    let topic = server.topic("once");
    let mut watcher = server.watcher("watcher", &topic, 0);
    let mut client = server.client("publisher");
    let publish = Publish::new(&topic, "first").qos(2).pid(7);
    for again in [publish.clone(), publish.clone(), publish.clone().dup(), publish.dup()] {
        client.start(&again);
        client.expect_ack(kind::PUBREC, 7);
    }
    client.answer(kind::PUBREL, 7);
    client.expect_ack(kind::PUBCOMP, 7);
    client.publish(&Publish::new(&topic, "second").qos(2));
    assert_eq!(watcher.take_texts(2), ["first", "second"]);
}

fn pubrel_of_an_unknown_id_is_answered(server: &Server) {
    let mut client = server.client("publisher");
    client.answer(kind::PUBREL, 4321);
    let pubcomp = client.expect(kind::PUBCOMP);
    let code = if server.version == Version::V5 { 0x92 } else { 0 };
    assert_eq!((pubcomp.pid, pubcomp.code), (4321, code));
}

fn ids_under_way_differ(server: &Server) {
    let topic = server.topic("ids");
    let mut watcher = server.watcher("watcher", &topic, 2);
    let mut client = server.client("publisher");
    for number in 0..15 {
        client.publish(&Publish::new(&topic, "x").qos(1 + number % 2));
    }
    let mut ids: Vec<_> = (0..15).map(|_| watcher.got().pid).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 15, "different ids");
    assert!(!ids.contains(&0));
}

fn first_deliveries_have_no_dup(server: &Server) {
    let topic = server.topic("fresh");
    let mut watcher = server.watcher("watcher", &topic, 2);
    let mut client = server.client("publisher");
    for qos in [0, 1, 2].repeat(100) {
        client.publish(&Publish::new(&topic, "x").qos(qos));
        assert!(!watcher.take().dup());
    }
}

fn pubrel_follows_pubrec(server: &Server) {
    let topic = server.topic("rel");
    let mut watcher = server.watcher("watcher", &topic, 2);
    let mut client = server.client("publisher");
    client.publish(&Publish::new(&topic, "x").qos(2));
    client.publish(&Publish::new(&topic, "y").qos(2));
    let (x, y) = (watcher.got(), watcher.got());
    // Out of order, which a receiver should not do and a sender has to bear.
    for got in [&y, &x] {
        watcher.answer(kind::PUBREC, got.pid);
        let pubrel = watcher.expect_ack(kind::PUBREL, got.pid);
        assert_eq!(pubrel.code, 0);
        watcher.answer(kind::PUBCOMP, got.pid);
    }
    watcher.ping();
}

fn every_subscriber_gets_it(server: &Server) {
    let filters = ["a/b", "a/+", "+/b", "#", "a/#", "a/b/#"];
    let mut watchers = filters.map(|filter| server.watcher(filter, &server.topic(filter), 1));
    server.client("publisher").publish(&Publish::new(server.topic("a/b"), "all").qos(1));
    for (watcher, filter) in watchers.iter_mut().zip(filters) {
        assert_eq!(watcher.take().text(), "all", "{filter}");
    }
}

fn order_is_kept(server: &Server) {
    ordered(server, "order");
}

fn order_is_kept_with_wildcards(server: &Server) {
    ordered(server, "+");
}

fn ordered(server: &Server, filter: &str) {
    let (topic, filter) = (server.topic("order"), server.topic(filter));
    for qos in [0, 1, 2] {
        let mut watcher = server.watcher("watcher", &filter, qos);
        let mut client = server.client("publisher");
        let numbers = (0..200).map(|number| number.to_string());
        for number in numbers.clone() {
            client.publish(&Publish::new(&topic, number).qos(qos));
        }
        assert!(numbers.eq(watcher.take_texts(200)), "QoS {qos}");
    }
}

fn expired_qos_2_is_finished(server: &Server) {
    let mut client = server.client("publisher");
    let publish = Publish::new(server.topic("brief"), "x").qos(2).retain();
    let pid = client.start(&publish.with(four(id::MESSAGE_EXPIRY, 1)));
    client.expect_ack(kind::PUBREC, pid);
    // Its second has passed when a will that waits for longer has come.
    will::wait_seconds(server, 2);
    client.answer(kind::PUBREL, pid);
    assert_eq!(client.expect_ack(kind::PUBCOMP, pid).code, 0);
}

fn wrong_acknowledgements_end_the_connection(server: &Server) {
    let topic = server.topic("wrong");
    for (qos, before, wrong) in [
        (1, &[][..], kind::PUBREC),
        (1, &[], kind::PUBCOMP),
        (2, &[], kind::PUBACK),
        (2, &[], kind::PUBCOMP),
        (2, &[kind::PUBREC], kind::PUBACK),
    ] {
        let mut watcher = server.watcher("watcher", &topic, qos);
        server.client("publisher").publish(&Publish::new(&topic, "x").qos(qos));
        let got = watcher.got();
        for answer in before {
            watcher.answer(*answer, got.pid);
            watcher.expect_ack(kind::PUBREL, got.pid);
        }
        watcher.answer(wrong, got.pid);
        watcher.ends(0x82);
    }
}

fn acknowledgements_of_nothing_change_nothing(server: &Server) {
    let topic = server.topic("nothing");
    let mut watcher = server.watcher("watcher", &topic, 2);
    for nothing in [kind::PUBACK, kind::PUBCOMP] {
        watcher.answer(nothing, 1234);
    }
    watcher.ping();
    server.client("publisher").publish(&Publish::new(&topic, "x").qos(2));
    assert_eq!(watcher.take().text(), "x");
}
