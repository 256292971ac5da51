//! What a client is told, and its bytes.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};

use super::decode::ALIASES;
use crate::message::Message;
use crate::packet::{Qos, Reason, Version};

/// What the broker tells one client.
#[derive(Debug, Clone)]
pub enum Action {
    /// PUBLISH.
    Publish(Outgoing),
    /// PUBACK of this packet id.
    Puback(u16, Reason),
    /// PUBREC of this packet id.
    Pubrec(u16, Reason),
    /// PUBREL of this packet id.
    Pubrel(u16),
    /// PUBCOMP of this packet id.
    Pubcomp(u16, Reason),
    /// SUBACK of this packet id, a code for every filter.
    Suback(u16, Vec<u8>),
    /// UNSUBACK of this packet id, a code for every filter.
    Unsuback(u16, Vec<u8>),
    /// PINGRESP.
    Pingresp,
    /// End the connection after everything before it.
    Close(Reason),
}

/// One message on its way to one client.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The message, which it shares with all who get it.
    pub message: Arc<Message>,
    /// Packet id; 0 with QoS 0.
    pub pid: u16,
    /// The delivery's own QoS.
    pub qos: Qos,
    /// Whether it was sent before.
    pub dup: bool,
    /// Whether it is sent with RETAIN.
    pub retain: bool,
    /// Seconds left, if the message expires.
    pub expiry: Option<u32>,
    /// Subscription identifiers.
    pub ids: Box<[u32]>,
    /// Further user properties, encoded.
    pub extra: Box<[u8]>,
    /// How the topic is sent.
    pub alias: Alias,
}

/// How a topic is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alias {
    /// As a name.
    #[default]
    None,
    /// As a name that makes the number known.
    Set(u16),
    /// As a number only.
    Use(u16),
}

impl Outgoing {
    fn properties_len(&self) -> usize {
        let ids: usize = self.ids.iter().map(|&id| 1 + varint_len(id as usize)).sum();
        let expiry = if self.expiry.is_some() { 5 } else { 0 };
        let alias = if self.alias == Alias::None { 0 } else { 3 };
        self.message.properties.len() + self.extra.len() + ids + expiry + alias
    }

    /// The topic as it is sent: empty where its alias says it.
    fn topic(&self) -> &str {
        if matches!(self.alias, Alias::Use(_)) { "" } else { &self.message.topic }
    }

    fn remaining(&self, version: Version) -> usize {
        let pid = if self.qos == Qos::AtMostOnce { 0 } else { 2 };
        let properties = match version {
            Version::V311 => 0,
            Version::V5 => {
                let len = self.properties_len();
                varint_len(len) + len
            }
        };
        2 + self.topic().len() + pid + properties + self.message.payload.len()
    }

    /// Bytes of the whole packet.
    pub fn size(&self, version: Version) -> usize {
        whole(self.remaining(version))
    }
}

/// What a CONNACK of MQTT 5 announces.
#[derive(Debug, Clone)]
pub struct ConnackLimits<'a> {
    /// QoS 1 and 2 publishes that the broker takes at a time.
    pub receive_maximum: u16,
    /// Largest packet that the broker takes, in bytes.
    pub maximum_packet: u32,
    /// The client id that the broker chose, if it did.
    pub assigned_id: Option<&'a str>,
    /// Seconds that the session outlives its connection, if that is less than the client asked for.
    pub session_expiry: Option<u32>,
}

/// Writes packets of one version.
#[derive(Debug, Clone, Copy)]
pub struct Encoder(pub Version);

/// Bytes of a CONNACK that refuses in MQTT 5: who takes less cannot be answered at all.
pub const REFUSAL: u32 = 5;

