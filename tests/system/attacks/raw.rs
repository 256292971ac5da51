//! A client that does what no library would: it says what it likes and reads only what it must.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::kit::{Home, PATIENCE};

/// How a client connects.
#[derive(Clone, Copy)]
pub(super) struct Hello<'a> {
    pub(super) user: &'a str,
    pub(super) client: &'a str,
    /// MQTT 5, with a session that lasts for ever; otherwise 3.1.1, with a session that is kept.
    pub(super) v5: bool,
    /// Topic, and how many bytes, to be published an hour after its end.
    pub(super) will: Option<(&'a str, usize)>,
}

/// A connection, and whether it speaks MQTT 5.
pub(super) struct Raw(TcpStream, bool);

impl Hello<'_> {
    /// A connection, or the reason code of its refusal.
    pub(super) fn connect(self, home: &Home) -> Result<Raw, u8> {
        let socket = TcpStream::connect(("127.0.0.1", home.port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut raw = Raw(socket, self.v5);
        raw.send(0x10, &self.body());
        let (kind, answer) = raw.packet().ok_or(0_u8)?;
        assert_eq!(kind, 0x20, "a CONNACK");
        if answer[1] == 0 { Ok(raw) } else { Err(answer[1]) }
    }

    fn body(self) -> Vec<u8> {
        let mut body = Vec::new();
        text(&mut body, b"MQTT");
        let will = u8::from(self.will.is_some()) << 2;
        body.extend([if self.v5 { 5 } else { 4 }, 0b1100_0000 | will, 0, 60]);
        if self.v5 {
            body.extend([5, 0x11, 0xff, 0xff, 0xff, 0xff]);
        }
        text(&mut body, self.client.as_bytes());
        if let Some((topic, bytes)) = self.will {
            if self.v5 {
                body.extend([5, 0x18, 0, 0, 0x0e, 0x10]);
            }
            text(&mut body, topic.as_bytes());
            text(&mut body, &vec![b'x'; bytes]);
        }
        text(&mut body, self.user.as_bytes());
        text(&mut body, format!("{}!", self.user).as_bytes());
        body
    }
}

impl Raw {
    /// A PUBLISH; tells whether the broker still listens.
    pub(super) fn publish(&mut self, topic: &str, payload: &[u8], (qos, pid): (u8, u16)) -> bool {
        let mut body = Vec::new();
        text(&mut body, topic.as_bytes());
        if qos > 0 {
            body.extend(pid.to_be_bytes());
        }
        if self.1 {
            body.push(0);
        }
        body.extend(payload);
        self.try_send(0x30 | qos << 1, &body)
    }

    /// A PUBLISH at QoS 0 that is to be retained; tells whether the broker still listens.
    pub(super) fn retained(&mut self, topic: &str, payload: &[u8]) -> bool {
        let mut body = Vec::new();
        text(&mut body, topic.as_bytes());
        body.extend(payload);
        self.try_send(0x31, &body)
    }

    /// The reason code of a SUBSCRIBE in MQTT 3.1.1.
    pub(super) fn subscribe(&mut self, filter: &str, qos: u8) -> u8 {
        let mut body = vec![0, 1];
        text(&mut body, filter.as_bytes());
        body.push(qos);
        self.send(0x82, &body);
        loop {
            match self.packet() {
                Some((0x90, answer)) => return answer[2],
                Some(_) => {}
                None => return 0x80,
            }
        }
    }

    /// The first bytes of a packet of so many, and nothing more.
    pub(super) fn begin(&mut self, first: u8, length: usize, part: usize) -> bool {
        let mut bytes = vec![first];
        varint(&mut bytes, length);
        text(&mut bytes, b"reply/large");
        bytes.resize(part, b'x');
        self.0.write_all(&bytes).is_ok()
    }

    /// The next packet: its first byte and its body; none when the connection is over.
    pub(super) fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut first = [0];
        self.0.read_exact(&mut first).ok()?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let mut byte = [0];
            self.0.read_exact(&mut byte).ok()?;
            length |= usize::from(byte[0] & 127) << shift;
            shift += 7;
            if byte[0] < 128 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some((first[0], body))
    }

    /// A second handle on the connection.
    pub(super) fn twin(&self) -> Self {
        Self(self.0.try_clone().unwrap(), self.1)
    }

    /// How long a packet is waited for.
    pub(super) fn patience(&self, time: Duration) {
        self.0.set_read_timeout(Some(time)).unwrap();
    }

    fn send(&mut self, first: u8, body: &[u8]) {
        self.try_send(first, body);
    }

    fn try_send(&mut self, first: u8, body: &[u8]) -> bool {
        let mut bytes = vec![first];
        varint(&mut bytes, body.len());
        bytes.extend(body);
        self.0.write_all(&bytes).is_ok()
    }
}

fn text(body: &mut Vec<u8>, text: &[u8]) {
    body.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    body.extend(text);
}

fn varint(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        let byte = (number % 128) as u8;
        number /= 128;
        bytes.push(byte | if number > 0 { 128 } else { 0 });
        if number == 0 {
            return;
        }
    }
}
