//! The messages that carry states: `state` to everyone, `command` to the device.

use serde_json::{Value as Json, json};

use crate::json::{Object, text};
use crate::{Clock, GatewayId, Kind, NodeId, OrderNumber, PayloadError, Seq, State, UnixMillis};

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
    /// What the device is; what the values depend on.
    pub kind: Kind,
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
        let mut json = json!({
            "kind": self.kind.name(),
            "state": self.state.as_ref().map(State::to_json),
            "seq": self.seq,
            "time": self.time,
            "node": self.node,
            "clock": self.clock,
            "owner": self.owner,
        });
        if let Some(state) = &self.state {
            self.kind.add_value(state, &mut json);
        }
        if let Some(desired) = &self.desired {
            json["desired"] = json!({"state": desired.state.to_json(), "order": desired.order});
            self.kind.add_value(&desired.state, &mut json["desired"]);
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

    /// Largest payload, in bytes.
    const LARGEST: usize = 64 * 1024;

    /// The payload for a device of this kind.
    #[must_use]
    pub fn to_json(&self, kind: Kind) -> Json {
        let mut json =
            json!({"order": self.order, "state": self.state.to_json(), "clock": self.clock});
        kind.add_value(&self.state, &mut json);
        json
    }

    /// Reads a payload, as a device does.
    ///
    /// # Errors
    /// When it is no JSON object with `order` and `state`.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let object = Object::parse(text(payload, Self::LARGEST)?)?
            .ok_or_else(|| PayloadError::BadJson("an object was expected".into()))?;
        let expected = "a whole number from 1";
        let order = object
            .literal("order")
            .and_then(|text| text.parse().ok())
            .filter(|order| *order > 0)
            .ok_or(PayloadError::Member { name: "order", expected })?;
        let (state, clock) = (State::of(object.member("state")?)?, object.clock());
        Ok(Self { order: OrderNumber(order), state, clock })
    }
}

impl Kind {
    /// Adds the member `value` to what carries `state`, if the kind has one.
    pub fn add_value(self, state: &State, json: &mut Json) {
        if let Some(value) = self.value(state) {
            json["value"] = value.to_json();
        }
    }
}
