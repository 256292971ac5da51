//! What a server says, read strictly: whatever the standard's format does not allow is a failed test.

use crate::case::Version;
use crate::wire::{id, kind, varint};

/// One packet from the server, with the fields its kind has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packet {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) pid: u16,
    /// Of CONNACK, DISCONNECT and the acknowledgements of a PUBLISH.
    pub(crate) code: u8,
    /// Of SUBACK and UNSUBACK.
    pub(crate) codes: Vec<u8>,
    pub(crate) session_present: bool,
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) properties: Properties,
    /// Bytes of the whole packet.
    pub(crate) size: usize,
}

impl Packet {
    pub(crate) fn qos(&self) -> u8 {
        (self.flags >> 1) & 3
    }

    pub(crate) fn dup(&self) -> bool {
        self.flags & 8 != 0
    }

    pub(crate) fn retain(&self) -> bool {
        self.flags & 1 != 0
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("a payload of text")
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Properties(Vec<(u8, Value)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Number(u32),
    Bytes(Vec<u8>),
    Pair(String, String),
}

impl Properties {
    pub(crate) fn number(&self, id: u8) -> Option<u32> {
        self.numbers(id).first().copied()
    }

    pub(crate) fn numbers(&self, id: u8) -> Vec<u32> {
        let numbers = self.0.iter().filter_map(|(of, value)| match value {
            Value::Number(number) if *of == id => Some(*number),
            _ => None,
        });
        numbers.collect()
    }

    pub(crate) fn bytes(&self, id: u8) -> Option<&[u8]> {
        self.0.iter().find_map(|(of, value)| match value {
            Value::Bytes(bytes) if *of == id => Some(&bytes[..]),
            _ => None,
        })
    }

    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        let pairs = self.0.iter().filter_map(|(_, value)| match value {
            Value::Pair(key, value) => Some((&key[..], &value[..])),
            _ => None,
        });
        pairs.collect()
    }

    pub(crate) fn has(&self, id: u8) -> bool {
        self.0.iter().any(|(of, _)| *of == id)
    }
}

/// The length of the first packet in `input` and of its head, once both are there.
pub(crate) fn frame(input: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for at in 1..5 {
        let byte = *input.get(at)?;
        length |= usize::from(byte & 127) << (7 * (at - 1));
        if byte & 128 == 0 {
            assert_eq!(
                varint(length),
                input[1..=at],
                "the remaining length is as short as it can be"
            );
            let total = 1 + at + length;
            return (input.len() >= total).then_some((1 + at, total));
        }
    }
    panic!("a remaining length of five bytes");
}

/// Reads a packet that is there as a whole.
pub(crate) fn read(bytes: &[u8], head: usize, version: Version) -> Packet {
    let (kind, flags) = (bytes[0] >> 4, bytes[0] & 15);
    let mut packet = Packet { kind, flags, size: bytes.len(), ..Packet::default() };
    let mut body = Body { bytes: &bytes[head..], version };
    let fixed = if kind == kind::PUBREL { 2 } else { 0 };
    assert!(kind == kind::PUBLISH || flags == fixed, "flags {flags:04b} of packet {kind}");
    match kind {
        kind::CONNACK => connack(&mut packet, &mut body),
        kind::PUBLISH => publish(&mut packet, &mut body),
        kind::PUBACK..=kind::PUBCOMP => acknowledgement(&mut packet, &mut body),
        kind::SUBACK | kind::UNSUBACK => suback(&mut packet, &mut body),
        kind::PINGRESP => {}
        kind::DISCONNECT => disconnect(&mut packet, &mut body),
        _ => panic!("a server sends no packet of kind {kind}"),
    }
    assert!(body.bytes.is_empty(), "bytes behind the end of {packet:?}: {:x?}", body.bytes);
    packet
}

fn connack(packet: &mut Packet, body: &mut Body) {
    let flags = body.byte();
    assert_eq!(flags & !1, 0, "reserved flags of CONNACK");
    packet.session_present = flags == 1;
    packet.code = body.byte();
    let codes: &[u8] = match body.version {
        Version::V311 => &[0, 1, 2, 3, 4, 5],
        Version::V5 => &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90,
            0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
    };
    assert!(codes.contains(&packet.code), "CONNACK code {:#x}", packet.code);
    packet.properties = body.properties(&[
        id::SESSION_EXPIRY,
        id::RECEIVE_MAXIMUM,
        id::MAXIMUM_QOS,
        id::RETAIN_AVAILABLE,
        id::MAXIMUM_PACKET,
        id::ASSIGNED_ID,
        id::ALIAS_MAXIMUM,
        id::REASON,
        id::USER,
        id::WILDCARDS_AVAILABLE,
        id::IDENTIFIERS_AVAILABLE,
        id::SHARED_AVAILABLE,
        id::SERVER_KEEP_ALIVE,
        id::RESPONSE_INFORMATION,
        id::SERVER_REFERENCE,
        id::AUTH_METHOD,
        id::AUTH_DATA,
    ]);
}

fn publish(packet: &mut Packet, body: &mut Body) {
    packet.topic = body.text();
    assert!(!packet.topic.contains(['+', '#', '\0']), "topic {:?}", packet.topic);
    assert_ne!(packet.qos(), 3, "QoS 3");
    if packet.qos() > 0 {
        packet.pid = body.two();
        assert_ne!(packet.pid, 0, "packet id 0");
    } else {
        assert!(!packet.dup(), "DUP at QoS 0");
    }
    packet.properties = body.properties(&[
        id::PAYLOAD_FORMAT,
        id::MESSAGE_EXPIRY,
        id::ALIAS,
        id::RESPONSE_TOPIC,
        id::CORRELATION,
        id::USER,
        id::SUBSCRIPTION,
        id::CONTENT_TYPE,
    ]);
    packet.payload = std::mem::take(&mut body.bytes).to_vec();
}

fn acknowledgement(packet: &mut Packet, body: &mut Body) {
    packet.pid = body.two();
    if body.version == Version::V311 || body.bytes.is_empty() {
        return;
    }
    packet.code = body.byte();
    let codes: &[u8] = match packet.kind {
        kind::PUBACK | kind::PUBREC => &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        _ => &[0x00, 0x92],
    };
    assert!(codes.contains(&packet.code), "code {:#x} of packet {}", packet.code, packet.kind);
    if !body.bytes.is_empty() {
        packet.properties = body.properties(&[id::REASON, id::USER]);
    }
}

fn suback(packet: &mut Packet, body: &mut Body) {
    packet.pid = body.two();
    packet.properties = body.properties(&[id::REASON, id::USER]);
    packet.codes = std::mem::take(&mut body.bytes).to_vec();
    let codes: &[u8] = match (packet.kind, body.version) {
        (kind::SUBACK, Version::V311) => &[0, 1, 2, 0x80],
        (kind::SUBACK, Version::V5) => {
            &[0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]
        }
        (_, Version::V311) => &[],
        (_, Version::V5) => &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91],
    };
    let known = packet.codes.iter().all(|code| codes.contains(code));
    assert!(known, "codes {:x?} of packet {}", packet.codes, packet.kind);
}

