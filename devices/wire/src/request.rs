//! What anyone may ask: `set`, `get`, and the verbs of the API.

use core::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::GatewayId;
use crate::json::{Member, Object, text};
use crate::{Clock, Device, Kind, PayloadError, State, Zone};

/// Largest request, in bytes.
const LARGEST: usize = 64 * 1024;

/// Name that a client gave its request: echoed in the answer, and with it a repeated `report` or
/// `set` is recognised. Ids are the same when their texts are; a number's text is as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct RequestId(String);

impl RequestId {
    /// Longest id, in bytes.
    pub const LONGEST: usize = 128;

    /// Checks an id.
    ///
    /// # Errors
    /// When it is empty or longer than [`RequestId::LONGEST`].
    pub fn new(text: impl Into<String>) -> Result<Self, PayloadError> {
        let text = text.into();
        if text.is_empty() || text.len() > Self::LONGEST { Err(BAD_ID) } else { Ok(Self(text)) }
    }

    /// Reads member `id` of a request.
    ///
    /// # Errors
    /// When it is neither a text of 1 to 128 bytes nor a number.
    pub(crate) fn of(object: &Object<'_>) -> Result<Option<Self>, PayloadError> {
        match object.member("id")? {
            Member::Null => Ok(None),
            Member::Text(text) => Self::new(text).map(Some),
            Member::Number(literal) => Self::new(literal).map(Some),
            Member::Bool(_) | Member::Nested => Err(BAD_ID),
        }
    }

    /// The id as JSON text.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::from(self.0.as_str())
    }
}

impl TryFrom<String> for RequestId {
    type Error = PayloadError;

    fn try_from(text: String) -> Result<Self, PayloadError> {
        Self::new(text)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// `<site>/<zone>/<device>/set`: a bare state, or
/// `{"state": …, "wait": "state", "expires": seconds, "reply_to": topic, "id": …, "clock": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetRequest {
    /// What the device shall be.
    pub state: State,
    /// Answer only after the matching report is agreed, instead of when the order is.
    pub wait_for_state: bool,
    /// Milliseconds after which an unfulfilled order is dropped; none for never.
    pub expires: Option<u64>,
    /// Where to answer when the publish has no Response Topic.
    pub reply_to: Option<String>,
    /// Name of the request.
    pub id: Option<RequestId>,
    /// Lamport clock of the sender, 0 if it keeps none.
    pub clock: Clock,
}

impl SetRequest {
    /// Reads a payload.
    ///
    /// # Errors
    /// As [`crate::Report::parse`].
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let text = text(payload, LARGEST)?;
        let Some(object) = Object::parse(text)? else {
            return Ok(Self {
                state: State::bare(text)?,
                wait_for_state: false,
                expires: None,
                reply_to: None,
                id: None,
                clock: Clock(0),
            });
        };
        let wait_for_state = match object.member("wait")? {
            Member::Null => false,
            Member::Text(what) if what == "state" => true,
            _ => return Err(PayloadError::Member { name: "wait", expected: "\"state\"" }),
        };
        let expires = object.literal("expires").map(|text| seconds(text).ok_or(BAD_EXPIRES));
        Ok(Self {
            state: State::of(object.member("state")?)?,
            wait_for_state,
            expires: expires.transpose()?,
            reply_to: reply_to(&object)?,
            id: RequestId::of(&object)?,
            clock: object.clock(),
        })
    }
}

/// `<site>/<zone>/<device>/get`: nothing, or `{"refresh": true, "reply_to": topic, "id": …}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetRequest {
    /// Ask the device itself when the state is not cached.
    pub refresh: bool,
    /// Where to answer when the publish has no Response Topic.
    pub reply_to: Option<String>,
    /// Name of the request.
    pub id: Option<RequestId>,
    /// Lamport clock of the sender, 0 if it keeps none.
    pub clock: Clock,
}

