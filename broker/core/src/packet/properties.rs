//! Encoded properties of a publish.

use bytes::{BufMut, BytesMut};

/// The properties without the user properties of these names.
pub fn without_user_properties(encoded: &[u8], names: &[&str]) -> Box<[u8]> {
    let mut kept = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(length) = length(rest) {
        let (property, after) = rest.split_at(length);
        if !named(property, names) {
            kept.extend_from_slice(property);
        }
        rest = after;
    }
    kept.into()
}

/// The Response Topic, if there is one.
pub fn response_topic(encoded: &[u8]) -> Option<&str> {
    let mut rest = encoded;
    while let Some(length) = length(rest) {
        if rest.first() == Some(&0x08) {
            return std::str::from_utf8(text(rest, 1)?).ok();
        }
        rest = &rest[length..];
    }
    None
}

/// The Correlation Data as it is encoded; empty if there is none.
pub fn correlation(encoded: &[u8]) -> Box<[u8]> {
    let mut rest = encoded;
    while let Some(length) = length(rest) {
        if rest.first() == Some(&0x09) {
            return rest[..length].into();
        }
        rest = &rest[length..];
    }
    Box::default()
}

/// A user property, encoded.
#[must_use]
pub fn user_property(key: &str, value: &str) -> Vec<u8> {
    let mut bytes = BytesMut::with_capacity(5 + key.len() + value.len());
    bytes.put_u8(0x26);
    for text in [key, value] {
        // Both are short and our own.
        bytes.put_u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
        bytes.put_slice(text.as_bytes());
    }
    bytes.to_vec()
}

fn named(property: &[u8], names: &[&str]) -> bool {
    property.first() == Some(&0x26)
        && text(property, 1).is_some_and(|name| names.iter().any(|other| other.as_bytes() == name))
}

/// Length of the first property; the decoder has let only these kinds through.
fn length(encoded: &[u8]) -> Option<usize> {
    let length = match encoded.first()? {
        0x01 => 2,
        0x26 => {
            let key = 3 + text(encoded, 1)?.len();
            key + 2 + text(encoded, key)?.len()
        }
        _ => 3 + text(encoded, 1)?.len(),
    };
    (length <= encoded.len()).then_some(length)
}

fn text(encoded: &[u8], at: usize) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*encoded.get(at)?, *encoded.get(at + 1)?]));
    encoded.get(at + 2..at + 2 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_user_properties_go() {
        let format = [0x01, 1];
        let encoded = [
            &format[..],
            &user_property("a", "1"),
            &user_property("b", "2"),
            &user_property("a", "3"),
        ]
        .concat();
        let kept = [&format[..], &user_property("b", "2")].concat();
        assert_eq!(*without_user_properties(&encoded, &["a", "c"]), kept);
    }
}
