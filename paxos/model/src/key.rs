//! What tells one replica from another, as far as the model goes.
//!
//! Time stands still and ticks never come, so whatever only sets or reads a timer can have no effect. It must not
//! tell states apart either: each message that comes in once more takes a random number for the next timeout, and
//! the states would never end.

use std::fmt::Debug;

/// Fields of a replica that nothing in the model depends on.
const LEFT_OUT: [&str; 9] = [
    // The same in all lives of a replica but for the seed, and its number is part of the name.
    "config", // They only decide how long to wait.
    "random", "timer", "failures", "patience",
    // Whom to believe alive: read by timeouts, and by answers to pre-votes, which the model does without.
    "heard",
    // Whom to send requests or questions to: the model proposes to leaders only, and nobody asks.
    "leader",
    // When and whom to ask for what is missing: nobody is late by more than two windows, and time stands still.
    "catch_up",
    // Who answered when and how far it is: a leader's doubts, and whether voters are ready, which all of them always
    // are, as time stands still and nobody is late by more than two windows.
    "peers",
];

/// All that matters, in words.
pub(crate) fn name(replica: &impl Debug) -> String {
    without(&format!("{replica:?}"), &LEFT_OUT)
}

/// A debug text without some fields.
fn without(text: &str, fields: &[&str]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(' ') {
        let (before, after) = rest.split_at(at + 1);
        kept.push_str(before);
        let named = |field: &&&str| {
            after.strip_prefix(**field).is_some_and(|value| value.starts_with(": "))
        };
        rest = fields.iter().find(named).map_or(after, |field| &after[value_end(after, field)..]);
    }
    kept + rest
}

/// Where the value of the field that `text` begins with ends.
fn value_end(text: &str, field: &str) -> usize {
    let mut depth = 0;
    let mut bytes = text.bytes().enumerate().skip(field.len());
    let end = bytes.find(|(_, byte)| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        depth < 0 || depth == 0 && *byte == b','
    });
    end.map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_fields_go() {
        let text = "A { leader: Some(B { x: [1, 2] }), y: Leader(3), z: C { leader: None } }";
        assert_eq!(without(text, &["leader"]), "A { , y: Leader(3), z: C { } }");
        assert_eq!(without(text, &["z", "leader"]), "A { , y: Leader(3), }");
    }
}
