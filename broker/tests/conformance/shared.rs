//! Shared subscriptions, chapter 4.8.2.

use crate::case::cases;
use crate::server::Server;
use crate::wire::{self, Publish, id, kind};

cases! {
    shared_filters_have_their_form: V5 "4.8.2-1 4.8.2-2 4.13.1-1";
    no_local_does_not_go_with_sharing: V5 "3.8.3-4";
    one_member_gets_each_message: V5 "4.8.2-1";
    groups_and_others_get_their_own: V5 "4.8.2-1";
    a_member_gets_its_own_qos: V5 "4.8.2-3";
    stored_messages_are_not_shared: V5 "";
    qos_2_stays_with_the_member_that_began: V5 "4.8.2-4";
    qos_2_dies_with_the_member_that_began: V5 "4.8.2-5";
    what_a_member_refuses_is_gone: V5 "4.8.2-6";
    members_leave: V5 "3.10.4-1";
    shared_messages_carry_identifiers: V5 "3.3.4-3";
}

fn shared_filters_have_their_form(server: &Server) {
    for filter in [
        "$share/",
        "$share//a",
        "$share/name",
        "$share/name/",
        "$share/a+/b",
        "$share/#/b",
        "$share/name/a+",
    ] {
        let mut client = server.client("member");
        client.send(&wire::packet(0x82, &wire::subscribe(server.version, 1, &[], &[(filter, 0)])));
        client.ends(0x81);
    }
    // What merely looks similar is an ordinary filter.
    server.client("plain").watch(&format!("$shared/{}", server.topic("a")), 0);
}

fn no_local_does_not_go_with_sharing(server: &Server) {
    let mut client = server.client("member");
    let filter = shared(server, "a");
    client.send(&wire::packet(0x82, &wire::subscribe(server.version, 1, &[], &[(filter, 4)])));
    client.ends(0x82);
}

/// A filter of this case, shared by a group of this case.
fn shared(server: &Server, filter: &str) -> String {
    format!("$share/{}/{}", server.root, server.topic(filter))
}

fn one_member_gets_each_message(server: &Server) {
    for filter in ["a", "+"] {
        let mut members =
            ["one", "two", "three"].map(|who| server.watcher(who, &shared(server, filter), 1));
        let mut publisher = server.client("publisher");
        for number in 0..30 {
            publisher.publish(&Publish::new(server.topic("a"), number.to_string()).qos(1));
        }
        // Ask all members in turn until all thirty have turned up.
        let mut got = Vec::new();
        while got.len() < 30 {
            for member in &mut members {
                member.send(&[0xC0, 0]);
                loop {
                    let packet = member.next().expect("a packet");
                    if packet.kind != kind::PUBLISH {
                        break;
                    }
                    member.answer(kind::PUBACK, packet.pid);
                    got.push(packet.text().to_owned());
                }
            }
        }
        got.sort_by_key(|text| text.parse().unwrap_or(0));
        assert!((0..30).map(|number: u32| number.to_string()).eq(got), "each message once");
    }
}

fn groups_and_others_get_their_own(server: &Server) {
    let topic = server.topic("a");
    let mut watchers = [
        server.watcher("plain", &topic, 0),
        server.watcher("one", &shared(server, "a"), 0),
        server.watcher("two", &format!("$share/other-{}/{topic}", server.root), 0),
    ];
    let mut publisher = server.client("publisher");
    for text in ["x", "y"] {
        publisher.start(&Publish::new(&topic, text));
    }
    for watcher in &mut watchers {
        assert_eq!(watcher.take_texts(2), ["x", "y"]);
    }
}

fn a_member_gets_its_own_qos(server: &Server) {
    for granted in [0, 1, 2] {
        let mut member = server.watcher("member", &shared(server, "a"), granted);
        server.client("publisher").publish(&Publish::new(server.topic("a"), "x").qos(2));
        assert_eq!(member.take().qos(), granted);
    }
}

fn stored_messages_are_not_shared(server: &Server) {
    let topic = server.topic("a");
    let mut publisher = server.client("publisher");
    publisher.publish(&Publish::new(&topic, "stored").qos(1).retain());
    let mut member = server.watcher("member", &shared(server, "a"), 1);
    publisher.publish(&Publish::new(&topic, "live").qos(1));
    assert_eq!(member.take().text(), "live");
}

/// A member that has begun a QoS 2 message and is cut off.
fn begin_and_vanish(server: &Server) -> u16 {
    let connect = server.connect("first").keep();
    let (mut first, _) = server.open(&connect);
    first.watch(&shared(server, "a"), 2);
    server.client("publisher").publish(&Publish::new(server.topic("a"), "begun").qos(2));
    let begun = first.got();
    assert_eq!(begun.text(), "begun");
    first.vanish();
    begun.pid
}

fn qos_2_stays_with_the_member_that_began(server: &Server) {
    let pid = begin_and_vanish(server);
    let mut second = server.watcher("second", &shared(server, "a"), 2);
    let (mut first, _) = server.open(&server.connect("first").keep());
    let got = first.take();
    assert_eq!((got.text(), got.pid, got.dup()), ("begun", pid, true));
    first.ping();
    first.unsubscribe(&[&shared(server, "a")]);
    server.client("publisher").publish(&Publish::new(server.topic("a"), "next").qos(2));
    assert_eq!(second.take().text(), "next");
}

fn qos_2_dies_with_the_member_that_began(server: &Server) {
    begin_and_vanish(server);
    let mut second = server.watcher("second", &shared(server, "a"), 2);
    // A clean start ends the first member's session.
    server.client("first").disconnect();
    server.client("publisher").publish(&Publish::new(server.topic("a"), "next").qos(2));
    assert_eq!(second.take().text(), "next");
}

fn what_a_member_refuses_is_gone(server: &Server) {
    let mut publisher = server.client("publisher");
    for (qos, answer) in [(1, kind::PUBACK), (2, kind::PUBREC)] {
        let mut first = server.watcher("first", &shared(server, "a"), qos);
        publisher.publish(&Publish::new(server.topic("a"), "refused").qos(qos));
        let got = first.got();
        let mut second = server.watcher("second", &shared(server, "a"), qos);
        first.answer_with(answer, got.pid, 0x80);
        first.ping();
        first.disconnect();
        publisher.publish(&Publish::new(server.topic("a"), "next").qos(qos));
        assert_eq!(second.take().text(), "next");
        second.ping();
        second.disconnect();
    }
}

fn members_leave(server: &Server) {
    let mut first = server.watcher("first", &shared(server, "a"), 1);
    let mut second = server.watcher("second", &shared(server, "a"), 1);
    // By another group's name nobody leaves.
    first.unsubscribe(&[&server.topic("a"), &format!("$share/x/{}", server.topic("a"))]);
    second.unsubscribe(&[&shared(server, "a")]);
    let mut publisher = server.client("publisher");
    for text in ["1", "2", "3"] {
        publisher.publish(&Publish::new(server.topic("a"), text).qos(1));
        assert_eq!(first.take().text(), text);
    }
}

fn shared_messages_carry_identifiers(server: &Server) {
    let mut member = server.client("member");
    member.subscribe_with(&[wire::subscription(9)], &[(&shared(server, "a"), 0)]);
    server.client("publisher").start(&Publish::new(server.topic("a"), "x"));
    assert_eq!(member.take().properties.numbers(id::SUBSCRIPTION), [9]);
}
