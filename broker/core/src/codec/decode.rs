//! From bytes to packets.

use std::collections::HashMap;

use bytes::{Buf, Bytes, BytesMut};
use mqtt_protocol_core::mqtt::packet::{Property, SubEntry, v3_1_1, v5_0};

use super::connect::connect;
use super::properties::{
    FOREIGN, forwardable, only_reason_and_user, own_properties, parse_properties, refused,
    shortest, string, texts_without_null, without_null,
};
use crate::packet::{
    Filter, Packet, Properties, Publish, Qos, Reason, RetainHandling, Version, topic,
};

/// Topic aliases a client may set [MQTT-3.3.2-8]. 16: enough for a device, and bounded.
pub(super) const ALIASES: u16 = 16;

/// Largest CONNECT, in bytes. 128 KiB: a will with the longest payload that there is, 64 KiB, and all else beside it.
/// Whoever sends it is not known yet, and thousands may send theirs slowly at the same time.
const LARGEST_CONNECT: usize = 128 * 1024;

/// First byte of a CONNECT.
const CONNECT: u8 = 0x10;

/// What a client's topic aliases stand for, within one connection.
#[derive(Debug, Default)]
struct Aliases(HashMap<u16, Box<str>>);

impl Aliases {
    fn resolve(&mut self, topic: &str, alias: Option<u16>) -> Result<Box<str>, Reason> {
        let Some(alias) = alias else {
            return if topic.is_empty() { Err(Reason::Protocol) } else { Ok(topic.into()) };
        };
        if alias == 0 || alias > ALIASES {
            return Err(Reason::Alias);
        }
        if topic.is_empty() {
            return self.0.get(&alias).cloned().ok_or(Reason::Protocol);
        }
        self.0.insert(alias, topic.into());
        Ok(topic.into())
    }
}

/// Cuts a byte stream into packets.
#[derive(Debug)]
pub struct Decoder {
    /// Unknown before CONNECT.
    version: Option<Version>,
    aliases: Aliases,
    largest: usize,
}

impl Decoder {
    /// A decoder that refuses packets above `largest` bytes.
    pub fn new(largest: u32) -> Self {
        Self { version: None, aliases: Aliases::default(), largest: largest as usize }
    }

    /// Takes the next packet from `buffer`, or `None` while it is incomplete.
    ///
    /// # Errors
    ///
    /// The reason to end the connection with; nothing more can be read from it.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Packet>, Reason> {
        if let (None, Some(&first)) = (self.version, buffer.first())
            && first != CONNECT
        {
            // Whoever speaks something else may never send as much as its first bytes would promise.
            return Err(if first >> 4 == 1 { Reason::Malformed } else { Reason::Protocol });
        }
        let Some((header, total)) = frame(buffer)? else { return Ok(None) };
        if self.version == Some(Version::V5) && !shortest(&buffer[1..header]) {
            return Err(Reason::Malformed);
        }
        let stranger = self.version.is_none();
        if total > if stranger { self.largest.min(LARGEST_CONNECT) } else { self.largest } {
            return Err(Reason::TooLarge);
        }
        if buffer.len() < total {
            return Ok(None);
        }
        let first = buffer[0];
        if first >> 4 == 3 {
            return self.publish(first, header, total, buffer).map(Some);
        }
        let packet = self.control(first, &buffer[header..total])?;
        buffer.advance(total);
        Ok(Some(packet))
    }

    /// Bytes of the packet at the front of `buffer`, which is not complete; none if its length is not known yet.
    pub fn unfinished(&self, buffer: &[u8]) -> Option<usize> {
        frame(buffer).ok().flatten().map(|(_, total)| total)
    }

    fn control(&mut self, first: u8, body: &[u8]) -> Result<Packet, Reason> {
        let (kind, flags) = (first >> 4, first & 0x0F);
        let wanted = if matches!(kind, 6 | 8 | 10) { 2 } else { 0 };
        if flags != wanted {
            return Err(Reason::Malformed);
        }
        let Some(version) = self.version else {
            let connect = connect(body)?;
            self.version = Some(connect.version);
            return Ok(Packet::Connect(Box::new(connect)));
        };
        match kind {
            4..=7 => acknowledgement(kind, body, version),
            8 => subscribe(body, version),
            10 => unsubscribe(body, version),
            12 if body.is_empty() => Ok(Packet::Pingreq),
            12 => Err(Reason::Malformed),
            14 => disconnect(body, version),
            _ => Err(Reason::Protocol),
        }
    }

    fn publish(
        &mut self,
        first: u8,
        header: usize,
        total: usize,
        buffer: &mut BytesMut,
    ) -> Result<Packet, Reason> {
        let version = self.version.ok_or(Reason::Protocol)?;
        let qos = Qos::from_bits((first >> 1) & 3).ok_or(Reason::Malformed)?;
        let body = &buffer[header..total];
        let (name, mut at) = string(body)?;
        let mut pid = 0;
        if qos != Qos::AtMostOnce {
            pid = packet_id(body.get(at..).unwrap_or_default())?;
            at += 2;
        }
        let (properties, alias, used) = match version {
            Version::V311 => (Properties::default(), None, 0),
            Version::V5 => publish_properties(body.get(at..).unwrap_or_default())?,
        };
        at += used;
        let topic = self.aliases.resolve(name, alias)?;
        if !topic::valid_name(&topic) {
            return Err(without_null(&topic).err().unwrap_or(Reason::Topic));
        }
        let payload = take_payload(buffer, header + at, total);
        let (dup, retain) = (first & 8 != 0, first & 1 != 0);
        if dup && qos == Qos::AtMostOnce {
            return Err(Reason::Malformed);
        }
        Ok(Packet::Publish(Publish { dup, qos, retain, pid, topic, payload, properties }))
    }
}

