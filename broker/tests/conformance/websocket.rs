//! MQTT over WebSocket, chapter 6. The server of these cases is a WebSocket port.

use std::net::TcpStream;

use crate::case::cases;
use crate::client::PATIENCE;
use crate::packet::{self, Packet};
use crate::server::Server;
use crate::web::{Web, protocols};
use crate::wire::{self, Publish, Will, kind};

cases! {
    all_is_said_in_binary_frames: V311 "6.0.0-1", V5 "6.0.0-1";
    a_text_frame_ends_the_connection: V311 "6.0.0-1", V5 "6.0.0-1";
    a_frame_for_every_byte: V311 "6.0.0-2", V5 "6.0.0-2";
    packets_end_anywhere_in_frames: V311 "6.0.0-2", V5 "6.0.0-2";
    a_message_may_have_many_frames: V311 "6.0.0-2", V5 "6.0.0-2";
    large_packets_both_ways: V311 "6.0.0-2", V5 "6.0.0-2";
    the_subprotocol_is_mqtt: V311 "6.0.0-3 6.0.0-4", V5 "6.0.0-3 6.0.0-4";
    whoever_does_not_ask_for_mqtt_is_not_served: V311 "", V5 "";
    what_is_no_frame_of_a_client_ends_the_connection: V311 "", V5 "";
    a_close_is_answered_and_is_no_disconnect: V311 "", V5 "";
}

/// First bytes of frames.
mod frame {
    pub(super) use crate::web::{BINARY, CLOSE};
    pub(super) const TEXT: u8 = 0x81;
    pub(super) const PING: u8 = 0x89;
    pub(super) const PONG: u8 = 0x8A;
    /// A binary message that goes on in the next frame, the middle of one, and its end.
    pub(super) const BEGIN: u8 = 0x02;
    pub(super) const MORE: u8 = 0x00;
    pub(super) const END: u8 = 0x80;
}

/// A client, and what has come in the frames so far.
struct Client {
    web: Web<TcpStream>,
    input: Vec<u8>,
    server: Server,
}

impl Client {
    /// A WebSocket on which nothing was said yet.
    fn raw(server: &Server) -> Self {
        Self { web: Web::open(stream(server)), input: Vec::new(), server: server.clone() }
    }

    fn connect(server: &Server, who: &str) -> Self {
        Self::open(server, &server.connect(who))
    }

    fn open(server: &Server, connect: &wire::Connect) -> Self {
        let mut client = Self::raw(server);
        client.send(&connect.bytes());
        client.accepted();
        client
    }

    fn watcher(server: &Server, filter: &str, qos: u8) -> Self {
        let mut client = Self::connect(server, "watcher");
        client.send(&client.subscribe(filter, qos));
        assert_eq!(client.expect(kind::SUBACK).codes, [qos]);
        client
    }

    fn subscribe(&self, filter: &str, qos: u8) -> Vec<u8> {
        wire::packet(0x82, &wire::subscribe(self.server.version, 1, &[], &[(filter, qos)]))
    }

    fn accepted(&mut self) {
        assert_eq!(self.expect(kind::CONNACK).code, 0, "accepted");
    }

    /// Sends bytes in a frame.
    fn send(&mut self, bytes: &[u8]) {
        self.web.send(frame::BINARY, bytes);
    }

    /// The next packet, which came in binary messages; `None` at the end.
    fn next(&mut self) -> Option<Packet> {
        loop {
            if let Some((head, total)) = packet::frame(&self.input) {
                let bytes: Vec<u8> = self.input.drain(..total).collect();
                return Some(packet::read(&bytes, head, self.server.version));
            }
            match self.web.next()? {
                (frame::BINARY | frame::BEGIN | frame::MORE | frame::END, bytes) => {
                    self.input.extend(bytes);
                }
                (frame::CLOSE, _) => return None,
                (other, bytes) => panic!("a frame of kind {other:#x}: {bytes:?}"),
            }
        }
    }