impl GetRequest {
    /// Reads a payload; an empty one asks for nothing special.
    ///
    /// # Errors
    /// When it is neither empty nor a JSON object with members of the right types.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        if payload.is_empty() {
            return Ok(Self::default());
        }
        let object = Object::required(payload, LARGEST)?;
        let refresh = object.truth("refresh")?.unwrap_or(false);
        let (reply_to, id) = (reply_to(&object)?, RequestId::of(&object)?);
        Ok(Self { refresh, reply_to, id, clock: object.clock() })
    }
}

/// `hearth/<site>/gateway/<n>/get`: `{"zone": …, "device": …}` or `zone/device`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalGet {
    /// Zone of the device.
    pub zone: Zone,
    /// Name of the device.
    pub device: Device,
}

impl LocalGet {
    /// Reads a payload.
    ///
    /// # Errors
    /// When zone or device is missing or no valid name.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let text = text(payload, LARGEST)?;
        if let Some(object) = Object::parse(text)? {
            return Ok(Self { zone: named(&object, "zone")?, device: named(&object, "device")? });
        }
        let pair = text.trim().split_once('/').and_then(|(zone, device)| {
            Some(Self { zone: zone.parse().ok()?, device: device.parse().ok()? })
        });
        pair.ok_or(PayloadError::Member { name: "device", expected: "written as <zone>/<device>" })
    }
}

/// `hearth/<site>/api/register`: `{"zone": …, "name": …, "kind": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// Zone of the device.
    pub zone: Zone,
    /// Its name.
    pub device: Device,
    /// What it is.
    pub kind: Kind,
}

impl Register {
    /// Reads a payload.
    ///
    /// # Errors
    /// When it is no JSON object with `zone`, `name` and, if given, a known `kind`.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let object = Object::required(payload, LARGEST)?;
        let kind = match object.literal("kind") {
            None => Kind::default(),
            Some(_) => named(&object, "kind")?,
        };
        Ok(Self { zone: named(&object, "zone")?, device: named(&object, "name")?, kind })
    }

    /// The payload.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({"zone": self.zone, "name": self.device, "kind": self.kind.name()})
    }
}

/// `hearth/<site>/api/voters`: nothing to ask who votes, or `{"add": [4], "remove": [1]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VotersRequest {
    /// Gateways that shall have a vote.
    pub add: Vec<GatewayId>,
    /// Gateways that shall have none.
    pub remove: Vec<GatewayId>,
}

impl VotersRequest {
    /// Reads a payload; an empty one changes nothing.
    ///
    /// # Errors
    /// When it is neither empty nor a JSON object, or names what is no gateway.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        if payload.is_empty() {
            return Ok(Self::default());
        }
        let object = Object::required(payload, LARGEST)?;
        Ok(Self { add: gateways(&object, "add")?, remove: gateways(&object, "remove")? })
    }

    /// The payload.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({"add": self.add, "remove": self.remove})
    }
}

/// A list of gateways, or one alone, or none.
fn gateways(object: &Object<'_>, name: &'static str) -> Result<Vec<GatewayId>, PayloadError> {
    let gateway = |json: &Json| {
        let id = json.as_u64().and_then(|id| u8::try_from(id).ok());
        let id = id.filter(|id| (1..=254).contains(id)).map(GatewayId);
        id.ok_or(PayloadError::Member { name, expected: "a list of gateways, 1 to 254" })
    };
    let literal = object.literal(name).unwrap_or("[]");
    match serde_json::from_str(literal).map_err(|e| PayloadError::BadJson(e.to_string()))? {
        Json::Array(ids) => ids.iter().map(gateway).collect(),
        id => Ok(vec![gateway(&id)?]),
    }
}

const BAD_ID: PayloadError =
    PayloadError::Member { name: "id", expected: "a text of 1 to 128 bytes or a number" };

const BAD_EXPIRES: PayloadError =
    PayloadError::Member { name: "expires", expected: "a number of seconds above 0" };

fn reply_to(object: &Object<'_>) -> Result<Option<String>, PayloadError> {
    match object.member("reply_to")? {
        Member::Null => Ok(None),
        Member::Text(topic) if publishable(&topic) => Ok(Some(topic)),
        _ => Err(PayloadError::Member { name: "reply_to", expected: "a topic without wildcards" }),
    }
}