fn disconnect(packet: &mut Packet, body: &mut Body) {
    assert_eq!(body.version, Version::V5, "a server of MQTT 3.1.1 sends no DISCONNECT");
    if body.bytes.is_empty() {
        return;
    }
    packet.code = body.byte();
    let codes = [
        0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
        0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
    ];
    assert!(codes.contains(&packet.code), "DISCONNECT code {:#x}", packet.code);
    if !body.bytes.is_empty() {
        packet.properties = body.properties(&[id::REASON, id::USER, id::SERVER_REFERENCE]);
    }
}

struct Body<'b> {
    bytes: &'b [u8],
    version: Version,
}

impl Body<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        assert!(self.bytes.len() >= count, "the packet ends early");
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn two(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().expect("two bytes"))
    }

    fn four(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    fn varint(&mut self) -> u32 {
        let mut value = 0;
        for at in 0..4 {
            let byte = self.byte();
            value |= u32::from(byte & 127) << (7 * at);
            if byte & 128 == 0 {
                assert_eq!(
                    varint(value as usize).len(),
                    at + 1,
                    "{value} in as few bytes as it can be"
                );
                return value;
            }
        }
        panic!("a variable integer of five bytes");
    }

    fn data(&mut self) -> Vec<u8> {
        let length = usize::from(self.two());
        self.take(length).to_vec()
    }

    fn text(&mut self) -> String {
        String::from_utf8(self.data()).expect("text is UTF-8")
    }

    /// The properties, which must be among `allowed`, each once but for pairs and subscription identifiers.
    fn properties(&mut self, allowed: &[u8]) -> Properties {
        if self.version == Version::V311 {
            return Properties::default();
        }
        let length = self.varint() as usize;
        let mut inside = Body { bytes: self.take(length), version: Version::V5 };
        let mut list: Vec<(u8, Value)> = Vec::new();
        while !inside.bytes.is_empty() {
            let id = inside.byte();
            assert!(allowed.contains(&id), "property {id:#x} has no place here");
            let repeats = matches!(id, id::USER | id::SUBSCRIPTION);
            assert!(
                repeats || list.iter().all(|(other, _)| *other != id),
                "property {id:#x} twice"
            );
            let value = inside.value(id);
            list.push((id, value));
        }
        Properties(list)
    }

    fn value(&mut self, id: u8) -> Value {
        match id {
            id::PAYLOAD_FORMAT
            | id::REQUEST_PROBLEM
            | id::REQUEST_RESPONSE
            | id::MAXIMUM_QOS
            | id::RETAIN_AVAILABLE
            | id::WILDCARDS_AVAILABLE
            | id::IDENTIFIERS_AVAILABLE
            | id::SHARED_AVAILABLE => Value::Number(self.byte().into()),
            id::SERVER_KEEP_ALIVE | id::RECEIVE_MAXIMUM | id::ALIAS_MAXIMUM | id::ALIAS => {
                Value::Number(self.two().into())
            }
            id::MESSAGE_EXPIRY | id::SESSION_EXPIRY | id::WILL_DELAY | id::MAXIMUM_PACKET => {
                Value::Number(self.four())
            }
            id::SUBSCRIPTION => Value::Number(self.varint()),
            id::USER => Value::Pair(self.text(), self.text()),
            id::CORRELATION | id::AUTH_DATA => Value::Bytes(self.data()),
            _ => Value::Bytes(self.text().into_bytes()),
        }
    }
}
