//! The other end of a connection, packet by packet: a broker that does only what a test says.

use link::{Address, Options, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const CONNECT: u8 = 1;
pub(crate) const PUBLISH: u8 = 3;
pub(crate) const PUBACK: u8 = 4;
pub(crate) const PUBREC: u8 = 5;
pub(crate) const PUBREL: u8 = 6;
pub(crate) const PUBCOMP: u8 = 7;
pub(crate) const SUBSCRIBE: u8 = 8;
pub(crate) const DISCONNECT: u8 = 14;

/// Where connections arrive.
pub(crate) struct Listener(TcpListener);

/// One accepted connection.
pub(crate) struct Peer {
    stream: TcpStream,
    version: Version,
}

/// A packet as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) body: Vec<u8>,
}

/// The parts of a PUBLISH of QoS 1 or 2.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) topic: String,
    pub(crate) id: [u8; 2],
    /// MQTT 5's properties as they came, then the payload.
    pub(crate) rest: Vec<u8>,
}

impl Listener {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn address(&self) -> Address {
        self.0.local_addr().unwrap().to_string().parse().unwrap()
    }

    pub(crate) fn options(&self, version: Version) -> Options {
        let mut options = Options::new(self.address(), "client");
        options.version = version;
        options
    }

    /// Takes a connection and reads its CONNECT, without an answer.
    pub(crate) async fn accept(&self, version: Version) -> Peer {
        let (stream, _) = self.0.accept().await.unwrap();
        let mut peer = Peer { stream, version };
        peer.expect(CONNECT).await;
        peer
    }

    /// Takes a connection and accepts it.
    pub(crate) async fn welcome(&self, version: Version, session_present: bool) -> Peer {
        let mut peer = self.accept(version).await;
        peer.connack(session_present, 0).await;
        peer
    }
}

impl Peer {
    pub(crate) async fn connack(&mut self, session_present: bool, code: u8) {
        let mut body = vec![u8::from(session_present), code];
        self.end_of_properties(&mut body);
        self.send(2, 0, &body).await;
    }

    pub(crate) async fn suback(&mut self, subscribe: &Packet, codes: &[u8]) {
        let mut body = subscribe.body[..2].to_vec();
        self.end_of_properties(&mut body);
        body.extend(codes);
        self.send(9, 0, &body).await;
    }

    pub(crate) async fn publish(
        &mut self,
        topic: &str,
        qos: u8,
        dup: bool,
        id: u16,
        payload: &str,
    ) {
        self.publish_with(topic, qos, dup, id, &[], payload).await;
    }

    /// `properties` are MQTT 5's, already encoded.
    pub(crate) async fn publish_with(
        &mut self,
        topic: &str,
        qos: u8,
        dup: bool,
        id: u16,
        properties: &[u8],
        payload: &str,
    ) {
        let mut body = (topic.len() as u16).to_be_bytes().to_vec();
        body.extend(topic.as_bytes());
        if qos > 0 {
            body.extend(id.to_be_bytes());
        }
        if self.version == Version::V5 {
            body.push(u8::try_from(properties.len()).unwrap());
            body.extend(properties);
        }
        body.extend(payload.as_bytes());
        self.send(PUBLISH, u8::from(dup) << 3 | qos << 1, &body).await;
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, body: &[u8]) {
        let mut packet = vec![kind << 4 | flags];
        let mut left = body.len();
        loop {
            let more = if left >= 128 { 0x80 } else { 0 };
            packet.push((left % 128) as u8 | more);
            left /= 128;
            if left == 0 {
                break;
            }
        }
        packet.extend(body);
        self.stream.write_all(&packet).await.unwrap();
    }

    /// The next packet, which must be of this kind.
    pub(crate) async fn expect(&mut self, kind: u8) -> Packet {
        let packet = self.receive().await.expect("a packet, not the end");
        assert_eq!(packet.kind, kind, "{packet:?}");
        packet
    }

    /// The next packet, which must be a PUBLISH of QoS 1 or 2.
    pub(crate) async fn published(&mut self) -> Published {
        let packet = self.expect(PUBLISH).await;
        let length = usize::from(u16::from_be_bytes([packet.body[0], packet.body[1]]));
        let (topic, rest) = packet.body[2..].split_at(length);
        Published {
            topic: String::from_utf8(topic.to_vec()).unwrap(),
            id: [rest[0], rest[1]],
            rest: rest[2..].to_vec(),
        }
    }

    /// The next packet; none at the end of the connection.
    pub(crate) async fn receive(&mut self) -> Option<Packet> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some(Packet { kind: first >> 4, flags: first & 0x0F, body })
    }

    fn end_of_properties(&self, body: &mut Vec<u8>) {
        if self.version == Version::V5 {
            body.push(0);
        }
    }
}
