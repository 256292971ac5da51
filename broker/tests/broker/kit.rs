//! A broker in this process, a client that speaks bytes, and mosquitto's programs.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) use crate::running::{Running, settings, start_with};

/// Nothing here takes as long; whoever waits longer waits for something that does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long one waits for something before one does the next thing.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) fn start() -> Running {
    start_with(settings())
}

impl Running {
    pub(crate) fn v4(&self, id: &str) -> Options {
        Options::new(self.addr, id, false)
    }

    pub(crate) fn v5(&self, id: &str) -> Options {
        Options::new(self.addr, id, true)
    }

    /// One of mosquitto's programs, told where the broker is.
    pub(crate) fn mosquitto(&self, program: &str, args: &[&str]) -> Program {
        let port = self.addr.port().to_string();
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &port]).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Program { child, lines }
    }
}

pub(crate) struct Program {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Program {
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    pub(crate) fn finish(&mut self) -> bool {
        self.child.wait().unwrap().success()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[derive(Clone)]
pub(crate) struct Options {
    addr: SocketAddr,
    id: String,
    pub(crate) v5: bool,
    pub(crate) clean: bool,
    pub(crate) keep_alive: u16,
    pub(crate) will: Option<(String, String, u8, bool)>,
    pub(crate) will_delay: Option<u32>,
    pub(crate) expiry: Option<u32>,
    pub(crate) receive_maximum: Option<u16>,
    pub(crate) login: Option<(String, String)>,
}

impl Options {
    pub(crate) fn new(addr: SocketAddr, id: &str, v5: bool) -> Self {
        let id = id.to_owned();
        Self {
            addr,
            id,
            v5,
            clean: true,
            keep_alive: 0,
            will: None,
            will_delay: None,
            expiry: None,
            receive_maximum: None,
            login: None,
        }
    }

    pub(crate) fn keep(mut self) -> Self {
        self.clean = false;
        self.expiry = self.v5.then_some(3600);
        self
    }

    pub(crate) fn alive(mut self, seconds: u16) -> Self {
        self.keep_alive = seconds;
        self
    }

    pub(crate) fn will(mut self, topic: &str, payload: &str) -> Self {
        self.will = Some((topic.to_owned(), payload.to_owned(), 1, false));
        self
    }

    pub(crate) fn user(mut self, name: &str, password: &str) -> Self {
        self.login = Some((name.to_owned(), password.to_owned()));
        self
    }

    pub(crate) fn packet(&self) -> Vec<u8> {
        let mut flags = u8::from(self.clean) << 1;
        if self.login.is_some() {
            flags |= 0xC0;
        }
        if let Some((_, _, qos, retain)) = &self.will {
            flags |= 4 | (qos << 3) | (u8::from(*retain) << 5);
        }
        let mut body = b"\0\x04MQTT".to_vec();
        body.extend([if self.v5 { 5 } else { 4 }, flags]);
        body.extend(self.keep_alive.to_be_bytes());
        if self.v5 {
            let mut properties = Vec::new();
            if let Some(seconds) = self.expiry {
                properties.push(0x11);
                properties.extend(seconds.to_be_bytes());
            }
            if let Some(count) = self.receive_maximum {
                properties.push(0x21);
                properties.extend(count.to_be_bytes());
            }
            body.push(properties.len() as u8);
            body.extend(properties);
        }
        text(&mut body, &self.id);
        if let Some((topic, payload, ..)) = &self.will {
            if self.v5 {
                let delay = self
                    .will_delay
                    .map(|s| [&[0x18][..], &s.to_be_bytes()].concat())
                    .unwrap_or_default();
                body.push(delay.len() as u8);
                body.extend(delay);
            }
            text(&mut body, topic);
            text(&mut body, payload);
        }
        if let Some((name, password)) = &self.login {
            text(&mut body, name);
            text(&mut body, password);
        }
        packet(0x10, &body)
    }

    /// Connects, if the broker lets it.
    pub(crate) fn try_connect(&self) -> Option<Client> {
        let mut client = Client::raw(self.addr, self.v5);
        client.send(&self.packet());
        let (_, body) = client.try_packet()?;
        (body[1] == 0).then_some(client)
    }

    /// Connects, is refused, and returns the code of the CONNACK.
    pub(crate) fn refused(&self) -> u8 {
        let mut client = Client::raw(self.addr, self.v5);
        client.send(&self.packet());
        let code = client.expect(0x20)[1];
        assert_eq!(client.end(), None, "nothing after the refusal");
        code
    }

    /// Connects and returns the client and whether the session was present.
    pub(crate) fn open(&self) -> (Client, bool) {
        let mut client = Client::raw(self.addr, self.v5);
        client.send(&self.packet());
        let (first, body) = client.packet();
        assert_eq!(first, 0x20, "CONNACK");
        assert_eq!(body[1], 0, "accepted");
        (client, body[0] == 1)
    }

    pub(crate) fn connect(&self) -> Client {
        self.open().0
    }
}

pub(crate) fn text(into: &mut Vec<u8>, text: &str) {
    into.extend((text.len() as u16).to_be_bytes());
    into.extend(text.as_bytes());
}

pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    while length > 127 {
        bytes.push((length & 127) as u8 | 128);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(body);
    bytes
}

pub(crate) struct Client {
    stream: TcpStream,
    v5: bool,
    next_pid: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) topic: String,
    pub(crate) payload: String,
    pub(crate) qos: u8,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    pub(crate) pid: u16,
    pub(crate) properties: Vec<u8>,
}

impl Got {
    pub(crate) fn user(&self, name: &str) -> Option<String> {
        let mut rest = &self.properties[..];
        let string = |at: &[u8]| {
            String::from_utf8(at[2..2 + usize::from(at[0]) * 256 + usize::from(at[1])].to_vec())
                .unwrap()
        };
        while let Some(&id) = rest.first() {
            if id != 0x26 {
                let skip = if id == 0x0B {
                    2
                } else if id == 2 {
                    5
                } else if id == 1 {
                    2
                } else {
                    3 + string(&rest[1..]).len()
                };
                rest = &rest[skip..];
                continue;
            }
            let key = string(&rest[1..]);
            let value = string(&rest[3 + key.len()..]);
            if key == name {
                return Some(value);
            }
            rest = &rest[5 + key.len() + value.len()..];
        }
        None
    }
}

impl Client {
    pub(crate) fn raw(addr: SocketAddr, v5: bool) -> Self {
        Self::on(TcpStream::connect(addr).unwrap(), v5)
    }

