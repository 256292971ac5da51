//! What others wrote, for people: escaped where it would act, and states in their kind's own words.

use serde_json::Value as Json;
use wire::{Kind, State, visible};

/// A text without quotes, a dash for none.
pub(crate) fn shown(json: &Json) -> String {
    match json {
        Json::Null => "-".to_owned(),
        Json::String(text) => visible(text).to_string(),
        other => other.to_string(),
    }
}

/// The state that an object tells, in the words of the kind that it tells: `open` rather than `1`.
pub(crate) fn state(says: &Json) -> String {
    state_of(&says["kind"], says)
}

/// The order that an object tells beside its own state.
pub(crate) fn desired(says: &Json) -> String {
    state_of(&says["kind"], &says["desired"])
}

/// The seed's way: a number where the kind has one.
pub(crate) fn value(says: &Json) -> String {
    if says["value"].is_number() { says["value"].to_string() } else { shown(&says["state"]) }
}

fn state_of(kind: &Json, register: &Json) -> String {
    let kind: Option<Kind> = kind.as_str().and_then(|name| name.parse().ok());
    let state = register["state"].as_str().and_then(|text| State::new(text).ok());
    match state {
        Some(state) => visible(kind.unwrap_or_default().in_words(&state)).to_string(),
        None => shown(&register["state"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn people_read_words_and_programs_numbers() {
        let door = json!({"kind": "door", "state": "0", "value": 0, "desired": {"state": "OPEN"}});
        assert_eq!(state(&door), "closed");
        assert_eq!(desired(&door), "open");
        assert_eq!(value(&door), "0");
        let sensor = json!({"kind": "sensor", "state": "0E123456"});
        assert_eq!((state(&sensor), value(&sensor)), ("0E123456".into(), "0E123456".into()));
        assert_eq!((state(&json!({})), desired(&json!({}))), ("-".into(), "-".into()));
        assert_eq!(state(&json!({"kind": "made up", "state": "\u{1b}[2J\n"})), "\\u{1b}[2J\\n");
    }
}
