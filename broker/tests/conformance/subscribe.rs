//! SUBSCRIBE and UNSUBSCRIBE, chapters 3.8 to 3.11.

use crate::case::{Version, cases};
use crate::server::Server;
use crate::wire::{self, Publish, id, kind};

cases! {
    subscribe_is_answered:
        V311 "2.3.1-7 3.8.4-1 3.8.4-2 3.8.4-5 3.9.3-1 3.9.3-2",
        V5 "2.2.1-6 3.8.4-1 3.8.4-2 3.8.4-6 3.8.4-7 3.9.3-1 3.9.3-2";
    subscribe_names_a_filter: V311 "3.8.3-3", V5 "3.8.3-2";
    subscribe_has_its_reserved_bits: V311 "3.8.3-4", V5 "3.8.3-5";
    subscribe_knows_no_qos_3: V311 "3.8.3-4", V5 "";
    retain_handling_3_does_not_exist: V5 "";
    the_same_filter_again_replaces: V311 "3.8.4-3", V5 "3.8.4-3";
    nothing_is_lost_by_subscribing_again: V311 "3.8.4-3", V5 "3.8.4-4";
    many_filters_are_many_packets: V311 "3.8.4-4", V5 "3.8.4-5";
    overlaps_deliver_by_the_highest_qos: V311 "3.3.5-1", V5 "3.3.4-2";
    identifiers_come_with_messages: V5 "3.3.4-3";
    overlaps_carry_their_identifiers: V5 "3.3.4-3 3.3.4-4 3.3.4-5";
    subscribing_again_changes_the_identifier: V5 "3.8.4-3";
    identifier_0_does_not_exist: V5 "";
    no_local: V5 "3.8.3-3";
    unsubscribe_is_answered:
        V311 "2.3.1-7 3.10.4-4 3.10.4-5", V5 "2.2.1-6 3.10.4-4 3.10.4-5 3.11.3-1 3.11.3-2";
    unsubscribe_names_a_filter: V311 "3.10.3-2", V5 "3.10.3-2";
    unsubscribe_takes_the_exact_filter: V311 "3.10.4-1 3.10.4-2", V5 "3.10.4-1 3.10.4-2";
    unsubscribe_finishes_what_it_began: V311 "3.10.4-3", V5 "3.10.4-3";
    many_filters_go_at_once: V311 "3.10.4-6", V5 "3.10.4-6";
}

/// Bits of the subscription options.
const NO_LOCAL: u8 = 4;

fn subscribe_is_answered(server: &Server) {
    let mut client = server.client("subscriber");
    for qos in [0, 1, 2] {
        assert_eq!(client.subscribe(&[(&server.topic("a"), qos)]), [qos]);
    }
    let [a, b, c] = ["a", "b/+", "c/#"].map(|name| server.topic(name));
    assert_eq!(client.subscribe(&[(&a, 2), (&b, 0), (&c, 1)]), [2, 0, 1]);
    for pid in [1, 256, 65_535] {
        let body = wire::subscribe(server.version, pid, &[], &[(&a, 1)]);
        client.send(&wire::packet(0x82, &body));
        assert_eq!(client.expect(kind::SUBACK).pid, pid);
    }
}

fn subscribe_names_a_filter(server: &Server) {
    let mut client = server.client("subscriber");
    let none: &[(&str, u8)] = &[];
    client.send(&wire::packet(0x82, &wire::subscribe(server.version, 1, &[], none)));
    client.ends(0x82);
}

fn subscribe_has_its_reserved_bits(server: &Server) {
    let wrong: &[u8] = match server.version {
        Version::V311 => &[4, 8, 16, 32, 64, 128],
        Version::V5 => &[64, 128],
    };
    for bit in wrong {
        options_end(server, *bit, 0x81);
    }
}

fn subscribe_knows_no_qos_3(server: &Server) {
    options_end(server, 3, 0x81);
}

fn retain_handling_3_does_not_exist(server: &Server) {
    options_end(server, 0x30, 0x81);
}

fn options_end(server: &Server, options: u8, reason: u8) {
    let mut client = server.client("subscriber");
    let body = wire::subscribe(server.version, 1, &[], &[(server.topic("a"), options)]);
    client.send(&wire::packet(0x82, &body));
    client.ends(reason);
}