    pub(crate) fn on(stream: TcpStream, v5: bool) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, v5, next_pid: 0 }
    }

    /// Whether something has come that was not read yet.
    pub(crate) fn has_more(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let seen = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).unwrap();
        seen
    }

    /// Does something again and again, with pauses, until something has come that was not read yet.
    pub(crate) fn until_it_hears<T>(&self, mut act: impl FnMut() -> T) {
        let began = Instant::now();
        self.stream.set_read_timeout(Some(PAUSE)).unwrap();
        while self.stream.peek(&mut [0]).is_err() {
            assert!(began.elapsed() < PATIENCE, "nothing comes");
            act();
        }
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next packet; panics if none comes.
    pub(crate) fn packet(&mut self) -> (u8, Vec<u8>) {
        self.try_packet().expect("a packet, not the end of the connection")
    }

    /// The next packet, or `None` at the end of the connection.
    pub(crate) fn try_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut byte = [0];
        let mut one = |stream: &mut TcpStream| match stream.read(&mut byte) {
            Ok(1) => Some(byte[0]),
            Ok(_) => None,
            Err(e) if matches!(e.kind(), std::io::ErrorKind::ConnectionReset) => None,
            Err(e) => panic!("nothing came: {e}"),
        };
        let first = one(&mut self.stream)?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = one(&mut self.stream)?;
            length |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte & 128 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        Some((first, body))
    }

    pub(crate) fn expect(&mut self, first: u8) -> Vec<u8> {
        let (got, body) = self.packet();
        assert_eq!(got, first, "kind of packet: {got:#x} {body:?}");
        body
    }

    /// Waits for the end; the reason code of DISCONNECT, if one came.
    pub(crate) fn end(&mut self) -> Option<u8> {
        let mut reason = None;
        while let Some((first, body)) = self.try_packet() {
            if first == 0xE0 {
                reason = body.first().copied();
            }
        }
        reason
    }

    /// A round trip: everything before it has been dealt with.
    pub(crate) fn ping(&mut self) {
        self.send(&[0xC0, 0]);
        self.expect(0xD0);
    }

    pub(crate) fn pid(&mut self) -> u16 {
        self.next_pid = self.next_pid.checked_add(1).unwrap_or(1);
        self.next_pid
    }

    pub(crate) fn subscribe(&mut self, filter: &str, options: u8) -> u8 {
        let code = self.subscribe_only(filter, options);
        assert!(code < 3, "subscribed to {filter}: {code:#x}");
        code
    }

    pub(crate) fn subscribe_only(&mut self, filter: &str, options: u8) -> u8 {
        let mut body = self.pid().to_be_bytes().to_vec();
        if self.v5 {
            body.push(0);
        }
        text(&mut body, filter);
        body.push(options);
        self.send(&packet(0x82, &body));
        *self.expect(0x90).last().unwrap()
    }

    /// Several filters at QoS 1 in one packet.
    pub(crate) fn subscribe_all(&mut self, filters: &[&str]) {
        let mut body = self.pid().to_be_bytes().to_vec();
        if self.v5 {
            body.push(0);
        }
        for filter in filters {
            text(&mut body, filter);
            body.push(1);
        }
        self.send(&packet(0x82, &body));
        assert!(self.expect(0x90).ends_with(&vec![1; filters.len()]));
    }

    pub(crate) fn publish_bytes(
        &mut self,
        topic: &str,
        payload: &str,
        flags: u8,
        properties: &[u8],
    ) -> (u16, Vec<u8>) {
        let mut body = Vec::new();
        text(&mut body, topic);
        let mut pid = 0;
        if flags & 6 != 0 {
            pid = self.pid();
            body.extend(pid.to_be_bytes());
        }
        if self.v5 {
            body.push(properties.len() as u8);
            body.extend(properties);
        }
        body.extend(payload.as_bytes());
        (pid, packet(0x30 | flags, &body))
    }

    /// Publishes without waiting for anything; flags are those of the fixed header.
    pub(crate) fn publish(&mut self, topic: &str, payload: &str, flags: u8) -> u16 {
        let (pid, bytes) = self.publish_bytes(topic, payload, flags, &[]);
        self.send(&bytes);
        pid
    }

    /// Publishes at QoS 1 and waits for the PUBACK.
    pub(crate) fn publish_acked(&mut self, topic: &str, payload: &str) {
        let pid = self.publish(topic, payload, 2);
        assert_eq!(self.expect(0x40)[..2], pid.to_be_bytes());
    }

    pub(crate) fn got(&mut self) -> Got {
        let (first, body) = self.packet();
        assert_eq!(first >> 4, 3, "a PUBLISH, not {first:#x} {body:?}");
        parse(first, &body, self.v5)
    }

    pub(crate) fn ack(&mut self, got: &Got) {
        self.pid_packet(0x40, got.pid);
    }

    pub(crate) fn pid_packet(&mut self, first: u8, pid: u16) {
        self.send(&packet(first, &pid.to_be_bytes()));
    }

    pub(crate) fn disconnect(mut self) {
        self.send(&[0xE0, 0]);
        while self.try_packet().is_some() {}
    }
}

fn parse(first: u8, body: &[u8], v5: bool) -> Got {
    let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
    let mut at = 2 + length;
    let qos = (first >> 1) & 3;
    let mut pid = 0;
    if qos > 0 {
        pid = u16::from_be_bytes([body[at], body[at + 1]]);
        at += 2;
    }
    let mut properties = Vec::new();
    if v5 {
        let length = usize::from(body[at]);
        assert!(length < 128, "short properties");
        properties = body[at + 1..at + 1 + length].to_vec();
        at += 1 + length;
    }
    let payload = String::from_utf8_lossy(&body[at..]).into_owned();
    Got { topic, payload, qos, dup: first & 8 != 0, retain: first & 1 != 0, pid, properties }
}
