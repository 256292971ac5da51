//! What a kind of device means by a state.

use core::fmt;

use serde_json::Value as Json;

use crate::state::{number, word};
use crate::{Kind, State};

/// A canonical value, a finite number: 1 is on, open, active; 0 is off, closed, inactive.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Value(f64);

impl Value {
    /// On, open, active.
    pub const ON: Self = Self(1.0);

    /// Off, closed, inactive.
    pub const OFF: Self = Self(0.0);

    /// The number.
    #[must_use]
    pub fn number(self) -> f64 {
        self.0
    }

    /// The value as a JSON number; whole numbers have no fraction.
    #[must_use]
    pub fn to_json(self) -> Json {
        // Beyond 2^53 not every whole number is exact, so such a one keeps its float form.
        if self.0.fract() == 0.0 && self.0.abs() < 9_007_199_254_740_992.0 {
            Json::from(self.0 as i64)
        } else {
            Json::from(self.0)
        }
    }

    /// The state that says nothing but this value.
    #[must_use]
    pub fn state(self) -> State {
        State::new(self.to_string()).expect("a number is a short text")
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Kind {
    /// The kind's canonical value of a state. A kind with two states takes `ON`, `active`, `open` and `true` for 1
    /// and their opposites for 0, in capitals or not; these and thermometers take numbers. None for any other text, and
    /// for kinds of which nothing is known.
    #[must_use]
    pub fn value(self, state: &State) -> Option<Value> {
        let text = state.as_str().trim();
        let value = match self {
            Self::Temperature => number(text),
            Self::Motion | Self::Door | Self::Bulb | Self::Outlet => word(text).or(number(text)),
            Self::Sensor | Self::Device => None,
        };
        // -0 and 0 are one value.
        value.map(|value| Value(value + 0.0))
    }

    /// Whether two states are the same for this kind: their values where both have one, else their texts.
    #[must_use]
    pub fn same(self, one: &State, other: &State) -> bool {
        match (self.value(one), self.value(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        }
    }

    /// Whether the state means on, open or active.
    #[must_use]
    pub fn is_on(self, state: &State) -> bool {
        self.value(state) == Some(Value::ON)
    }

    /// The kind's own words for 1 and 0.
    #[must_use]
    pub fn words(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Motion => Some(("active", "inactive")),
            Self::Door => Some(("open", "closed")),
            Self::Bulb | Self::Outlet => Some(("on", "off")),
            Self::Temperature | Self::Sensor | Self::Device => None,
        }
    }

    /// The state as a device of this kind says it: in the kind's own words, if it has some for it.
    #[must_use]
    pub fn own(self, state: &State) -> State {
        State::new(self.in_words(state)).unwrap_or_else(|_| state.clone())
    }

    /// The state in the kind's own words, else as it was said.
    #[must_use]
    pub fn in_words(self, state: &State) -> &str {
        match (self.words(), self.value(state)) {
            (Some((on, _)), Some(Value::ON)) => on,
            (Some((_, off)), Some(Value::OFF)) => off,
            _ => state.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> State {
        State::new(text).expect("short")
    }

    #[test]
    fn many_spellings_are_one_value() {
        for on in ["ON", "on", "1", "active", "ACTIVE", "open", "true", " ON\n", "1.0", "+1"] {
            assert_eq!(Kind::Bulb.value(&state(on)), Some(Value::ON), "{on}");
        }
        for off in ["OFF", "off", "0", "inactive", "closed", "CLOSE", "false", "-0", "0.0"] {
            assert_eq!(Kind::Door.value(&state(off)), Some(Value::OFF), "{off}");
        }
        assert_eq!(Kind::Bulb.value(&state("50")).map(Value::number), Some(50.0));
        for none in ["ajar", "nan", "inf", "1e999", "", "12:30"] {
            let none = State::new(none).unwrap_or_else(|_| state(" "));
            assert_eq!(Kind::Door.value(&none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_kind_of_its_own_converts_nothing() {
        for kind in [Kind::Sensor, Kind::Device] {
            for text in ["ON", "1", "0E123456"] {
                assert_eq!(kind.value(&state(text)), None);
            }
            assert!(!kind.same(&state("ON"), &state("on")));
            assert!(kind.same(&state("ON"), &state("ON")));
        }
        assert_eq!(Kind::Temperature.value(&state("ON")), None);
        assert!(Kind::Temperature.same(&state("1.10"), &state("1.1")));
    }

    #[test]
    fn people_read_the_kinds_own_words() {
        assert_eq!(Kind::Door.in_words(&state("0")), "closed");
        assert_eq!(Kind::Bulb.in_words(&state("ON")), "on");
        assert_eq!(Kind::Motion.in_words(&state("TRUE")), "active");
        assert_eq!(Kind::Bulb.in_words(&state("50")), "50");
        assert_eq!(Kind::Sensor.in_words(&state("0")), "0");
    }

    #[test]
    fn a_value_can_be_said() {
        assert_eq!(Value::ON.state(), state("1"));
        assert_eq!(Value::ON.to_json(), Json::from(1));
        assert_eq!(
            Kind::Temperature.value(&state("21.50")).map(|v| v.to_string()),
            Some("21.5".into())
        );
        let large = Kind::Temperature.value(&state("9007199254740993"));
        assert_eq!(large.map(Value::to_json), Some(Json::from(9_007_199_254_740_992.0)));
    }
}