fn the_same_filter_again_replaces(server: &Server) {
    for filter in ["a", "+"] {
        let (topic, filter) = (server.topic("a"), server.topic(filter));
        let mut watcher = server.watcher("watcher", &filter, 2);
        watcher.watch(&filter, 0);
        let mut client = server.client("publisher");
        client.publish(&Publish::new(&topic, "one").qos(2));
        client.publish(&Publish::new(&topic, "two").qos(2));
        for text in ["one", "two"] {
            let got = watcher.take();
            assert_eq!((got.text(), got.qos()), (text, 0), "once, by the second subscription");
        }
    }
}

fn nothing_is_lost_by_subscribing_again(server: &Server) {
    let topic = server.topic("a");
    let mut watcher = server.watcher("watcher", &topic, 1);
    let mut client = server.client("publisher");
    for number in 0..100 {
        client.start(&Publish::new(&topic, number.to_string()).qos(1));
        let body = wire::subscribe(server.version, watcher.pid(), &[], &[(&topic, 1)]);
        watcher.send(&wire::packet(0x82, &body));
    }
    let mut next = 0;
    while next < 100 {
        let Some(packet) = watcher.next() else { panic!("the end") };
        if packet.kind == kind::PUBLISH {
            assert_eq!(packet.text(), next.to_string());
            watcher.answer(kind::PUBACK, packet.pid);
            next += 1;
        }
    }
}

fn many_filters_are_many_packets(server: &Server) {
    let mut client = server.client("subscriber");
    client.publish(&Publish::new(server.topic("a"), "stored").qos(1).retain());
    // The same filter twice: the second one replaces the first, and both bring what is stored.
    let (a, b) = (server.topic("a"), server.topic("b"));
    assert_eq!(client.subscribe(&[(&a, 0), (&b, 1), (&a, 1)]), [0, 1, 1]);
    assert_eq!(client.take_texts(2), ["stored", "stored"]);
    client.start(&Publish::new(&a, "to a").qos(1).pid(900));
    client.start(&Publish::new(&b, "to b").qos(1).pid(901));
    let mut got = Vec::new();
    while got.len() < 2 {
        let packet = client.next().expect("a packet");
        if packet.kind == kind::PUBLISH {
            assert_eq!(packet.qos(), 1);
            client.answer(kind::PUBACK, packet.pid);
            got.push(packet.text().to_owned());
        }
    }
    assert_eq!(got, ["to a", "to b"]);
}

fn overlaps_deliver_by_the_highest_qos(server: &Server) {
    let mut watcher = server.client("watcher");
    for (filter, qos) in [("a/b", 0), ("a/+", 2), ("#", 1)] {
        watcher.watch(&server.topic(filter), qos);
    }
    let mut client = server.client("publisher");
    client.publish(&Publish::new(server.topic("a/b"), "overlap").qos(2));
    client.publish(&Publish::new(server.topic("a/b/end"), "end").qos(2));
    // One copy or several, a server may choose; one of them has the highest.
    let mut highest = 0;
    loop {
        let got = watcher.take();
        if got.text() == "end" {
            break;
        }
        highest = highest.max(got.qos());
    }
    assert_eq!(highest, 2);
}

fn identifiers_come_with_messages(server: &Server) {
    for number in [1, 127, 128, 268_435_455] {
        let mut watcher = server.client("watcher");
        let list = [wire::subscription(number)];
        watcher.subscribe_with(&list, &[(&server.topic("a"), 1), (&server.topic("b/+"), 0)]);
        let mut client = server.client("publisher");
        for name in ["a", "b/c"] {
            client.publish(&Publish::new(server.topic(name), "x").qos(1).retain());
            let got = watcher.take();
            assert_eq!(got.properties.numbers(id::SUBSCRIPTION), [number as u32], "{name}");
        }
        // Also with what is stored.
        let mut later = server.client("later");
        later.subscribe_with(&list, &[(&server.topic("a"), 1)]);
        assert_eq!(later.take().properties.numbers(id::SUBSCRIPTION), [number as u32]);
    }
}

fn overlaps_carry_their_identifiers(server: &Server) {
    let mut watcher = server.client("watcher");
    for (filter, number) in [("a/b", 1), ("a/+", 2), ("#", 3)] {
        watcher.subscribe_with(&[wire::subscription(number)], &[(&server.topic(filter), 0)]);
    }
    watcher.watch(&server.topic("a/#"), 0);
    let mut client = server.client("publisher");
    client.start(&Publish::new(server.topic("a/b"), "overlap"));
    client.start(&Publish::new(server.topic("end"), "end"));
    let mut numbers = Vec::new();
    loop {
        let got = watcher.take();
        if got.text() == "end" {
            break;
        }
        numbers.extend(got.properties.numbers(id::SUBSCRIPTION));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3]);
}