fn publishable(topic: &str) -> bool {
    !topic.is_empty()
        && topic.len() <= 1024
        && !topic.contains(['+', '#', '\0'])
        && !topic.starts_with('$')
}

fn named<T: core::str::FromStr>(
    object: &Object<'_>,
    name: &'static str,
) -> Result<T, PayloadError> {
    let expected = match name {
        "kind" => "one of temperature, motion, door, bulb, outlet, sensor, device",
        _ => "a name of 1 to 128 bytes without / + # and control characters",
    };
    let Member::Text(text) = object.member(name)? else {
        return Err(PayloadError::Member { name, expected });
    };
    text.parse().map_err(|_| PayloadError::Member { name, expected })
}

fn seconds(literal: &str) -> Option<u64> {
    let seconds: f64 = literal.parse().ok()?;
    let sensible = seconds.is_finite() && seconds > 0.0 && seconds < 1e9;
    sensible.then_some((seconds * 1000.0).ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_are_named_one_by_one_or_in_lists() {
        let parse = |text: &str| VotersRequest::parse(text.as_bytes());
        assert_eq!(parse(""), Ok(VotersRequest::default()));
        let both = VotersRequest { add: vec![GatewayId(4)], remove: vec![GatewayId(1)] };
        assert_eq!(parse(r#"{"add": 4, "remove": [1]}"#), Ok(both.clone()));
        assert_eq!(parse(&both.to_json().to_string()), Ok(both));
        for bad in [r#"{"add": 0}"#, r#"{"add": [300]}"#, r#"{"remove": "one"}"#, "[]"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_set_is_a_bare_state_or_an_object() {
        let bare = SetRequest::parse(b"ON").expect("valid");
        assert_eq!((bare.state.as_str(), bare.wait_for_state), ("ON", false));
        let full = br#"{"state":"off","wait":"state","expires":1.5,"reply_to":"r/1","id":7}"#;
        let full = SetRequest::parse(full).expect("valid");
        assert_eq!(full.state.as_str(), "off");
        assert!(full.wait_for_state);
        assert_eq!(full.expires, Some(1500));
        assert_eq!(full.reply_to.as_deref(), Some("r/1"));
        assert_eq!(full.id, RequestId::new("7").ok());
    }

    #[test]
    fn an_id_is_its_exact_text() {
        let id = |text: &str| {
            let set = SetRequest::parse(format!(r#"{{"state":1,"id":{text}}}"#).as_bytes());
            set.expect("valid").id.map(|id| id.to_string())
        };
        for number in ["18446744073709551616", "18446744073709551617", "1.0", "1", "1e0", "-0"] {
            assert_eq!(id(number).as_deref(), Some(number));
        }
        assert_eq!(id("\"7\""), id("7"));
        assert_eq!(id("null"), None);
    }

    #[test]
    fn wrong_members_are_named() {
        let error = |payload: &[u8]| SetRequest::parse(payload).expect_err("refused").to_string();
        assert!(error(br#"{"state":1,"reply_to":"a/#"}"#).contains("reply_to"));
        assert!(error(br#"{"state":1,"wait":"order"}"#).contains("wait"));
        assert!(error(br#"{"state":1,"expires":-1}"#).contains("expires"));
        assert!(error(b"[1]").contains("object"));
        let error = Register::parse(br#"{"zone":"a/b","name":"x"}"#).expect_err("refused");
        assert!(error.to_string().contains("\"zone\""));
        assert!(GetRequest::parse(b"now").is_err());
    }

    #[test]
    fn a_local_get_names_its_device_either_way() {
        let bare = LocalGet::parse(b"hallway/doorSensor").expect("valid");
        let json = LocalGet::parse(br#"{"zone":"hallway","device":"doorSensor"}"#).expect("valid");
        assert_eq!(bare, json);
        assert!(LocalGet::parse(b"hallway").is_err());
    }
}