/// The version that the CONNECT in front of a buffer says it is of, if there is one.
pub fn claimed_version(buffer: &[u8]) -> Option<Version> {
    let (header, _) = frame(buffer).ok().flatten().filter(|_| buffer[0] == CONNECT)?;
    super::connect::version(buffer.get(header..)?).ok()
}

/// Header and total length of the packet at the front, once its length is known.
fn frame(buffer: &[u8]) -> Result<Option<(usize, usize)>, Reason> {
    let mut length = 0usize;
    for at in 0..4 {
        let Some(&byte) = buffer.get(1 + at) else { return Ok(None) };
        length |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((2 + at, 2 + at + length)));
        }
    }
    Err(Reason::Malformed)
}

/// A copy: whoever keeps one payload shall not keep the whole buffer.
fn take_payload(buffer: &mut BytesMut, from: usize, to: usize) -> Bytes {
    let payload = Bytes::copy_from_slice(&buffer[from..to]);
    buffer.advance(to);
    payload
}

fn packet_id(body: &[u8]) -> Result<u16, Reason> {
    match body {
        [high, low, ..] if (*high, *low) != (0, 0) => Ok(u16::from_be_bytes([*high, *low])),
        _ => Err(Reason::Malformed),
    }
}

fn publish_properties(body: &[u8]) -> Result<(Properties, Option<u16>, usize), Reason> {
    if body.first() == Some(&0) {
        return Ok((Properties::default(), None, 1));
    }
    let (list, used) = parse_properties(body)?;
    if list.iter().any(|property| matches!(property, Property::WillDelayInterval(_))) {
        return Err(FOREIGN);
    }
    let (properties, alias) = forwardable(&list)?;
    Ok((properties, alias, used))
}

fn acknowledgement(kind: u8, body: &[u8], version: Version) -> Result<Packet, Reason> {
    let pid = packet_id(body)?;
    let code = match (version, body.get(2)) {
        (_, None) => 0,
        (Version::V5, Some(&code)) => code,
        (Version::V311, Some(_)) => return Err(Reason::Malformed),
    };
    let known = match kind {
        4 | 5 => matches!(code, 0 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99),
        _ => matches!(code, 0 | 0x92),
    };
    if !known {
        return Err(Reason::Malformed);
    }
    if body.len() > 3 {
        let (list, used) = parse_properties(&body[3..])?;
        only_reason_and_user(&list, true)?;
        if used != body.len() - 3 {
            return Err(Reason::Malformed);
        }
    }
    Ok(match kind {
        4 => Packet::Puback(pid, Reason::refusal(code)),
        5 => Packet::Pubrec(pid, code < 0x80),
        6 => Packet::Pubrel(pid),
        _ => Packet::Pubcomp(pid),
    })
}

