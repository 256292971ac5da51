//! What a device says: `<site>/<zone>/<device>/report`.

use crate::json::{Member, Object, text};
use crate::request::RequestId;
use crate::{Clock, Kind, OrderNumber, PayloadError, State};

/// A checked report: a bare state (`ON`, `21.5`, `open`, `"open"`), or an object
/// `{"state": …, "presence": …, "kind": …, "order": …, "id": …, "clock": …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What the device is now.
    pub state: State,
    /// Whether a presence sensor saw someone at the door; none when there is no such sensor.
    pub presence: Option<bool>,
    /// What the device is; taken when the report registers it.
    pub kind: Option<Kind>,
    /// The order that this report fulfils.
    pub order: Option<OrderNumber>,
    /// Name of this report, unique for its client: repeated, it is the same report.
    pub id: Option<RequestId>,
    /// Lamport clock of the sender, 0 if it keeps none.
    pub clock: Clock,
}

impl Report {
    /// Largest payload, in bytes.
    pub const LARGEST: usize = 64 * 1024;

    /// A report of nothing but a state.
    #[must_use]
    pub fn of(state: State) -> Self {
        Self { state, presence: None, kind: None, order: None, id: None, clock: Clock(0) }
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// When it is empty, too large, no text, no valid JSON object, or a member has a wrong type.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let text = text(payload, Self::LARGEST)?;
        let Some(object) = Object::parse(text)? else { return Ok(Self::of(State::bare(text)?)) };
        let kind = match object.member("kind")? {
            Member::Null => None,
            Member::Text(name) => Some(name.parse().map_err(|_| UNKNOWN_KIND)?),
            _ => return Err(UNKNOWN_KIND),
        };
        let order = object.literal("order").map(str::parse).transpose();
        let order =
            order.map_err(|_| PayloadError::Member { name: "order", expected: "a number" })?;
        Ok(Self {
            state: State::of(object.member("state")?)?,
            presence: object.truth("presence")?,
            kind,
            order: order.map(OrderNumber),
            id: RequestId::of(&object)?,
            clock: object.clock(),
        })
    }

    /// The payload: bare when there is nothing but a state, and it could not be taken for anything else.
    #[must_use]
    pub fn to_payload(&self) -> String {
        let bare = self.state.as_str().to_owned();
        if Self::parse(bare.as_bytes()).as_ref() == Ok(self) {
            return bare;
        }
        let mut json = serde_json::json!({"state": self.state.to_json()});
        if let Some(presence) = self.presence {
            json["presence"] = presence.into();
        }
        if let Some(kind) = self.kind {
            json["kind"] = kind.name().into();
        }
        if let Some(order) = self.order {
            json["order"] = order.0.into();
        }
        if let Some(id) = &self.id {
            json["id"] = id.to_json();
        }
        if self.clock.0 > 0 {
            json["clock"] = self.clock.0.into();
        }
        json.to_string()
    }
}

const UNKNOWN_KIND: PayloadError = PayloadError::Member {
    name: "kind",
    expected: "one of temperature, motion, door, bulb, outlet, sensor, device",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_states_and_objects_say_the_same() {
        for payload in ["1.10", "\"1.10\"", "{\"state\":\"1.10\"}", "{\"state\":1.10}"] {
            let report = Report::of(State::new("1.10").expect("short"));
            assert_eq!(Report::parse(payload.as_bytes()), Ok(report), "{payload}");
        }
    }

    #[test]
    fn a_full_report_survives_its_payload() {
        let report = Report {
            state: State::new("21.5").expect("short"),
            presence: Some(true),
            kind: Some(Kind::Door),
            order: Some(OrderNumber(7)),
            id: Some(RequestId::new("r-1").expect("short")),
            clock: Clock(9),
        };
        assert_eq!(Report::parse(report.to_payload().as_bytes()), Ok(report));
    }

    #[test]
    fn a_bad_payload_says_what_is_wrong() {
        let error = |payload: &[u8]| Report::parse(payload).expect_err("refused").to_string();
        assert!(error(b"").contains("empty"));
        assert!(error(b"\xff\xfe").contains("UTF-8"));
        assert!(error(b"{\"state\":").contains("not valid JSON"));
        assert!(error(b"{}").contains("\"state\""));
        assert!(error(b"{\"state\":[1]}").contains("\"state\""));
        assert!(error(b"{\"state\":1,\"presence\":3}").contains("\"presence\""));
        assert!(error(b"{\"state\":1,\"kind\":\"toaster\"}").contains("\"kind\""));
        assert!(error(b"{\"state\":1,\"id\":{}}").contains("\"id\""));
        assert!(error(&vec![b'x'; 70_000]).contains("70000 bytes"));
    }
}
