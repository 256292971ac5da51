//! States as they were said.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;
use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::PayloadError;
use crate::json::Member;

/// What a device said that it is, or what it was ordered to be: the text as it was sent. Two states
/// are equal when their texts are; what a kind of device takes for the same is
/// [`Kind::same`](crate::Kind::same).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct State(String);

impl State {
    /// Longest state, in bytes.
    pub const LONGEST: usize = 4096;

    /// Checks a text.
    ///
    /// # Errors
    /// When it is empty or longer than [`State::LONGEST`].
    pub fn new(text: impl Into<String>) -> Result<Self, PayloadError> {
        let text = text.into();
        if text.is_empty() {
            return Err(PayloadError::Empty);
        }
        if text.len() > Self::LONGEST {
            return Err(PayloadError::TooLarge { bytes: text.len(), limit: Self::LONGEST });
        }
        Ok(Self(text))
    }

    /// Reads a payload that is no JSON object: a JSON text such as `"open"` means the word in it, anything else
    /// means itself.
    ///
    /// # Errors
    /// As [`State::new`].
    pub(crate) fn bare(text: &str) -> Result<Self, PayloadError> {
        let quoted = text.trim();
        if quoted.starts_with('"')
            && let Ok(inner) = serde_json::from_str::<String>(quoted)
        {
            return Self::new(inner);
        }
        Self::new(text)
    }

    /// Reads a member of an object: a text's content, a number as it was written, or a boolean.
    ///
    /// # Errors
    /// As [`State::new`]; also when it is an array, an object, null or missing.
    pub(crate) fn of(member: Member<'_>) -> Result<Self, PayloadError> {
        let expected = "a text, a number or a boolean";
        match member {
            Member::Text(text) => Self::new(text),
            Member::Number(literal) => Self::new(literal),
            Member::Bool(on) => Self::new(if on { "true" } else { "false" }),
            Member::Null | Member::Nested => Err(PayloadError::Member { name: "state", expected }),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What programs of before version 6 of the site made of the text: words for on and off were 1 and 0, whatever
    /// looked like a number was one, and blanks around it were dropped. None for what they refused.
    #[must_use]
    pub fn canonical(&self) -> Option<Self> {
        let text = self.0.trim();
        let numeric = looks_numeric(text).then(|| text.parse::<f64>().ok()).flatten();
        match word(text).or(numeric) {
            // -0 and 0 were one state.
            Some(number) if number.is_finite() => Self::new((number + 0.0).to_string()).ok(),
            Some(_) => None,
            None => Self::new(text).ok(),
        }
    }

    /// Whether it is what such a program made of it.
    #[must_use]
    pub fn is_canonical(&self) -> bool {
        self.canonical().is_some_and(|canonical| canonical == *self)
    }

    /// The state as a JSON text.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::from(self.0.as_str())
    }

    /// The form in entries and digests.
    fn written(&self) -> Written<'_> {
        match number(&self.0) {
            // -0 was not written as a number.
            Some(number) if number.to_string() == self.0 && self.0 != "-0" => {
                Written::Number(number)
            }
            _ => Written::Text(Cow::Borrowed(&self.0)),
        }
    }
}

impl FromStr for State {
    type Err = PayloadError;

    fn from_str(text: &str) -> Result<Self, PayloadError> {
        Self::new(text)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A state in entries and digests. Gateways of version 0.1 took every text that looks like a number for one, wrote a
/// number, and fed a number into the digest. A text that is how a number prints still has that form, so that old
/// entries are read, and lead to the digest to which they led then.
#[derive(Serialize, Deserialize)]
enum Written<'a> {
    Number(f64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self.written() {
            Written::Number(number) => (0u8, number.to_bits()).hash(hasher),
            Written::Text(text) => (1u8, text).hash(hasher),
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) if number.is_finite() => number.to_string(),
            Written::Number(_) => return Err(serde::de::Error::custom("no finite number")),
            Written::Text(text) => text.into_owned(),
        };
        Self::new(text).map_err(serde::de::Error::custom)
    }
}

/// The finite number that a text is.
pub(crate) fn number(text: &str) -> Option<f64> {
    let number = looks_numeric(text).then(|| text.parse().ok()).flatten();
    number.filter(|number: &f64| number.is_finite())
}

/// 1 or 0 for the words for on and off, in capitals or not.
pub(crate) fn word(text: &str) -> Option<f64> {
    const ON: [&str; 4] = ["on", "active", "open", "true"];
    const OFF: [&str; 5] = ["off", "inactive", "closed", "close", "false"];
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ON.iter().any(is) {
        return Some(1.0);
    }
    OFF.iter().any(is).then_some(0.0)
}

/// `inf`, `nan` and `infinity` parse as numbers, but someone who writes them means a word.
fn looks_numeric(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && text.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;

    #[test]
    fn a_state_is_its_text() {
        for text in ["ON", "0E123456", "00123456", "+491701234567", "1.10", " x\n", "nan", "-0"] {
            assert_eq!(State::new(text).map(|state| state.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(State::new(""), Err(PayloadError::Empty));
        assert!(State::new("x".repeat(4097)).is_err());
    }

    #[test]
    fn older_programs_made_numbers_of_texts() {
        let canonical = |text: &str| {
            State::new(text).expect("short").canonical().map(|state| state.to_string())
        };
        for (text, made) in [
            ("ON", "1"),
            ("close", "0"),
            ("0E123456", "0"),
            ("+7", "7"),
            ("1.10", "1.1"),
            ("-0", "0"),
            (" half open\n", "half open"),
            ("nan", "nan"),
            ("\u{feff}ON", "\u{feff}ON"),
            ("12345678901234567890", "12345678901234567000"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(made), "{text}");
            assert!(State::new(made).is_ok_and(|made| made.is_canonical()), "{made}");
            assert_eq!(State::new(text).is_ok_and(|state| state.is_canonical()), text == made);
        }
        assert_eq!((canonical("1e999"), canonical(" ")), (None, None));
    }

    #[test]
    fn a_quoted_word_means_the_word() {
        let bare = |text: &str| State::bare(text).map(|state| state.to_string());
        assert_eq!(bare(" \"open\"\n").as_deref(), Ok("open"));
        assert_eq!(bare(r#""a \"b\"\n""#).as_deref(), Ok("a \"b\"\n"));
        assert_eq!(bare("\"open").as_deref(), Ok("\"open"));
        assert_eq!(bare("\"a\" or \"b\"").as_deref(), Ok("\"a\" or \"b\""));
        assert_eq!(bare("\"\""), Err(PayloadError::Empty));
    }

    #[test]
    fn the_form_of_numbers_is_that_of_version_0_1() {
        let form = |text: &str| match State::new(text).expect("short").written() {
            Written::Number(number) => Some(number),
            Written::Text(_) => None,
        };
        assert_eq!(form("1"), Some(1.0));
        assert_eq!(form("21.5"), Some(21.5));
        let hash = |what: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            what(&mut hasher);
            hasher.finish()
        };
        let state = |text: &str| State::new(text).expect("short");
        let number = hash(&|hasher| (0u8, 21.5_f64.to_bits()).hash(hasher));
        assert_eq!(hash(&|hasher| state("21.5").hash(hasher)), number);
        let word = hash(&|hasher| (1u8, "half open").hash(hasher));
        assert_eq!(hash(&|hasher| state("half open").hash(hasher)), word);
        for text in ["1.0", "+1", "01", "1e3", "-0", "inf", "9007199254740993", "1 ", "ON"] {
            assert_eq!(form(text), None, "{text}");
        }
    }
}
