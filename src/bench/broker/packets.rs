//! MQTT 3.1.1 as bytes, as much of it as a load client needs and as fast as it can be.

/// First bytes of packets.
pub(in crate::bench) const PUBACK: u8 = 0x40;
pub(super) const PUBREC: u8 = 0x50;
pub(super) const PUBREL: u8 = 0x62;
pub(super) const PUBCOMP: u8 = 0x70;
const CONNACK: u8 = 0x20;
const SUBACK: u8 = 0x90;

/// What a broker sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Packet<'b> {
    /// The byte is the return code.
    Connack(u8),
    /// The byte is the granted QoS, or 0x80.
    Suback(u8),
    Publish {
        qos: u8,
        pid: u16,
        payload: &'b [u8],
    },
    /// PUBACK, PUBREC, PUBREL or PUBCOMP by its first byte.
    Step(u8, u16),
    /// Nothing that a load client asked for.
    Other(u8),
}

/// The packet at the front of `bytes` and its length, once all of it is there.
pub(super) fn next(bytes: &[u8]) -> Option<(Packet<'_>, usize)> {
    let (mut length, mut at) = (0, 1);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 || at > 4 {
            break;
        }
    }
    let body = bytes.get(at..at + length)?;
    Some((packet(bytes[0], body), at + length))
}

fn packet(first: u8, body: &[u8]) -> Packet<'_> {
    match (first, body) {
        (CONNACK, &[_, code]) => Packet::Connack(code),
        (SUBACK, &[_, _, code]) => Packet::Suback(code),
        (PUBACK | PUBREC | PUBREL | PUBCOMP, &[high, low]) => {
            Packet::Step(first, u16::from_be_bytes([high, low]))
        }
        (0x30..=0x3F, &[high, low, ref rest @ ..]) => {
            let qos = (first >> 1) & 3;
            let topic = usize::from(u16::from_be_bytes([high, low]));
            let rest = rest.get(topic..).unwrap_or_default();
            match (qos, rest) {
                (0, payload) => Packet::Publish { qos, pid: 0, payload },
                (_, &[high, low, ref payload @ ..]) => {
                    Packet::Publish { qos, pid: u16::from_be_bytes([high, low]), payload }
                }
                _ => Packet::Other(first),
            }
        }
        _ => Packet::Other(first),
    }
}

/// Seconds that a client may be silent. Longer than any measurement; stock rumqttd does not take 0, which is none.
const KEEP_ALIVE: u16 = 3600;

/// A CONNECT with a clean session; `will` is a topic whose will is QoS 1.
pub(super) fn connect(client: &str, will: Option<&str>) -> Vec<u8> {
    let flags = if will.is_some() { 0b0000_1110 } else { 0b0000_0010 };
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, flags];
    body.extend_from_slice(&KEEP_ALIVE.to_be_bytes());
    put_string(&mut body, client);
    if let Some(topic) = will {
        put_string(&mut body, topic);
        put_string(&mut body, "gone");
    }
    whole(0x10, &body)
}

pub(super) fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    put_string(&mut body, filter);
    body.push(qos);
    whole(0x82, &body)
}

pub(super) fn step(out: &mut Vec<u8>, first: u8, pid: u16) {
    let [high, low] = pid.to_be_bytes();
    out.extend_from_slice(&[first, 2, high, low]);
}

/// A PUBLISH of a state; with QoS 1 its packet id is 1.
pub(in crate::bench) fn report(topic: &str, qos: u8, state: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put_string(&mut body, topic);
    if qos > 0 {
        body.extend_from_slice(&[0, 1]);
    }
    body.extend_from_slice(state.as_bytes());
    whole(0x30 | (qos << 1), &body)
}

/// A PUBLISH that differs from the next one only in its packet id and in the number its payload begins with.
#[derive(Debug, Clone)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Where the packet id is, if there is one.
    pid: Option<usize>,
    number: usize,
}

impl Template {
    /// The payload has at least the eight bytes of its number.
    pub(super) fn new(topic: &str, qos: u8, payload: usize) -> Self {
        let mut body = Vec::new();
        put_string(&mut body, topic);
        let pid_at = body.len();
        if qos > 0 {
            body.extend_from_slice(&[0, 0]);
        }
        let number_at = body.len();
        body.resize(number_at + payload.max(8), b'.');
        let bytes = whole(0x30 | (qos << 1), &body);
        let header = bytes.len() - body.len();
        Self { bytes, pid: (qos > 0).then_some(header + pid_at), number: header + number_at }
    }

    pub(super) fn has_id(&self) -> bool {
        self.pid.is_some()
    }

    pub(super) fn put(&mut self, out: &mut Vec<u8>, pid: u16, number: u64) {
        if let Some(at) = self.pid {
            self.bytes[at..at + 2].copy_from_slice(&pid.to_be_bytes());
        }
        self.bytes[self.number..self.number + 8].copy_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&self.bytes);
    }
}

/// The number that a [`Template`] wrote.
pub(super) fn number(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().copied().map(u64::from_be_bytes)
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    // Every string here is a short one of our own.
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn whole(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    while length > 127 {
        bytes.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for (qos, payload) in [(0, 8), (1, 64), (2, 300)] {
            let mut bytes = Vec::new();
            Template::new("bench/1", qos, payload).put(&mut bytes, 7, 42);
            let whole = bytes.len();
            assert_eq!(next(&bytes[..whole - 1]), None, "one byte is missing");
            bytes.push(0xD0);
            let Some((Packet::Publish { qos: read, pid, payload: content }, used)) = next(&bytes)
            else {
                panic!("QoS {qos} is a publish");
            };
            assert_eq!((read, used, content.len()), (qos, whole, payload));
            assert_eq!(pid, if qos == 0 { 0 } else { 7 });
            assert_eq!(number(content), Some(42));
        }
        let mut bytes = Vec::new();
        step(&mut bytes, PUBREC, 513);
        assert_eq!(next(&bytes), Some((Packet::Step(PUBREC, 513), 4)));
        assert_eq!(next(&[0x20, 2, 0, 5]), Some((Packet::Connack(5), 4)));
        assert_eq!(next(&[0x90, 3, 0, 1, 0x80]), Some((Packet::Suback(0x80), 5)));
    }
}
