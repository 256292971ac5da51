//! Properties of a publish, as they are on the wire.

use broker_core::protocol::Outgoing;

/// What a client finds in a message.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) response_topic: Option<String>,
    pub(crate) correlation: Option<Vec<u8>>,
    pub(crate) user: Vec<(String, String)>,
}

const RESPONSE_TOPIC: u8 = 0x08;
const CORRELATION: u8 = 0x09;
const USER: u8 = 0x26;

/// The properties of a delivery: its publisher's, and the broker's own.
pub(crate) fn read(outgoing: &Outgoing) -> Found {
    let mut found = Found::default();
    for part in [&outgoing.message.properties, &outgoing.extra] {
        read_part(part, &mut found);
    }
    found
}

fn read_part(encoded: &[u8], found: &mut Found) {
    let mut rest = encoded;
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        match *kind {
            0x01 => rest = &rest[1..],
            USER => {
                let (name, value) = (text(&mut rest), text(&mut rest));
                found.user.push((name, value));
            }
            RESPONSE_TOPIC => found.response_topic = Some(text(&mut rest)),
            CORRELATION => found.correlation = Some(bytes(&mut rest).to_vec()),
            _ => drop(bytes(&mut rest).len()),
        }
    }
}

fn bytes<'b>(rest: &mut &'b [u8]) -> &'b [u8] {
    let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    let (found, after) = rest[2..].split_at(length);
    *rest = after;
    found
}

fn text(rest: &mut &[u8]) -> String {
    String::from_utf8(bytes(rest).to_vec()).expect("a broker of ours passes on UTF-8 only")
}

/// Correlation Data, encoded.
pub(crate) fn correlation(data: &[u8]) -> Box<[u8]> {
    property(CORRELATION, data)
}

/// A Response Topic, encoded.
pub(crate) fn response_topic(topic: &str) -> Box<[u8]> {
    property(RESPONSE_TOPIC, topic.as_bytes())
}

fn property(kind: u8, data: &[u8]) -> Box<[u8]> {
    let length = u16::try_from(data.len()).expect("a short property");
    let mut encoded = vec![kind];
    encoded.extend(length.to_be_bytes());
    encoded.extend(data);
    encoded.into()
}
