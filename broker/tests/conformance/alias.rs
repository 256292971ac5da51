//! Topic aliases in both directions, chapter 3.3.2.3.4.

use std::collections::BTreeMap;

use crate::case::cases;
use crate::client::Client;
use crate::server::{Kind, Server};
use crate::wire::{self, Publish, id};

cases! {
    all_announced_aliases_are_taken: V5 "3.3.2-12";
    an_alias_can_be_set_anew: V5 "3.3.2-12";
    aliases_belong_to_their_client: V5 "3.3.2-7";
    aliases_end_with_the_connection: V5 "3.3.2-7";
    alias_0_does_not_exist: V5 "3.3.2-8";
    aliases_have_their_maximum: V5 "3.3.2-8";
    an_unknown_alias_ends_the_connection: V5 "";
    none_without_a_maximum: V5 "3.1.2-27";
    none_above_the_maximum: V5 "3.1.2-26 3.3.2-11";
    the_broker_says_its_aliases_anew: V5 "3.3.2-7";
}

fn aliased(topic: &str, alias: u16) -> Publish {
    Publish::new(topic, format!("{alias}")).with(wire::two(id::ALIAS, alias))
}

fn all_announced_aliases_are_taken(server: &Server) {
    let mut watcher = server.watcher("watcher", &server.topic("#"), 0);
    let (mut client, connack) = server.open(&server.connect("publisher"));
    let most = connack.properties.number(id::ALIAS_MAXIMUM).unwrap_or(0) as u16;
    assert!(most > 0, "aliases are announced");
    for alias in 1..=most {
        client.start(&aliased(&server.topic(&alias.to_string()), alias));
    }
    for alias in 1..=most {
        client.start(&aliased("", alias));
    }
    for _ in 0..2 {
        for alias in 1..=most {
            let got = watcher.take();
            assert_eq!(
                (got.topic, got.payload),
                (server.topic(&alias.to_string()), alias.to_string().into())
            );
        }
    }
}

fn an_alias_can_be_set_anew(server: &Server) {
    let mut watcher = server.watcher("watcher", &server.topic("#"), 0);
    let mut client = server.client("publisher");
    for (name, then) in [("a", "a"), ("", "a"), ("b", "b"), ("", "b")] {
        let topic = if name.is_empty() { String::new() } else { server.topic(name) };
        client.start(&aliased(&topic, 1));
        assert_eq!(watcher.take().topic, server.topic(then));
    }
}

fn aliases_belong_to_their_client(server: &Server) {
    let mut watcher = server.watcher("watcher", &server.topic("#"), 0);
    let mut clients = ["one", "two"].map(|who| server.client(who));
    for (client, name) in clients.iter_mut().zip(["a", "b"]) {
        client.start(&aliased(&server.topic(name), 1));
        watcher.take();
    }
    for (client, name) in clients.iter_mut().zip(["a", "b"]) {
        client.start(&aliased("", 1));
        assert_eq!(watcher.take().topic, server.topic(name));
    }
}

fn aliases_end_with_the_connection(server: &Server) {
    let connect = server.connect("publisher").keep();
    let (mut client, _) = server.open(&connect);
    client.publish(&aliased(&server.topic("a"), 1).qos(1));
    client.vanish();
    let (mut client, connack) = server.open(&connect);
    assert!(connack.session_present, "the session goes on, the alias does not");
    client.start(&aliased("", 1));
    client.ends(0x82);
}

fn alias_0_does_not_exist(server: &Server) {
    let mut client = server.client("publisher");
    client.start(&aliased(&server.topic("a"), 0));
    client.ends(0x82);
}

fn aliases_have_their_maximum(server: &Server) {
    let (mut client, connack) = server.open(&server.connect("publisher"));
    let most = connack.properties.number(id::ALIAS_MAXIMUM).unwrap_or(0) as u16;
    client.start(&aliased(&server.topic("a"), most + 1));
    client.ends(0x94);
}

fn an_unknown_alias_ends_the_connection(server: &Server) {
    let mut client = server.client("publisher");
    client.start(&aliased("", 1));
    client.ends(0x82);
}

fn none_without_a_maximum(server: &Server) {
    for connect in
        [server.connect("none"), server.connect("zero").with(wire::two(id::ALIAS_MAXIMUM, 0))]
    {
        let (mut watcher, _) = server.open(&connect);
        assert_eq!(aliases_seen(server, &mut watcher, 0), 0);
    }
}

fn none_above_the_maximum(server: &Server) {
    for most in [1, 3, 65_535] {
        let connect = server.connect("some").with(wire::two(id::ALIAS_MAXIMUM, most));
        let (mut watcher, _) = server.open(&connect);
        let seen = aliases_seen(server, &mut watcher, most);
        // A server need not use them, ours does.
        assert!(seen > 0 || server.kind == Kind::Mosquitto, "no alias of {most}");
    }
}

fn the_broker_says_its_aliases_anew(server: &Server) {
    let connect = server.connect("again").keep().with(wire::two(id::ALIAS_MAXIMUM, 3));
    for _ in 0..2 {
        // Each connection knows nothing of the one before, which this counts on.
        let (mut watcher, _) = server.open(&connect);
        aliases_seen(server, &mut watcher, 3);
        watcher.ping();
        watcher.vanish();
    }
}

/// Publishes on a few topics several times, checks that every message finds its topic, and counts aliases.
fn aliases_seen(server: &Server, watcher: &mut Client, most: u16) -> usize {
    watcher.watch(&server.topic("t/#"), 1);
    let mut publisher = server.client("publisher");
    let mut known: BTreeMap<u32, String> = BTreeMap::new();
    let mut seen = 0;
    for round in 0..3 {
        for number in 0..6 {
            let topic = server.topic(&format!("t/{number}/with/a/long/name"));
            publisher.publish(&Publish::new(&topic, round.to_string()).qos(number % 2));
            let mut got = watcher.take();
            if let Some(alias) = got.properties.number(id::ALIAS) {
                assert!((1..=u32::from(most)).contains(&alias), "alias {alias} of {most}");
                seen += 1;
                if got.topic.is_empty() {
                    got.topic = known.get(&alias).expect("an alias that was set").clone();
                }
                known.insert(alias, got.topic.clone());
            }
            assert_eq!(got.topic, topic);
        }
    }
    seen
}
