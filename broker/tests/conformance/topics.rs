//! Topics and filters, chapter 4.7.

use crate::case::cases;
use crate::server::{Kind, Server};
use crate::wire::{self, Publish};

cases! {
    filters_match_as_they_should: V311 "3.3.2-3 4.5.0-1", V5 "3.3.2-3 4.5.0-1";
    stored_messages_match_in_the_same_way: V311 "3.3.1-6", V5 "3.3.1-9";
    wildcards_leave_dollar_topics_alone: V311 "4.7.2-1", V5 "4.7.2-1";
    hash_stands_alone_at_the_end: V311 "4.7.1-2 4.8.0-1", V5 "4.7.1-1 4.13.1-1";
    plus_fills_its_level: V311 "4.7.1-3 4.8.0-1", V5 "4.7.1-2 4.13.1-1";
    a_filter_is_not_empty: V311 "4.7.3-1 4.8.0-1", V5 "4.7.3-1 4.13.1-1";
}

/// All below the topic of the case. An empty name is the empty level behind its slash.
const TOPICS: &[&str] = &[
    "a",
    "a/b",
    "a/b/c",
    "a/",
    "a//b",
    "",
    "/",
    "/a",
    "b",
    "b/a",
    "a b",
    "$x",
    "a/$x",
    "\u{E9}/\u{1F3E0}",
];

/// Filters, and which of the topics each matches.
const MATCHES: &[(&str, &[&str])] = &[
    ("#", TOPICS),
    ("+", &["a", "", "b", "a b", "$x"]),
    ("+/+", &["a/b", "a/", "/", "/a", "b/a", "a/$x", "\u{E9}/\u{1F3E0}"]),
    ("a/#", &["a", "a/b", "a/b/c", "a/", "a//b", "a/$x"]),
    ("a/b/#", &["a/b", "a/b/c"]),
    ("a/+", &["a/b", "a/", "a/$x"]),
    ("a/+/#", &["a/b", "a/b/c", "a/", "a//b", "a/$x"]),
    ("a/+/b", &["a//b"]),
    ("+/b", &["a/b"]),
    ("/+", &["/", "/a"]),
    ("/#", &["", "/", "/a"]),
    ("+/a", &["/a", "b/a"]),
    ("+/+/c", &["a/b/c"]),
    ("+/+/+", &["a/b/c", "a//b"]),
    ("a/b/c", &["a/b/c"]),
    ("a/b/c/#", &["a/b/c"]),
    ("a/", &["a/"]),
    ("", &[""]),
    ("$x", &["$x"]),
    ("\u{E9}/+", &["\u{E9}/\u{1F3E0}"]),
];

fn filters_match_as_they_should(server: &Server) {
    let mut watchers: Vec<_> = MATCHES
        .iter()
        .map(|(filter, matches)| {
            (server.watcher(filter, &server.topic(filter), 0), filter, matches)
        })
        .collect();
    let mut client = server.client("publisher");
    // Twice, so that the second round shows what was too much in the first.
    for round in ["first", "second"] {
        for topic in TOPICS {
            client.start(&Publish::new(server.topic(topic), round));
        }
    }
    for (watcher, filter, matches) in &mut watchers {
        for round in ["first", "second"] {
            for topic in **matches {
                let got = watcher.take();
                assert_eq!((&got.topic, got.text()), (&server.topic(topic), round), "by {filter}");
            }
        }
    }
}

fn stored_messages_match_in_the_same_way(server: &Server) {
    let mut client = server.client("publisher");
    for topic in TOPICS {
        client.publish(&Publish::new(server.topic(topic), "stored").qos(1).retain());
    }
    for (filter, matches) in MATCHES {
        let mut watcher = server.watcher(filter, &server.topic(filter), 0);
        let mut topics: Vec<_> = matches.iter().map(|_| watcher.take().topic).collect();
        watcher.ping();
        topics.sort_unstable();
        let mut matches: Vec<_> = matches.iter().map(|topic| server.topic(topic)).collect();
        matches.sort_unstable();
        assert_eq!(topics, matches, "by {filter}");
    }
}

fn wildcards_leave_dollar_topics_alone(server: &Server) {
    // On a broker of its own, because # gets everything that is there.
    let own = server.own(|_| {}, "sys_interval 0");
    let server = &own.server;
    let mut watchers = ["#", "+/x", "+/#"].map(|filter| server.watcher(filter, filter, 0));
    let mut named = server.watcher("named", "$here/#", 0);
    let mut client = server.client("publisher");
    client.start(&Publish::new("$here/x", "hidden").retain());
    client.start(&Publish::new("here/x", "seen"));
    for watcher in &mut watchers {
        assert_eq!(watcher.take().text(), "seen");
    }
    assert_eq!(named.take().text(), "hidden");
    let mut later = server.watcher("later", "+/x", 0);
    later.ping();
}

fn hash_stands_alone_at_the_end(server: &Server) {
    for filter in ["a/#/b", "a#", "#a", "a/#b", "##", "a/b#", "#/"] {
        is_refused(server, filter);
    }
}

fn plus_fills_its_level(server: &Server) {
    for filter in ["a+", "+a", "a/+b", "a/b+/c", "++", "+#"] {
        is_refused(server, filter);
    }
}

fn a_filter_is_not_empty(server: &Server) {
    is_refused(server, "");
}

/// The filter is malformed, which ends the connection, also where it is only to be taken out.
fn is_refused(server: &Server, filter: &str) {
    let mut client = server.client("subscriber");
    client.send(&wire::packet(0x82, &wire::subscribe(server.version, 1, &[], &[(filter, 0)])));
    client.ends(0x81);
    if server.kind == Kind::Hearth {
        let mut client = server.client("unsubscriber");
        client.send(&wire::packet(0xA2, &wire::unsubscribe(server.version, 1, &[filter])));
        client.ends(0x81);
    }
}
