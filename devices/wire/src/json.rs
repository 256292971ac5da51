//! JSON objects whose members keep their literal text: a number is not converted before its meaning is known.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::{Clock, PayloadError};

/// The text of a payload; a byte order mark before it is not part of it.
///
/// # Errors
/// When the payload has more than `limit` bytes or is not UTF-8.
pub(crate) fn text(payload: &[u8], limit: usize) -> Result<&str, PayloadError> {
    if payload.len() > limit {
        return Err(PayloadError::TooLarge { bytes: payload.len(), limit });
    }
    let text = core::str::from_utf8(payload).map_err(|_| PayloadError::NotText)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The members of a JSON object, by name. Of members with one name the last one counts.
#[derive(Debug, Default)]
pub(crate) struct Object<'a>(BTreeMap<String, &'a RawValue>);

/// A member's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Member<'a> {
    /// It is null, or there is none.
    Null,
    Bool(bool),
    /// The number as it was written.
    Number(&'a str),
    Text(String),
    /// An array or an object.
    Nested,
}

impl<'a> Object<'a> {
    /// Reads an object; none when `text` does not look like one.
    ///
    /// # Errors
    /// When it looks like one and is none.
    pub(crate) fn parse(text: &'a str) -> Result<Option<Self>, PayloadError> {
        if !text.trim_start().starts_with(['{', '[']) {
            return Ok(None);
        }
        match serde_json::from_str(text) {
            Ok(members) => Ok(Some(Self(members))),
            Err(_) if text.trim_start().starts_with('[') => {
                Err(PayloadError::BadJson("an object was expected".into()))
            }
            Err(error) => Err(PayloadError::BadJson(error.to_string())),
        }
    }

    /// Reads the object that a request's payload must be; an empty payload is an empty object.
    ///
    /// # Errors
    /// When it is anything else, or has more than `limit` bytes.
    pub(crate) fn required(payload: &'a [u8], limit: usize) -> Result<Self, PayloadError> {
        let text = text(payload, limit)?;
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        Self::parse(text)?.ok_or_else(|| PayloadError::BadJson("an object was expected".into()))
    }

    /// The value of a member.
    ///
    /// # Errors
    /// When it is a text with an escape that stands for no character.
    pub(crate) fn member(&self, name: &str) -> Result<Member<'a>, PayloadError> {
        self.0.get(name).map_or(Ok(Member::Null), |raw| Member::of(raw.get()))
    }

    /// The literal text of a member; none for null.
    pub(crate) fn literal(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|raw| raw.get()).filter(|text| *text != "null")
    }

    /// The sender's Lamport clock, 0 if it keeps none.
    pub(crate) fn clock(&self) -> Clock {
        let clock = self.literal("clock").and_then(|text| text.parse::<u64>().ok());
        // A clock near the end of its range would overflow everyone's: such a one is ignored.
        Clock(clock.filter(|clock| *clock < 1 << 60).unwrap_or(0))
    }

    /// A truth value; none when it is missing.
    ///
    /// # Errors
    /// When it is anything else.
    pub(crate) fn truth(&self, name: &'static str) -> Result<Option<bool>, PayloadError> {
        match self.member(name)? {
            Member::Null => Ok(None),
            Member::Bool(truth) => Ok(Some(truth)),
            _ => Err(PayloadError::Member { name, expected: "true or false" }),
        }
    }
}

impl<'a> Member<'a> {
    /// Reads a JSON value.
    ///
    /// # Errors
    /// When it is a text with an escape that stands for no character.
    fn of(literal: &'a str) -> Result<Self, PayloadError> {
        Ok(match literal.as_bytes().first() {
            Some(b'"') => Self::Text(
                serde_json::from_str(literal)
                    .map_err(|error| PayloadError::BadJson(error.to_string()))?,
            ),
            Some(b'{' | b'[') => Self::Nested,
            _ => match literal {
                "null" => Self::Null,
                "true" => Self::Bool(true),
                "false" => Self::Bool(false),
                number => Self::Number(number),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"a": 1.10 , "b":"x\u00e9\n", "c":true, "d":null, "e":[1], "a":12345678901234567890}"#;
        let object = Object::parse(text).expect("JSON").expect("an object");
        assert_eq!(object.member("a"), Ok(Member::Number("12345678901234567890")));
        assert_eq!(object.member("b"), Ok(Member::Text("xé\n".into())));
        assert_eq!(object.member("c"), Ok(Member::Bool(true)));
        assert_eq!(object.member("d"), Ok(Member::Null));
        assert_eq!(object.member("e"), Ok(Member::Nested));
        assert_eq!(object.member("f"), Ok(Member::Null));
    }

    #[test]
    fn what_is_no_object_is_refused_or_no_json_at_all() {
        assert!(Object::parse("ON").is_ok_and(|object| object.is_none()));
        for bad in ["{", "[1]", "{\"a\":}", "{} x", "{\"a\":01}"] {
            assert!(Object::parse(bad).is_err(), "{bad}");
        }
        let lone = Object::parse(r#"{"a":"\ud800"}"#).expect("JSON").expect("an object");
        assert!(lone.member("a").is_err());
    }
}
