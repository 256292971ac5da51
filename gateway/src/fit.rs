//! Answers that fit into a packet.

use wire::{Answer, RequestId};

/// A packet has at most 1 MiB, and topic and correlation data may take 64 KiB each of it.
const LARGEST: usize = (1024 - 2 * 64 - 1) * 1024;

/// The payload, or a refusal in its place: what is too large is sent by no link, and the requester
/// would wait in vain.
pub(crate) fn fitting(payload: Vec<u8>) -> Vec<u8> {
    if payload.len() <= LARGEST {
        return payload;
    }
    let answer = Answer::parse(&payload);
    let id = answer.ok().and_then(|answer| RequestId::new(answer.get("id").as_str()?).ok());
    let why = format!(
        "the answer has {} bytes, and {LARGEST} fit into a packet; ask for less, as with \"limit\"",
        payload.len()
    );
    Answer::error(why).with_id(id.as_ref()).to_json().to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_fits_into_no_packet_becomes_a_refusal_with_its_id() {
        let answer = |bytes| {
            let log = "x".repeat(bytes);
            format!(r#"{{"status":"ok","id":"7","log":"{log}"}}"#).into_bytes()
        };
        assert_eq!(fitting(answer(1000)), answer(1000));
        let refusal = Answer::parse(&fitting(answer(LARGEST))).expect("an answer");
        assert!(refusal.failure().is_some_and(|why| why.contains("limit")), "{refusal:?}");
        assert_eq!(refusal.get("id").as_str(), Some("7"));
    }
}
