//! A client on a raw socket. It does nothing by itself: no answers, no pings.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::case::Version;
use crate::packet::{self, Packet};
use crate::server::{Kind, Server};
use crate::wire::{self, Publish, kind};

/// Nothing here takes as long; whoever waits longer waits for something that does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long one waits for something before one does the next thing.
const PAUSE: Duration = Duration::from_millis(50);

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) version: Version,
    server: Kind,
    input: Vec<u8>,
    last_pid: u16,
    /// QoS 2 messages that `take` answered, of which PUBREL has not come.
    taking: Vec<u16>,
    /// CONNACK 0 was seen.
    accepted: bool,
    /// DISCONNECT was seen; nothing may follow.
    dismissed: bool,
}

impl Client {
    /// A connection on which nothing was said yet.
    pub(crate) fn raw(server: &Server) -> Self {
        let stream = TcpStream::connect(server.addr).expect("the broker listens");
        stream.set_nodelay(true).expect("an open socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("an open socket");
        let (version, server) = (server.version, server.kind);
        Self {
            stream,
            version,
            server,
            input: Vec::new(),
            last_pid: 0,
            taking: Vec::new(),
            accepted: false,
            dismissed: false,
        }
    }

    /// Writes bytes. A connection that the broker has already ended is noticed by what is read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            assert_ne!(error.kind(), ErrorKind::WouldBlock, "the broker reads nothing more");
        }
    }

    /// Does something again and again, with pauses, until something comes.
    pub(crate) fn until_it_hears(&self, mut act: impl FnMut()) {
        assert!(self.input.is_empty(), "something is here already");
        let began = Instant::now();
        self.stream.set_read_timeout(Some(PAUSE)).expect("an open socket");
        while self.stream.peek(&mut [0]).is_err() {
            assert!(began.elapsed() < PATIENCE, "nothing comes");
            act();
        }
        self.stream.set_read_timeout(Some(PATIENCE)).expect("an open socket");
    }

    /// The next packet, or `None` at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<Packet> {
        loop {
            if let Some((head, total)) = packet::frame(&self.input) {
                let bytes: Vec<u8> = self.input.drain(..total).collect();
                let packet = packet::read(&bytes, head, self.version);
                self.keep_order(&packet);
                if packet.kind == kind::PUBREL && self.takes(packet.pid) {
                    continue;
                }
                return Some(packet);
            }
            let mut some = [0; 16 * 1024];
            match self.stream.read(&mut some) {
                Ok(0) => return None,
                Ok(count) => self.input.extend(&some[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing came: {error}"),
            }
        }
    }

    /// CONNACK comes first and once, nothing follows a DISCONNECT.
    fn keep_order(&mut self, packet: &Packet) {
        assert!(!self.dismissed, "{packet:?} after DISCONNECT");
        assert_eq!(packet.kind != kind::CONNACK, self.accepted, "{packet:?} in its turn");
        self.accepted |= packet.kind == kind::CONNACK && packet.code == 0;
        self.dismissed = packet.kind == kind::DISCONNECT;
    }

    /// Finishes the handshake of a message that `take` answered, if it was one.
    fn takes(&mut self, pid: u16) -> bool {
        let Some(at) = self.taking.iter().position(|&taking| taking == pid) else { return false };
        self.taking.remove(at);
        self.answer(kind::PUBCOMP, pid);
        true
    }

    /// The next packet, of which the kind is known.
    pub(crate) fn expect(&mut self, kind: u8) -> Packet {
        let packet = self.next().unwrap_or_else(|| panic!("the end instead of a packet {kind}"));
        assert_eq!(packet.kind, kind, "kind of {packet:?}");
        packet
    }

    /// The next packet, which is an acknowledgement without fault.
    pub(crate) fn expect_ack(&mut self, kind: u8, pid: u16) -> Packet {
        let packet = self.expect(kind);
        assert_eq!((packet.pid, packet.code < 0x80), (pid, true), "{packet:?}");
        packet
    }

    /// A round trip.
    pub(crate) fn ping(&mut self) {
        self.send(&[0xC0, 0]);
        self.expect(kind::PINGRESP);
    }

    /// A packet id that was not used yet.
    pub(crate) fn pid(&mut self) -> u16 {
        self.last_pid += 1;
        self.last_pid
    }

    /// Subscribes to filters with their options, and returns the codes.
    pub(crate) fn subscribe(&mut self, filters: &[(&str, u8)]) -> Vec<u8> {
        self.subscribe_with(&[], filters)
    }

    pub(crate) fn subscribe_with(&mut self, list: &[Vec<u8>], filters: &[(&str, u8)]) -> Vec<u8> {
        let pid = self.pid();
        let body = wire::subscribe(self.version, pid, list, filters);
        self.send(&wire::packet(0x82, &body));
        let suback = self.expect(kind::SUBACK);
        assert_eq!((suback.pid, suback.codes.len()), (pid, filters.len()), "{suback:?}");
        suback.codes
    }

    /// Subscribes to one filter, which must be granted as asked for.
    pub(crate) fn watch(&mut self, filter: &str, options: u8) {
        assert_eq!(self.subscribe(&[(filter, options)]), [options & 3], "granted {filter}");
    }

    pub(crate) fn unsubscribe(&mut self, filters: &[&str]) -> Packet {
        let pid = self.pid();
        let body = wire::unsubscribe(self.version, pid, filters);
        self.send(&wire::packet(0xA2, &body));
        let unsuback = self.expect(kind::UNSUBACK);
        assert_eq!(unsuback.pid, pid, "{unsuback:?}");
        unsuback
    }

    /// Sends a PUBLISH and nothing else; returns its packet id.
    pub(crate) fn start(&mut self, publish: &Publish) -> u16 {
        let pid = match (publish.qos, publish.pid) {
            (0, _) => 0,
            (_, Some(pid)) => pid,
            (_, None) => self.pid(),
        };
        self.send(&publish.clone().pid(pid).bytes(self.version));
        pid
    }

    /// Sends a PUBLISH and goes through its handshake, if it has one.
    pub(crate) fn publish(&mut self, publish: &Publish) {
        let pid = self.start(publish);
        match publish.qos {
            0 => {}
            1 => {
                self.expect_ack(kind::PUBACK, pid);
            }
            _ => {
                self.expect_ack(kind::PUBREC, pid);
                self.answer(kind::PUBREL, pid);
                self.expect_ack(kind::PUBCOMP, pid);
            }
        }
    }

    /// An acknowledgement without reason.
    pub(crate) fn answer(&mut self, kind: u8, pid: u16) {
        let flags = if kind == kind::PUBREL { 2 } else { 0 };
        self.send(&wire::packet((kind << 4) | flags, &pid.to_be_bytes()));
    }

    /// An acknowledgement with a reason, as in MQTT 5.
    pub(crate) fn answer_with(&mut self, kind: u8, pid: u16, reason: u8) {
        let [high, low] = pid.to_be_bytes();
        self.send(&wire::packet(kind << 4, &[high, low, reason]));
    }

    /// The next packet, which is a PUBLISH; nothing is answered.
    pub(crate) fn got(&mut self) -> Packet {
        self.expect(kind::PUBLISH)
    }

    /// The next packet, which is a PUBLISH. It is answered; what follows for QoS 2 is done between other packets.
    pub(crate) fn take(&mut self) -> Packet {
        let got = self.got();
        match got.qos() {
            0 => {}
            1 => self.answer(kind::PUBACK, got.pid),
            _ => {
                self.taking.push(got.pid);
                self.answer(kind::PUBREC, got.pid);
            }
        }
        got
    }

    /// The payloads of the next messages.
    pub(crate) fn take_texts(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.take().text().to_owned()).collect()
    }

    /// The connection is over, or soon will be; the reason of DISCONNECT, if there was one.
    pub(crate) fn end(&mut self) -> Option<u8> {
        let mut reason = None;
        while let Some(packet) = self.next() {
            assert_ne!(packet.kind, kind::PINGRESP, "the connection is still served");
            if packet.kind == kind::DISCONNECT {
                reason = Some(packet.code);
            }
        }
        reason
    }

    /// What was just sent ends the connection, before a PINGREQ behind it is answered. Reasons are a SHOULD, so
    /// only ours must give this one.
    pub(crate) fn ends(&mut self, reason: u8) {
        self.send(&[0xC0, 0]);
        self.ends_at_once(reason);
    }

    /// The same where a PINGREQ would be part of what was sent.
    pub(crate) fn ends_at_once(&mut self, reason: u8) {
        let told = self.end();
        let must_tell = self.server == Kind::Hearth && self.version == Version::V5;
        assert!(!must_tell || told == Some(reason), "reason {told:x?} instead of {reason:#x}");
        assert!(told.is_none_or(|code| code >= 0x80), "the end with reason {told:x?}");
    }

    /// What was just sent refuses the connection: CONNACK with a code, or only the end.
    pub(crate) fn refusal(&mut self) -> Option<u8> {
        let connack = self.next()?;
        assert_ne!(connack.code, 0, "was accepted");
        assert!(!connack.session_present, "a refusal with a session: {connack:?}");
        assert!(self.next().is_none(), "something after a refusal");
        Some(connack.code)
    }

    /// DISCONNECT and the end.
    pub(crate) fn disconnect(mut self) {
        self.send(&[0xE0, 0]);
        self.end();
    }

    /// The end without a word, as when a process is killed.
    pub(crate) fn vanish(self) {
        drop(self);
    }
}