fn subscribing_again_changes_the_identifier(server: &Server) {
    let topic = server.topic("a");
    let mut watcher = server.client("watcher");
    let mut client = server.client("publisher");
    for (list, numbers) in [
        (vec![wire::subscription(1)], vec![1]),
        (vec![wire::subscription(2)], vec![2]),
        (vec![], vec![]),
    ] {
        watcher.subscribe_with(&list, &[(&topic, 0)]);
        client.start(&Publish::new(&topic, "x"));
        assert_eq!(watcher.take().properties.numbers(id::SUBSCRIPTION), numbers);
    }
}

fn identifier_0_does_not_exist(server: &Server) {
    for list in [vec![wire::subscription(0)], vec![wire::subscription(1), wire::subscription(2)]] {
        let mut client = server.client("subscriber");
        let body = wire::subscribe(server.version, 1, &list, &[(server.topic("a"), 0)]);
        client.send(&wire::packet(0x82, &body));
        client.ends(0x82);
    }
}

fn no_local(server: &Server) {
    for filter in ["a", "+"] {
        let (topic, filter) = (server.topic("a"), server.topic(filter));
        let mut client = server.client("both");
        let mut other = server.client("other");
        client.watch(&filter, NO_LOCAL | 1);
        client.publish(&Publish::new(&topic, "own").qos(1));
        other.publish(&Publish::new(&topic, "other's").qos(1));
        assert_eq!(client.take().text(), "other's");
    }
}

fn unsubscribe_is_answered(server: &Server) {
    let [a, b] = ["a", "b/#"].map(|name| server.topic(name));
    let mut client = server.watcher("subscriber", &a, 0);
    client.watch(&b, 0);
    let codes = client.unsubscribe(&[&b, &server.topic("never"), &a]).codes;
    let again = client.unsubscribe(&[&a]).codes;
    if server.version == Version::V5 {
        assert_eq!((codes, again), (vec![0, 0x11, 0], vec![0x11]));
    }
}

fn unsubscribe_names_a_filter(server: &Server) {
    let mut client = server.client("subscriber");
    let none: &[&str] = &[];
    client.send(&wire::packet(0xA2, &wire::unsubscribe(server.version, 1, none)));
    client.ends(0x82);
}

fn unsubscribe_takes_the_exact_filter(server: &Server) {
    let [plus, hash, exact] = ["+", "#", "a"].map(|name| server.topic(name));
    let mut client = server.client("publisher");
    for mine in [&plus, &hash, &exact] {
        let mut watcher = server.watcher("watcher", mine, 1);
        // Filters that match the same, or look nearly the same, are not the same.
        for other in [&plus, &hash, &exact].into_iter().filter(|&other| other != mine) {
            watcher.unsubscribe(&[other]);
        }
        watcher.unsubscribe(&[&mine.to_uppercase()]);
        client.publish(&Publish::new(&exact, "still there").qos(1));
        assert_eq!(watcher.take().text(), "still there", "{mine}");
        watcher.unsubscribe(&[mine]);
        let last = server.topic("x/last");
        watcher.watch(&last, 0);
        client.publish(&Publish::new(&exact, "gone").qos(1));
        client.publish(&Publish::new(&last, "last").qos(1));
        assert_eq!(watcher.take().text(), "last", "{mine}");
    }
}

fn unsubscribe_finishes_what_it_began(server: &Server) {
    let topic = server.topic("a");
    for qos in [1, 2] {
        let connect = server.connect("watcher").keep();
        let (mut watcher, _) = server.open(&connect);
        watcher.watch(&topic, qos);
        let mut client = server.client("publisher");
        client.publish(&Publish::new(&topic, "begun").qos(qos));
        let begun = watcher.got();
        watcher.unsubscribe(&[&topic]);
        // The client is cut off before it can answer; what it had not answered comes again.
        watcher.vanish();
        let (mut watcher, _) = server.open(&connect);
        let again = watcher.take();
        assert_eq!((again.text(), again.pid, again.dup()), ("begun", begun.pid, true));
        watcher.ping();
    }
}

fn many_filters_go_at_once(server: &Server) {
    let names = ["a", "b/+", "c/#"].map(|name| server.topic(name));
    let mut watcher = server.client("watcher");
    names.iter().for_each(|name| watcher.watch(name, 0));
    watcher.watch(&server.topic("end"), 0);
    watcher.unsubscribe(&names.each_ref().map(|name| &name[..]));
    let mut client = server.client("publisher");
    for name in ["a", "b/x", "c/x", "end"] {
        client.start(&Publish::new(server.topic(name), name));
    }
    assert_eq!(watcher.take().text(), "end");
}