    fn expect(&mut self, kind: u8) -> Packet {
        let packet = self.next().unwrap_or_else(|| panic!("the end instead of a packet {kind}"));
        assert_eq!(packet.kind, kind, "kind of {packet:?}");
        packet
    }

    /// What was just sent ends the connection, before a PINGREQ behind it is answered.
    fn ends(&mut self) {
        self.send(&PINGREQ);
        while let Some(packet) = self.next() {
            assert_eq!(packet.kind, kind::DISCONNECT, "still served");
        }
    }
}

const PINGREQ: [u8; 2] = [0xC0, 0];

fn stream(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.addr).expect("the broker listens");
    stream.set_nodelay(true).expect("an open socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
    stream
}

fn all_is_said_in_binary_frames(server: &Server) {
    let topic = server.topic("said");
    let mut client = Client::watcher(server, &topic, 2);
    for qos in 0..3 {
        client.send(&Publish::new(&topic, "x").qos(qos).pid(7).bytes(server.version));
        let (mut got, mut done) = (false, qos == 0);
        while !got || !done {
            // Every one of them was in a binary frame, or `next` had failed.
            let packet = client.next().expect("a packet");
            match packet.kind {
                kind::PUBLISH => {
                    assert_eq!((packet.text(), packet.qos()), ("x", qos));
                    got = true;
                }
                kind::PUBREC => client.send(&[0x62, 2, 0, 7]),
                _ => done = true,
            }
        }
    }
    client.web.send(frame::PING, b"still there?");
    assert_eq!(client.web.next(), Some((frame::PONG, b"still there?".to_vec())));
    client.send(&[0xE0, 0]);
    assert!(client.next().is_none());
}

fn a_text_frame_ends_the_connection(server: &Server) {
    let will = server.topic("will");
    let mut watcher = Client::watcher(server, &will, 0);
    let connect = server.connect("texter").will(Will::new(&will, "gone"));
    // In place of the CONNECT, as a PINGREQ, empty, and in the middle of a packet.
    let mut client = Client::raw(server);
    client.web.send(frame::TEXT, &connect.bytes());
    client.ends();
    for (before, text) in [(&[][..], &PINGREQ[..]), (&[], &[]), (&[0xC0], &[0])] {
        let mut client = Client::open(server, &connect);
        client.send(before);
        client.web.send(frame::TEXT, text);
        client.ends();
        assert_eq!(watcher.expect(kind::PUBLISH).text(), "gone", "as if it had been lost");
    }
}

fn a_frame_for_every_byte(server: &Server) {
    let topic = server.topic("bytes");
    let mut client = Client::raw(server);
    let publish = Publish::new(&topic, "byte by byte").qos(1).pid(9).bytes(server.version);
    let said = [server.connect("slow").bytes(), client.subscribe(&topic, 0), publish].concat();
    for (at, byte) in said.iter().enumerate() {
        client.send(&[*byte]);
        if at % 7 == 0 {
            client.send(&[]);
        }
    }
    client.accepted();
    client.expect(kind::SUBACK);
    let mut came = [client.next(), client.next()].map(|packet| packet.expect("two more"));
    came.sort_by_key(|packet| packet.kind);
    assert_eq!((came[0].text(), came[1].pid), ("byte by byte", 9));
}

fn packets_end_anywhere_in_frames(server: &Server) {
    let topic = server.topic("cut");
    let connect = server.connect("cutter").bytes();
    let mut watcher = Client::watcher(server, &topic, 0);
    let publish = |text: &str| Publish::new(&topic, text).bytes(server.version);
    let said = [&connect[..], &publish("1"), &publish("2"), &PINGREQ, &PINGREQ].concat();
    for cut in 0..said.len() {
        let mut client = Client::raw(server);
        client.send(&said[..cut]);
        client.send(&said[cut..]);
        client.accepted();
        (0..2).for_each(|_| _ = client.expect(kind::PINGRESP));
        client.send(&[0xE0, 0]);
        assert!(client.next().is_none());
        let came = [watcher.expect(kind::PUBLISH), watcher.expect(kind::PUBLISH)];
        assert_eq!(came.each_ref().map(Packet::text), ["1", "2"], "cut at {cut}");
    }
}

