//! Packets as bytes.

/// Version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1
    V3,
    /// 5.0
    V5,
}

/// A packet from the broker, as far as a client needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are called as in the standard")]
pub enum Packet {
    Connack { session: bool, code: u8 },
    Publish { topic: String, qos: u8, id: u16, payload: Vec<u8> },
    Puback { id: u16, code: u8 },
    Pubrec { id: u16, code: u8 },
    Pubrel { id: u16 },
    Pubcomp { id: u16 },
    Suback,
    Pingresp,
    Disconnect { code: u8 },
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Publish<'a> {
    /// Where to.
    pub topic: &'a str,
    /// What.
    pub payload: &'a [u8],
    /// How: 0, 1 or 2.
    pub qos: u8,
    /// Packet id; at QoS 0 none is sent.
    pub id: u16,
    /// Whether it was sent before.
    pub dup: bool,
    /// Where to answer; MQTT 5 only.
    pub answer_to: Option<&'a str>,
}

impl Publish<'_> {
    pub(crate) fn encode(&self, version: Version, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        text(self.topic, &mut body);
        if self.qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        if version == Version::V5 {
            let mut properties = Vec::new();
            if let Some(topic) = self.answer_to {
                properties.push(0x08);
                text(topic, &mut properties);
            }
            length(properties.len(), &mut body);
            body.extend(properties);
        }
        body.extend(self.payload);
        let dup = if self.dup { 0x08 } else { 0 };
        whole(0x30 | dup | self.qos << 1, &body, out);
    }
}

pub(crate) fn connect(version: Version, client: &str, clean: bool, keep_alive: u16) -> Vec<u8> {
    let mut body = Vec::new();
    text("MQTT", &mut body);
    body.push(if version == Version::V5 { 5 } else { 4 });
    body.push(if clean { 0x02 } else { 0 });
    body.extend(keep_alive.to_be_bytes());
    if version == Version::V5 {
        // Session Expiry Interval: an hour.
        body.extend([5, 0x11, 0, 0, 14, 16]);
    }
    text(client, &mut body);
    let mut out = Vec::new();
    whole(0x10, &body, &mut out);
    out
}

/// Subscribes to one filter at QoS 1.
pub(crate) fn subscribe(version: Version, filter: &str) -> Vec<u8> {
    let mut body = vec![0, 1];
    if version == Version::V5 {
        body.push(0);
    }
    text(filter, &mut body);
    body.push(1);
    let mut out = Vec::new();
    whole(0x82, &body, &mut out);
    out
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP by its first byte.
pub(crate) fn acknowledge(first: u8, id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [first, 2, high, low]
}

/// Takes the first whole packet out of `buffer`, if there is one.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn decode(version: Version, buffer: &mut Vec<u8>) -> Result<Option<Packet>, String> {
    let Some((size, head)) = remaining(buffer, 1)? else { return Ok(None) };
    let end = 1 + head + size;
    if buffer.len() < end {
        return Ok(None);
    }
    let packet: Vec<u8> = buffer.drain(..end).collect();
    let body = packet.get(1 + head..).unwrap_or_default();
    parse(version, packet[0], body).map(Some).ok_or_else(|| format!("no packet: {packet:02x?}"))
}

fn parse(version: Version, first: u8, body: &[u8]) -> Option<Packet> {
    let number = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
    let code = |at: usize| body.get(at).copied().unwrap_or(0);
    Some(match first >> 4 {
        2 => Packet::Connack { session: code(0) & 1 == 1, code: code(1) },
        3 => {
            let (qos, length) = (first >> 1 & 3, usize::from(number(0)?));
            let topic = String::from_utf8(body.get(2..2 + length)?.to_vec()).ok()?;
            let mut at = 2 + length;
            let id = if qos > 0 { number(at)? } else { 0 };
            at += if qos > 0 { 2 } else { 0 };
            if version == Version::V5 {
                let (properties, head) = remaining(body, at).ok()??;
                at += head + properties;
            }
            Packet::Publish { topic, qos, id, payload: body.get(at..)?.to_vec() }
        }
        4 => Packet::Puback { id: number(0)?, code: code(2) },
        5 => Packet::Pubrec { id: number(0)?, code: code(2) },
        6 => Packet::Pubrel { id: number(0)? },
        7 => Packet::Pubcomp { id: number(0)? },
        9 => Packet::Suback,
        13 => Packet::Pingresp,
        14 => Packet::Disconnect { code: code(0) },
        _ => return None,
    })
}

/// A variable byte integer at `at`, and how many bytes it takes.
fn remaining(bytes: &[u8], at: usize) -> Result<Option<(usize, usize)>, String> {
    let mut value = 0;
    for (place, byte) in bytes.iter().skip(at).take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((value, place + 1)));
        }
    }
    if bytes.len() >= at + 4 {
        Err("a length of more than four bytes".to_owned())
    } else {
        Ok(None)
    }
}

fn whole(first: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    length(body.len(), out);
    out.extend(body);
}

fn length(mut length: usize, out: &mut Vec<u8>) {
    loop {
        let more = if length > 0x7f { 0x80 } else { 0 };
        out.push((length & 0x7f) as u8 | more);
        length >>= 7;
        if length == 0 {
            return;
        }
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_in_pieces_and_in_both_versions() {
        for version in [Version::V3, Version::V5] {
            let payload = [7; 200];
            let message = Publish {
                topic: "a/b",
                payload: &payload,
                qos: 1,
                id: 9,
                dup: true,
                answer_to: Some("r"),
            };
            let mut bytes = Vec::new();
            message.encode(version, &mut bytes);
            let mut buffer = Vec::new();
            for byte in &bytes[..bytes.len() - 1] {
                buffer.push(*byte);
                assert_eq!(decode(version, &mut buffer), Ok(None));
            }
            buffer.push(bytes[bytes.len() - 1]);
            let payload = payload.to_vec();
            let expected = Packet::Publish { topic: "a/b".to_owned(), qos: 1, id: 9, payload };
            assert_eq!(decode(version, &mut buffer), Ok(Some(expected)));
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn an_acknowledgement_with_a_reason_is_a_refusal() {
        let mut buffer = vec![0x40, 3, 0, 5, 0x97];
        let packet = decode(Version::V5, &mut buffer);
        assert_eq!(packet, Ok(Some(Packet::Puback { id: 5, code: 0x97 })));
    }
}
