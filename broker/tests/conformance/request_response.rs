//! Requests and responses, chapter 4.10: a whole round, with nothing but what travels in the messages.

use crate::case::cases;
use crate::server::Server;
use crate::wire::{self, Publish, id};

cases! {
    a_request_finds_its_response: V5 "3.3.2-15 3.3.2-16";
    many_requests_at_a_time: V5 "3.3.2-16";
    a_response_topic_has_no_wildcards: V5 "3.3.2-14";
}

fn request(server: &Server, who: &str, number: u8) -> Publish {
    Publish::new(server.topic("ask"), [number])
        .qos(1)
        .with(wire::string(id::RESPONSE_TOPIC, server.topic(&format!("answer/{who}"))))
        .with(wire::string(id::CORRELATION, [0, number, 255]))
}

/// Answers the next request with its payload plus one.
fn respond(responder: &mut crate::client::Client) {
    let asked = responder.take();
    let to = asked.properties.bytes(id::RESPONSE_TOPIC).expect("where to answer");
    let correlation = asked.properties.bytes(id::CORRELATION).expect("what it belongs to");
    let answer = Publish::new(to, [asked.payload[0] + 1]);
    responder.start(&answer.with(wire::string(id::CORRELATION, correlation)));
}

fn a_request_finds_its_response(server: &Server) {
    let mut responder = server.watcher("responder", &server.topic("ask"), 1);
    let mut asker = server.watcher("asker", &server.topic("answer/asker"), 1);
    asker.publish(&request(server, "asker", 7));
    respond(&mut responder);
    let got = asker.take();
    assert_eq!(
        (&got.payload[..], got.properties.bytes(id::CORRELATION)),
        (&[8][..], Some(&[0, 7, 255][..]))
    );
}

fn many_requests_at_a_time(server: &Server) {
    let mut responder = server.watcher("responder", &server.topic("+"), 1);
    let mut askers =
        ["a", "b"].map(|who| server.watcher(who, &server.topic(&format!("answer/{who}")), 1));
    for number in 0..10 {
        for (asker, who) in askers.iter_mut().zip(["a", "b"]) {
            asker.publish(&request(server, who, number));
        }
    }
    (0..20).for_each(|_| respond(&mut responder));
    for asker in &mut askers {
        for number in 0..10 {
            let got = asker.take();
            assert_eq!(got.payload, [number + 1]);
            assert_eq!(got.properties.bytes(id::CORRELATION), Some(&[0, number, 255][..]));
        }
    }
}

fn a_response_topic_has_no_wildcards(server: &Server) {
    for topic in ["#", "a/+", "a/#"] {
        let mut client = server.client("asker");
        let publish = Publish::new(server.topic("ask"), "x");
        client.start(&publish.with(wire::string(id::RESPONSE_TOPIC, topic)));
        client.ends(0x82);
    }
}
