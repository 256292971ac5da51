//! Packets of both versions, as one connection sees them: rumqttc's codecs behind two enums.

mod v3;
mod v5;

use bytes::{Bytes, BytesMut};

use crate::message::{Publish, Reason};
use crate::{Options, Qos, Version};

/// Largest packet either way, in bytes: room for a snapshot chunk, not for an attack on memory.
pub(crate) const LARGEST: usize = 1024 * 1024;

/// A packet from the broker.
#[derive(Debug)]
pub(crate) enum Incoming {
    Accepted(Accepted),
    Refused(String),
    Publish(Arrived),
    PubAck(u16, Result<(), String>),
    PubRec(u16, Result<(), String>),
    PubRel(u16),
    PubComp(u16),
    SubAck(u16, Vec<Result<Qos, String>>),
    Pong,
    Disconnect { text: String, taken_over: bool },
}

/// CONNACK, and what the broker asks of us in it.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) session_present: bool,
    pub(crate) receive_maximum: Option<u16>,
    pub(crate) largest: Option<u32>,
    pub(crate) keep_alive: Option<u16>,
}

/// PUBLISH from the broker; `packet` is 0 for QoS 0.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) packet: u16,
    pub(crate) dup: bool,
    pub(crate) message: Publish,
}

/// A packet to the broker.
#[derive(Debug)]
pub(crate) enum Outgoing<'a> {
    Connect(&'a Options),
    Publish(u16, Publish),
    PubAck(u16, Option<Reason>),
    PubRec(u16, Option<Reason>),
    PubRel(u16),
    PubComp(u16),
    Subscribe(u16, &'a [(String, Qos)]),
    Ping,
    Disconnect,
}

/// Takes one packet out of `buffer`; none while it is not complete.
///
/// # Errors
/// When the bytes are no packet that a broker may send us: the connection is beyond repair.
pub(crate) fn read(version: Version, buffer: &mut BytesMut) -> Result<Option<Incoming>, String> {
    let Some(length) = packet_length(buffer)? else { return Ok(None) };
    if length > LARGEST {
        return Err(format!("the broker sent a packet of {length} bytes, above {LARGEST}"));
    }
    if buffer.len() < length {
        return Ok(None);
    }
    // Alone, so that one which ends too early is not taken for one that is still coming.
    let mut packet = buffer.split_to(length);
    let incoming = match version {
        Version::V3 => v3::read(&mut packet),
        Version::V5 => v5::read(&mut packet),
    }?;
    if let Incoming::Publish(arrived) = &incoming {
        check_topic(&arrived.message.topic)?;
    }
    Ok(Some(incoming))
}

/// Length of the packet at the front, as soon as it says so.
fn packet_length(buffer: &[u8]) -> Result<Option<usize>, String> {
    let mut length = 0;
    for at in 0..4 {
        let Some(&byte) = buffer.get(1 + at) else { return Ok(None) };
        length |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some(2 + at + length));
        }
    }
    Err("unreadable packet from the broker: its length has more than four bytes".to_owned())
}

/// No topic is empty: we allow the broker no aliases.
fn check_topic(topic: &str) -> Result<(), String> {
    if topic.is_empty() || topic.contains(['+', '#', '\0']) {
        return Err(format!("the broker sent a message on {topic:?}, which is no topic"));
    }
    Ok(())
}

/// Appends one packet to `buffer`.
///
/// # Errors
/// When it is larger than `largest`; then nothing is written.
pub(crate) fn write(
    version: Version,
    packet: Outgoing<'_>,
    largest: usize,
    buffer: &mut BytesMut,
) -> Result<(), String> {
    match version {
        Version::V3 => v3::write(packet, largest, buffer),
        Version::V5 => v5::write(packet, largest, buffer),
    }
}

/// Topics are text; rumqttc gives those of MQTT 5 as bytes.
fn topic(bytes: &Bytes) -> Result<String, String> {
    core::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| "the broker sent a topic that is not UTF-8".to_owned())
}