fn a_message_may_have_many_frames(server: &Server) {
    let mut client = Client::raw(server);
    let said = [&server.connect("parts").bytes()[..], &PINGREQ].concat();
    client.web.send(frame::BEGIN, &said[..5]);
    client.web.send(frame::MORE, &said[5..9]);
    // Between the parts of a message there may be a question about the connection.
    client.web.send(frame::PING, b"?");
    client.web.send(frame::MORE, &[]);
    client.web.send(frame::END, &said[9..]);
    assert_eq!(client.web.next(), Some((frame::PONG, b"?".to_vec())));
    client.accepted();
    client.expect(kind::PINGRESP);
}

fn large_packets_both_ways(server: &Server) {
    let topic = server.topic("large");
    let mut watcher = Client::watcher(server, &topic, 0);
    let mut client = Client::connect(server, "large");
    // Lengths of one, two and eight bytes in the frames, and more than the broker sends in one.
    for length in [100, 30_000, 200_000] {
        let text = "0123456789".repeat(length / 10);
        let bytes = Publish::new(&topic, &text).bytes(server.version);
        client.send(&bytes);
        for part in bytes.chunks(bytes.len() / 3) {
            client.send(part);
        }
        (0..2).for_each(|_| assert_eq!(watcher.expect(kind::PUBLISH).text(), text));
    }
}

fn the_subprotocol_is_mqtt(server: &Server) {
    for asks in ["mqtt", "chat, mqtt", "mqtt,mqttv3.1", "mqttv3.1\r\nSec-WebSocket-Protocol: mqtt"]
    {
        let asked = format!("Sec-WebSocket-Protocol: {asks}\r\n");
        let (mut web, head) = Web::ask(stream(server), &asked);
        assert!(head.starts_with("HTTP/1.1 101"), "{asks}: {head}");
        assert_eq!(protocols(&head), ["mqtt"], "{asks}");
        web.send(frame::BINARY, &server.connect("asker").bytes());
        assert!(web.next().is_some_and(|(_, bytes)| bytes[0] == 0x20), "CONNACK");
    }
}

fn whoever_does_not_ask_for_mqtt_is_not_served(server: &Server) {
    for asked in ["", "Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Protocol: mqtt5\r\n"] {
        let (mut web, head) = Web::ask(stream(server), asked);
        assert!(head.starts_with("HTTP/1.1 400"), "{asked}: {head}");
        web.send(frame::BINARY, &server.connect("asker").bytes());
        while let Some((first, bytes)) = web.next() {
            assert_ne!((first, bytes.first()), (frame::BINARY, Some(&0x20)), "CONNACK");
        }
    }
}

fn what_is_no_frame_of_a_client_ends_the_connection(server: &Server) {
    // Without a mask; of a kind that does not exist; more of a message that has not begun; a longer frame than any
    // packet may be.
    let too_long = [&[0x82, 0xFF][..], &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat();
    for bytes in
        [&[0x82, 2, 0xC0, 0][..], &[0x83, 0x80, 0, 0, 0, 0], &[0, 0x80, 0, 0, 0, 0], &too_long]
    {
        let mut client = Client::connect(server, "framer");
        client.web.send_bytes(bytes);
        client.ends();
    }
}

fn a_close_is_answered_and_is_no_disconnect(server: &Server) {
    let will = server.topic("will");
    let mut watcher = Client::watcher(server, &will, 0);
    let mut client =
        Client::open(server, &server.connect("closer").will(Will::new(&will, "closed")));
    client.web.send(frame::CLOSE, &1000_u16.to_be_bytes());
    assert_eq!(client.web.next().map(|(first, _)| first), Some(frame::CLOSE));
    assert_eq!(client.web.next(), None);
    assert_eq!(watcher.expect(kind::PUBLISH).text(), "closed");
}