fn subscribe(body: &[u8], version: Version) -> Result<Packet, Reason> {
    let pid = packet_id(body)?;
    let mut id = None;
    let mut at = 2;
    if version == Version::V5 {
        let (list, used) = parse_properties(body.get(2..).unwrap_or_default())?;
        at += used;
        for property in &list {
            match property {
                Property::SubscriptionIdentifier(value) if id.is_none() && value.val() != 0 => {
                    id = Some(value.val())
                }
                Property::UserProperty(_) => {}
                Property::SubscriptionIdentifier(_) => return Err(Reason::Protocol),
                _ => return Err(FOREIGN),
            }
        }
    }
    let mut filters = Vec::new();
    while at < body.len() {
        let (entry, used) = SubEntry::parse(&body[at..]).map_err(|_| Reason::Malformed)?;
        at += used;
        filters.push(filter(&entry, version)?);
    }
    if filters.is_empty() {
        return Err(Reason::Protocol);
    }
    Ok(Packet::Subscribe { pid, id, filters })
}

fn filter(entry: &SubEntry, version: Version) -> Result<Filter, Reason> {
    let bits = entry.sub_opts().to_buffer()[0];
    if version == Version::V311 && bits & !3 != 0 {
        return Err(Reason::Malformed);
    }
    let retain_handling = match (bits >> 4) & 3 {
        0 => RetainHandling::Always,
        1 => RetainHandling::IfNew,
        _ => RetainHandling::Never,
    };
    well_formed(entry.topic_filter(), version)?;
    Ok(Filter {
        path: entry.topic_filter().to_owned(),
        qos: Qos::from_bits(bits & 3).ok_or(Reason::Malformed)?,
        no_local: bits & 4 != 0,
        retain_as_published: bits & 8 != 0,
        retain_handling,
    })
}

/// Whether a filter has the form of one. Shared ones are of MQTT 5; in 3.1.1 they are a courtesy, and a wrong one is
/// only refused.
fn well_formed(filter: &str, version: Version) -> Result<(), Reason> {
    let wrong = version == Version::V5 && matches!(topic::shared(filter), Some(Err(_)));
    if wrong || !topic::well_formed_filter(filter) { Err(Reason::Malformed) } else { Ok(()) }
}

fn unsubscribe(body: &[u8], version: Version) -> Result<Packet, Reason> {
    let pid = packet_id(body)?;
    let mut at = 2;
    if version == Version::V5 {
        let (list, used) = parse_properties(body.get(2..).unwrap_or_default())?;
        only_reason_and_user(&list, false)?;
        at += used;
    }
    let mut filters = Vec::new();
    while at < body.len() {
        let (path, used) = string(&body[at..])?;
        well_formed(path, version)?;
        filters.push(path.to_owned());
        at += used;
    }
    if filters.is_empty() {
        return Err(Reason::Protocol);
    }
    Ok(Packet::Unsubscribe { pid, filters })
}

fn disconnect(body: &[u8], version: Version) -> Result<Packet, Reason> {
    if version == Version::V311 {
        let read = v3_1_1::Disconnect::parse(body).map_err(|_| Reason::Malformed)?;
        return if read.1 == body.len() {
            Ok(Packet::Disconnect { with_will: false, session_expiry: None })
        } else {
            Err(Reason::Malformed)
        };
    }
    if let Some(properties) = body.get(1..).filter(|properties| !properties.is_empty()) {
        own_properties(properties, |property| {
            matches!(
                property,
                Property::SessionExpiryInterval(_)
                    | Property::ReasonString(_)
                    | Property::UserProperty(_)
                    | Property::ServerReference(_)
            )
        })?;
    }
    let (packet, used) = v5_0::Disconnect::parse(body).map_err(refused)?;
    if used != body.len() {
        return Err(Reason::Malformed);
    }
    texts_without_null(packet.props().as_deref().unwrap_or_default())?;
    let session_expiry = packet.props().iter().flatten().find_map(|property| match property {
        Property::SessionExpiryInterval(seconds) => Some(seconds.val()),
        _ => None,
    });
    // Every reason but "normal" means that the will is wanted [MQTT-3.14.4-3].
    let with_will = body.first().is_some_and(|&code| code != 0);
    Ok(Packet::Disconnect { with_will, session_expiry })
}
