//! States, and the messages that carry them: `state` to everyone, `command` to the device.

use core::fmt;
use core::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Clock, GatewayId, NodeId, OrderNumber, PayloadError, Seq, UnixMillis};

/// A canonical state: `ON`, `on`, `1`, `active`, `open` and `true` are 1, their opposites 0,
/// anything else is a number or a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub enum State {
    /// A finite number.
    Number(f64),
    /// Any other text.
    Text(String),
}

// The number is finite and never -0.0, so equality is an equivalence.
impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self {
            Self::Number(number) => (0u8, number.to_bits()).hash(hasher),
            Self::Text(text) => (1u8, text).hash(hasher),
        }
    }
}

/// What bytes say that a state is. It need not be canonical, and would then not come back from a replica's tables.
#[derive(Deserialize)]
enum Written {
    Number(f64),
    Text(String),
}

impl TryFrom<Written> for State {
    type Error = PayloadError;

    fn try_from(written: Written) -> Result<Self, PayloadError> {
        let expected = "written in its canonical form";
        let (canonical, same) = match written {
            Written::Number(number) => {
                let canonical = Self::number(number)?;
                let same = number.is_sign_positive() || number != 0.0;
                (canonical, same)
            }
            Written::Text(text) => {
                let canonical = Self::parse(&text)?;
                let same = canonical == Self::Text(text);
                (canonical, same)
            }
        };
        same.then_some(canonical).ok_or(PayloadError::Member { name: "state", expected })
    }
}

impl State {
    /// Longest text state, in bytes.
    pub const LONGEST: usize = 4096;

    /// On, open, active.
    pub const ON: Self = Self::Number(1.0);

    /// Off, closed, inactive.
    pub const OFF: Self = Self::Number(0.0);

    /// Reads a state as people and devices write it.
    ///
    /// # Errors
    /// When it is empty, longer than [`State::LONGEST`], or a number that is not finite.
    pub fn parse(text: &str) -> Result<Self, PayloadError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(PayloadError::Empty);
        }
        if text.len() > Self::LONGEST {
            return Err(PayloadError::TooLarge { bytes: text.len(), limit: Self::LONGEST });
        }
        match text.to_ascii_lowercase().as_str() {
            "on" | "1" | "active" | "open" | "true" => Ok(Self::ON),
            "off" | "0" | "inactive" | "closed" | "close" | "false" => Ok(Self::OFF),
            other => match other.parse::<f64>() {
                Ok(number) if looks_numeric(other) => Self::number(number),
                _ => Ok(Self::Text(text.to_owned())),
            },
        }
    }

    /// A number as a state.
    ///
    /// # Errors
    /// When it is infinite or not a number.
    pub fn number(number: f64) -> Result<Self, PayloadError> {
        if number.is_finite() {
            // -0.0 and 0.0 are one state, also to a hash.
            Ok(Self::Number(if number == 0.0 { 0.0 } else { number }))
        } else {
            Err(PayloadError::NotFinite)
        }
    }

    /// A JSON scalar as a state.
    ///
    /// # Errors
    /// As [`State::parse`]; also when it is an array, an object or null.
    pub fn from_json(json: &Json) -> Result<Self, PayloadError> {
        let expected = "a text, a number or a boolean";
        match json {
            Json::Bool(on) => Ok(if *on { Self::ON } else { Self::OFF }),
            Json::Number(number) => match number.as_f64() {
                Some(number) => Self::number(number),
                None => Err(PayloadError::NotFinite),
            },
            Json::String(text) => Self::parse(text),
            Json::Null | Json::Array(_) | Json::Object(_) => {
                Err(PayloadError::Member { name: "state", expected })
            }
        }
    }

    /// The JSON scalar of this state; whole numbers have no fraction.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Number(number) if is_whole(*number) => Json::from(*number as i64),
            Self::Number(number) => Json::from(*number),
            Self::Text(text) => Json::from(text.as_str()),
        }
    }

    /// Whether this is the state 1: on, open, active.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self == Self::ON
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.pad(text),
        }
    }
}