impl Encoder {
    /// A CONNACK that accepts.
    pub fn welcome(self, out: &mut BytesMut, present: bool, limits: &ConnackLimits<'_>) {
        if self.0 == Version::V311 {
            out.put_slice(&[0x20, 2, u8::from(present), 0]);
            return;
        }
        let mut properties = BytesMut::with_capacity(64);
        properties.put_u8(0x21);
        properties.put_u16(limits.receive_maximum);
        properties.put_u8(0x22);
        properties.put_u16(ALIASES);
        properties.put_u8(0x27);
        properties.put_u32(limits.maximum_packet);
        if let Some(seconds) = limits.session_expiry {
            properties.put_u8(0x11);
            properties.put_u32(seconds);
        }
        if let Some(id) = limits.assigned_id {
            properties.put_u8(0x12);
            put_string(&mut properties, id.as_bytes());
        }
        out.put_u8(0x20);
        put_varint(out, 2 + varint_len(properties.len()) + properties.len());
        out.put_slice(&[u8::from(present), 0]);
        put_varint(out, properties.len());
        out.put_slice(&properties);
    }

    /// A CONNACK that refuses.
    pub fn refuse(self, out: &mut BytesMut, reason: Reason) {
        match self.0 {
            Version::V311 => out.put_slice(&[0x20, 2, 0, reason.connack_v311()]),
            Version::V5 => out.put_slice(&[0x20, 3, 0, reason as u8, 0]),
        }
    }

    /// Writes one packet behind what is in `out`.
    pub fn put(self, out: &mut BytesMut, action: &Action) {
        match action {
            Action::Publish(outgoing) => self.publish(out, outgoing),
            Action::Puback(pid, reason) => self.acknowledge(out, 0x40, *pid, *reason),
            Action::Pubrec(pid, reason) => self.acknowledge(out, 0x50, *pid, *reason),
            Action::Pubrel(pid) => self.acknowledge(out, 0x62, *pid, Reason::Normal),
            Action::Pubcomp(pid, reason) => self.acknowledge(out, 0x70, *pid, *reason),
            Action::Suback(pid, codes) => self.codes(out, 0x90, *pid, codes),
            Action::Unsuback(pid, codes) => match self.0 {
                Version::V311 => self.codes(out, 0xB0, *pid, &[]),
                Version::V5 => self.codes(out, 0xB0, *pid, codes),
            },
            Action::Pingresp => out.put_slice(&[0xD0, 0]),
            Action::Close(reason) => self.goodbye(out, *reason),
        }
    }

    /// A DISCONNECT, which a server may send in MQTT 5 only.
    fn goodbye(self, out: &mut BytesMut, reason: Reason) {
        if self.0 == Version::V5 && reason as u8 >= 0x80 {
            out.put_slice(&[0xE0, 2, reason as u8, 0]);
        }
    }

    fn publish(self, out: &mut BytesMut, outgoing: &Outgoing) {
        let message = &outgoing.message;
        let flags =
            (u8::from(outgoing.dup) << 3) | ((outgoing.qos as u8) << 1) | u8::from(outgoing.retain);
        out.reserve(outgoing.size(self.0));
        out.put_u8(0x30 | flags);
        put_varint(out, outgoing.remaining(self.0));
        put_string(out, outgoing.topic().as_bytes());
        if outgoing.qos != Qos::AtMostOnce {
            out.put_u16(outgoing.pid);
        }
        if self.0 == Version::V5 {
            put_varint(out, outgoing.properties_len());
            if let Some(seconds) = outgoing.expiry {
                out.put_u8(0x02);
                out.put_u32(seconds);
            }
            if let Alias::Set(alias) | Alias::Use(alias) = outgoing.alias {
                out.put_u8(0x23);
                out.put_u16(alias);
            }
            for &id in &outgoing.ids {
                out.put_u8(0x0B);
                put_varint(out, id as usize);
            }
            out.put_slice(&message.properties);
            out.put_slice(&outgoing.extra);
        }
        out.put_slice(&message.payload);
    }

    fn acknowledge(self, out: &mut BytesMut, first: u8, pid: u16, reason: Reason) {
        let [high, low] = pid.to_be_bytes();
        if self.0 == Version::V5 && reason != Reason::Normal {
            out.put_slice(&[first, 3, high, low, reason as u8]);
        } else {
            out.put_slice(&[first, 2, high, low]);
        }
    }

    fn codes(self, out: &mut BytesMut, first: u8, pid: u16, codes: &[u8]) {
        let properties = usize::from(self.0 == Version::V5);
        out.put_u8(first);
        put_varint(out, 2 + properties + codes.len());
        out.put_u16(pid);
        if self.0 == Version::V5 {
            out.put_u8(0);
        }
        for &code in codes {
            // MQTT 3.1.1 knows one failure only [MQTT-3.9.3-2].
            out.put_u8(if self.0 == Version::V311 { code.min(0x80) } else { code });
        }
    }
}

/// Bytes of a CONNACK of MQTT 5 that accepts, by the properties that `welcome` writes.
pub fn welcome_size(assigned_id: Option<&str>, expiry: Option<u32>) -> usize {
    let expiry = expiry.map_or(0, |_| 5);
    let properties = 3 + 3 + 5 + expiry + assigned_id.map_or(0, |id| 3 + id.len());
    whole(2 + varint_len(properties) + properties)
}

/// Bytes of a SUBACK or UNSUBACK of MQTT 5 with so many codes.
pub fn codes_size(codes: usize) -> usize {
    whole(2 + 1 + codes)
}

fn whole(remaining: usize) -> usize {
    1 + varint_len(remaining) + remaining
}

fn put_string(out: &mut BytesMut, text: &[u8]) {
    // Every string here came in with a two byte length or is short and our own.
    out.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
    out.put_slice(text);
}

fn put_varint(out: &mut BytesMut, mut value: usize) {
    while value > 127 {
        out.put_u8((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

fn varint_len(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;
    use crate::packet::{Properties, Publish};
    use bytes::Bytes;

    #[test]
    fn a_publish_has_the_size_it_says_and_an_alias_replaces_the_topic() {
        let publish = Publish {
            dup: false,
            qos: Qos::AtMostOnce,
            retain: false,
            pid: 0,
            topic: "a/b".into(),
            payload: Bytes::from_static(b"x"),
            properties: Properties::default(),
        };
        let message = Arc::new(Message::new(publish, Moment::default(), 1));
        for (alias, bytes) in [
            (Alias::None, &[0x30, 7, 0, 3, b'a', b'/', b'b', 0, b'x'][..]),
            (Alias::Set(7), &[0x30, 10, 0, 3, b'a', b'/', b'b', 3, 0x23, 0, 7, b'x']),
            (Alias::Use(7), &[0x30, 7, 0, 0, 3, 0x23, 0, 7, b'x']),
        ] {
            let outgoing = Outgoing {
                message: message.clone(),
                pid: 0,
                qos: Qos::AtMostOnce,
                dup: false,
                retain: false,
                expiry: None,
                ids: Box::default(),
                extra: Box::default(),
                alias,
            };
            let mut out = BytesMut::new();
            Encoder(Version::V5).put(&mut out, &Action::Publish(outgoing.clone()));
            assert_eq!(&out[..], bytes, "{alias:?}");
            assert_eq!(outgoing.size(Version::V5), bytes.len(), "{alias:?}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_packets() {
        let mut out = BytesMut::new();
        for assigned_id in [None, Some("auto-1")] {
            for session_expiry in [None, Some(9)] {
                let (receive_maximum, maximum_packet) = (9, 9);
                let limits =
                    ConnackLimits { receive_maximum, maximum_packet, assigned_id, session_expiry };
                Encoder(Version::V5).welcome(&mut out, true, &limits);
                assert_eq!(out.split().len(), welcome_size(assigned_id, session_expiry));
            }
        }
        for count in [1, 124, 125, 20_000] {
            Encoder(Version::V5).codes(&mut out, 0x90, 1, &vec![0; count]);
            assert_eq!(out.split().len(), codes_size(count));
        }
    }
}