/// The last agreed order of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// What the device shall be.
    pub state: State,
    /// Number of the order.
    pub order: OrderNumber,
}

/// Both registers of a device, as published retained on `<site>/<zone>/<device>/state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateMessage {
    /// Last agreed report; none before the first.
    pub state: Option<State>,
    /// Last agreed order; none before the first.
    pub desired: Option<Desired>,
    /// Number of the last agreed change of this device.
    pub seq: Seq,
    /// When that change was agreed.
    pub time: UnixMillis,
    /// Number of the device.
    pub node: NodeId,
    /// Lamport clock of the change.
    pub clock: Clock,
    /// The gateway that says so.
    pub owner: GatewayId,
}

impl StateMessage {
    /// The payload.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let mut json = serde_json::json!({
            "state": self.state.as_ref().map(State::to_json),
            "seq": self.seq,
            "time": self.time,
            "node": self.node,
            "clock": self.clock,
            "owner": self.owner,
        });
        if let Some(desired) = &self.desired {
            json["desired"] =
                serde_json::json!({"state": desired.state.to_json(), "order": desired.order});
        }
        json
    }
}

/// The agreed order, as published on `<site>/<zone>/<device>/command`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Number of the order; a device drops a number that it has seen.
    pub order: OrderNumber,
    /// What the device shall be.
    pub state: State,
    /// Lamport clock of the order.
    pub clock: Clock,
}

impl Command {
    /// The payload that asks a device to report what it is, and orders nothing.
    pub const REPORT: &'static [u8] = br#"{"report":true}"#;

    /// The payload.
    #[must_use]
    pub fn to_json(&self) -> Json {
        serde_json::json!({"order": self.order, "state": self.state.to_json(), "clock": self.clock})
    }

    /// Reads a payload, as a device does.
    ///
    /// # Errors
    /// When it is no JSON object with `order` and `state`.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let json: Json =
            serde_json::from_slice(payload).map_err(|e| PayloadError::BadJson(e.to_string()))?;
        let expected = "a whole number from 1";
        let order = json["order"]
            .as_u64()
            .filter(|order| *order > 0)
            .ok_or(PayloadError::Member { name: "order", expected })?;
        Ok(Self {
            order: OrderNumber(order),
            state: State::from_json(&json["state"])?,
            clock: crate::request::clock(&json),
        })
    }
}

/// `inf`, `nan` and `infinity` parse as numbers, but someone who writes them means a word.
fn looks_numeric(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && text.contains(|c: char| c.is_ascii_digit())
}

fn is_whole(number: f64) -> bool {
    // Beyond 2^53 not every whole number is exact, so such a one keeps its float form.
    number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_spellings_are_one_state() {
        for on in ["ON", "on", "1", "active", "ACTIVE", "open", "true", " ON\n"] {
            assert_eq!(State::parse(on), Ok(State::ON), "{on}");
        }
        for off in ["OFF", "off", "0", "inactive", "closed", "CLOSE", "false", "-0"] {
            assert_eq!(State::parse(off), Ok(State::OFF), "{off}");
        }
        assert_eq!(State::parse("21.5"), Ok(State::Number(21.5)));
        assert_eq!(State::parse("nan"), Ok(State::Text("nan".into())));
        assert_eq!(State::parse("1e999"), Err(PayloadError::NotFinite));
        assert_eq!(State::parse(""), Err(PayloadError::Empty));
        assert_eq!(State::from_json(&Json::Bool(true)), Ok(State::ON));
        assert!(State::from_json(&Json::Null).is_err());
    }

    #[test]
    fn a_state_comes_back_from_its_json() {
        for text in ["ON", "21.5", "-3", "half open", "1e300"] {
            let state = State::parse(text).expect(text);
            assert_eq!(State::from_json(&state.to_json()), Ok(state));
        }
    }
}
